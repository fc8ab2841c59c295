package imdgotest

import (
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// transport moves bytes. It knows neither nodes nor faults: those are the conns' around it.
type transport interface {
	// pair returns the two ends of a new stream.
	pair() (dialer, acceptor stream, err error)
	// close ends the making of pairs; streams that exist live on.
	close() error
}

// stream is the part of a net.Conn that a transport has to bring.
type stream interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// streamBuffer is what the far end of a stream buffers, the kernel's share with TCP. It is kept
// small: what lies there has arrived and no cut holds it back.
const streamBuffer = 64 << 10

// memory is a transport without system calls.
type memory struct{}

func (memory) pair() (stream, stream, error) {
	there, back := newQueue(streamBuffer, nil), newQueue(streamBuffer, nil)
	return &memoryStream{in: back, out: there}, &memoryStream{in: there, out: back}, nil
}

func (memory) close() error { return nil }

type memoryStream struct{ in, out *queue }

func (s *memoryStream) Read(p []byte) (int, error)  { return s.in.read(p) }
func (s *memoryStream) Write(p []byte) (int, error) { return s.out.write(p) }

// Close lets the other end read what was written to it, and no more write.
func (s *memoryStream) Close() error {
	s.out.close(net.ErrClosed)
	s.in.fail(syscall.EPIPE)
	return nil
}

func (s *memoryStream) SetReadDeadline(t time.Time) error {
	s.in.setReadDeadline(t)
	return nil
}

func (s *memoryStream) SetWriteDeadline(t time.Time) error {
	s.out.setWriteDeadline(t)
	return nil
}

// loopback is a transport over TCP within this machine. One listener serves all nodes: who listens
// on which address is the Net's business.
type loopback struct {
	mu       sync.Mutex // one pair at a time, so that what is accepted is what was dialed
	listener net.Listener
}

func newLoopback() (*loopback, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &loopback{listener: l}, nil
}

func (t *loopback) pair() (stream, stream, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	dialed, err := net.Dial("tcp", t.listener.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	accepted, err := t.accept(dialed.LocalAddr().String())
	if err != nil {
		dialed.Close()
		return nil, nil, err
	}
	return bounded(dialed), bounded(accepted), nil
}

// accept returns the connection that comes from the given address. The port is open to the whole
// machine, so a stranger may stand in the queue; it is shown out.
func (t *loopback) accept(from string) (net.Conn, error) {
	for {
		c, err := t.listener.Accept()
		if err != nil || c.RemoteAddr().String() == from {
			return c, err
		}
		c.Close()
	}
}

// bounded keeps the kernel from buffering megabytes; a system that refuses buffers more, no harm done.
func bounded(c net.Conn) net.Conn {
	tcp := c.(*net.TCPConn)
	_ = tcp.SetReadBuffer(streamBuffer)
	_ = tcp.SetWriteBuffer(streamBuffer)
	return c
}

func (t *loopback) close() error { return t.listener.Close() }
