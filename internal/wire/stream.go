package wire

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// streamDialLimit caps connecting and preamble. Raft asks for its transport timeout, 10 s as a rule, and a replication
	// goroutine that waits that long for a dead host is late when the host is back.
	streamDialLimit = time.Second
	// streamWriteLimit is how long a peer may leave a write of raft's unread: a buffer of 64 or 256 KiB, or the data of one
	// large entry.
	streamWriteLimit = 10 * time.Second
	// streamCloseLimit is how long Close waits for raft's handlers.
	streamCloseLimit = time.Second
)

// Stream is the raft.StreamLayer of one incarnation: it accepts the Raft connections that are meant for it and dials as it.
type Stream struct {
	port     *Port
	self     Incarnation
	cluster  func() ClusterID
	incoming chan *conn      // unbuffered: who sends still owns the connection
	ctx      context.Context // done once Close has begun, or that of the Port
	stop     context.CancelFunc
	drained  chan struct{} // closed when the stream is closed and handlers is 0

	mu       sync.Mutex // guards all below; nothing is closed under it
	closed   bool
	conns    map[*conn]bool // both directions; true: accepted by raft, whose handler will close it
	handlers int            // how many are true
}

var _ raft.StreamLayer = (*Stream)(nil)

// Stream begins to route inbound Raft connections for self to a new stream. cluster says to which cluster self belongs when it
// dials. An incarnation has one stream; a second one would take over its routing. The stream of a closed Port is closed.
func (p *Port) Stream(cluster func() ClusterID, self Incarnation) *Stream {
	s := &Stream{
		port: p, self: self, cluster: cluster,
		incoming: make(chan *conn),
		drained:  make(chan struct{}),
		conns:    make(map[*conn]bool),
	}
	s.ctx, s.stop = context.WithCancel(p.ctx)
	if !p.route(s) {
		_ = s.Close()
	}
	return s
}

func (p *Port) route(s *Stream) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.streams[s.self] = s
	return true
}

func (p *Port) unroute(s *Stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.streams[s.self] == s {
		delete(p.streams, s.self)
	}
}

// Accept returns the next connection that is meant for this incarnation; net.ErrClosed once the stream is closed.
func (s *Stream) Accept() (net.Conn, error) {
	select {
	case c := <-s.incoming:
		if s.handOver(c) {
			return c, nil
		}
		_ = c.Close() // Close came in between
	case <-s.ctx.Done():
	}
	return nil, net.ErrClosed
}

// Addr returns Address of the Port and this incarnation. Raft takes its own address from it.
func (s *Stream) Addr() net.Addr { return streamAddr(Address(s.port.cfg.Addr, s.self)) }

type streamAddr raft.ServerAddress

func (streamAddr) Network() string  { return "tcp" }
func (a streamAddr) String() string { return string(a) }

// Dial connects to the incarnation that address names, within timeout but at most 1 s. An address that names this incarnation
// itself leads through a pipe in the process, whatever its host and port: a node without a port has Raft too.
func (s *Stream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	addr, target, err := SplitAddress(address)
	if err != nil {
		return nil, err
	}
	if timeout <= 0 || timeout > streamDialLimit {
		timeout = streamDialLimit
	}
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	if target == s.self {
		return s.dialSelf(ctx)
	}
	c, err := s.port.dial(ctx, addr, Preamble{Purpose: Raft, Cluster: s.cluster(), Target: target, Origin: s.self})
	if err == nil {
		c.writeLimit = streamWriteLimit
	}
	switch {
	case s.ctx.Err() != nil && err != nil:
		return nil, net.ErrClosed
	case err != nil:
		return nil, err
	case !s.register(c):
		_ = c.Close()
		return nil, net.ErrClosed
	}
	return c, nil
}

// dialSelf hands one end of a pipe to Accept and returns the other. A pipe has no buffer, which suits raft: it writes a whole
// RPC, then reads the answer, and its handler does the opposite.
func (s *Stream) dialSelf(ctx context.Context) (net.Conn, error) {
	near, far, err := s.pipe()
	if err != nil {
		return nil, err
	}
	select {
	case s.incoming <- far:
		return near, nil
	case <-ctx.Done():
	}
	_ = near.Close()
	_ = far.Close()
	if s.ctx.Err() != nil {
		return nil, net.ErrClosed
	}
	return nil, ctx.Err()
}

// pipe returns the two ends of a pipe, registered.
func (s *Stream) pipe() (near, far *conn, err error) {
	a, b := net.Pipe()
	near, far = s.port.track(a), s.port.track(b)
	if near != nil && far != nil && s.register(near) && s.register(far) {
		return near, far, nil
	}
	for _, c := range []*conn{near, far} {
		if c != nil {
			_ = c.Close()
		}
	}
	return nil, nil, net.ErrClosed
}

// register makes c a connection of the stream, to be severed by Close. False if the stream is closed: c is the caller's.
func (s *Stream) register(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = false
	c.onClose(func() { s.unregister(c) })
	return true
}

// deliver blocks until Accept takes c or the stream is closed, which closes c.
func (s *Stream) deliver(c *conn) {
	select {
	case s.incoming <- c:
	case <-s.ctx.Done():
		_ = c.Close()
	}
}

// handOver notes that raft's handler is about to take c. False if the stream is closed.
func (s *Stream) handOver(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = true
	s.handlers++
	return true
}

func (s *Stream) unregister(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[c] {
		s.handlers--
		s.checkDrained()
	}
	delete(s.conns, c)
}

// checkDrained is called with the lock held, once by Close and then by each handler that ends: exactly one of them finds 0.
func (s *Stream) checkDrained() {
	if s.closed && s.handlers == 0 {
		close(s.drained)
	}
}

// SeverInbound ends the connections that others have opened to this incarnation; they open new ones. It is for a transfer that
// stands still, which raft, reading it without a time limit, would wait for for ever.
func (s *Stream) SeverInbound() {
	s.mu.Lock()
	var inbound []*conn
	for c, accepted := range s.conns {
		if accepted {
			inbound = append(inbound, c)
		}
	}
	s.mu.Unlock()
	for _, c := range inbound {
		c.sever()
	}
}

// Close ends Accept and dials in progress, and closes all connections of the stream in both directions: raft's transport, when
// it closes, leaves the inbound ones open and its handlers in Read. Then it waits, at most 1 s, until raft's handlers have
// closed theirs; a handler that has handed an RPC to raft ends when raft has answered it. Idempotent; each call waits.
func (s *Stream) Close() error {
	s.port.unroute(s)
	s.stop()
	for _, c := range s.shut() {
		c.sever()
	}
	timer := time.NewTimer(streamCloseLimit)
	defer timer.Stop()
	select {
	case <-s.drained:
	case <-timer.C:
	}
	return nil
}

// shut lets no connection in any more and returns those that are.
func (s *Stream) shut() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		s.checkDrained()
	}
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}
