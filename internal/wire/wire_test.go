package wire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/inelpandzic/imdgo/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	cluster wire.ClusterID   = 0xc1
	alice   wire.Incarnation = 0xa11ce
	bob     wire.Incarnation = 0xb0b
)

// patience is how long a test waits for what must come. No test takes that long unless it fails.
const patience = 20 * time.Second

// open opens a port that is alice on a TCP port of its own unless cfg says otherwise, and closes it with the test.
func open(t *testing.T, cfg wire.Config) (*wire.Port, string) {
	t.Helper()
	if cfg.Network == nil {
		cfg.Network = wire.TCP{}
	}
	if cfg.Listener == nil {
		listener, err := cfg.Network.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		cfg.Listener = listener
	}
	if cfg.Addr == "" {
		cfg.Addr = cfg.Listener.Addr().String()
	}
	if cfg.Identity == nil {
		cfg.Identity = func() (wire.ClusterID, wire.Incarnation) { return cluster, alice }
	}
	if cfg.Serve == nil {
		cfg.Serve = echo
	}
	p := wire.Open(cfg)
	t.Cleanup(func() { _ = p.Close() })
	return p, cfg.Addr
}

// openDialer opens a port without a listener, to dial from.
func openDialer(t *testing.T, cfg wire.Config) *wire.Port {
	t.Helper()
	p := wire.Open(cfg)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func echo(_ wire.Preamble, c net.Conn) { _, _ = io.Copy(c, c) }

func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// rawDial is a stranger's connection: no preamble unless the test writes one.
func rawDial(t *testing.T, network wire.Network, addr string) net.Conn {
	t.Helper()
	c, err := network.Dial(patient(t), addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

func mustDial(t *testing.T, p *wire.Port, addr string, pre wire.Preamble) net.Conn {
	t.Helper()
	c, err := p.Dial(patient(t), addr, pre)
	if err != nil {
		t.Fatalf("dial %v: %v", pre.Purpose, err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// wantRefused dials and wants that refusal.
func wantRefused(t *testing.T, p *wire.Port, addr string, pre wire.Preamble, want wire.Refusal) *wire.RefusedError {
	t.Helper()
	c, err := p.Dial(patient(t), addr, pre)
	var refused *wire.RefusedError
	if !errors.As(err, &refused) {
		if c != nil {
			_ = c.Close()
		}
		t.Fatalf("dial %v: got %v, want a refusal: %v", pre.Purpose, err, want)
	}
	if refused.Refusal != want || refused.Addr != addr {
		t.Fatalf("got %+v, want %v from %s", refused, want, addr)
	}
	return refused
}

// wantEcho sends a word through c and wants it back.
func wantEcho(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "hello" {
		t.Fatalf("echo: %q, %v", b, err)
	}
}

// wantEnd waits until the other side has ended c and returns what it sent before.
func wantEnd(t *testing.T, c net.Conn) []byte {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("connection still open after %v", patience)
	}
	return b
}

// within fails the test if f has not returned in time.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s: not done after %v", what, patience)
	}
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not so after %v", what, patience)
		}
	}
}

// memory is a network of pipes, so that synctest's clock runs over it.
type memory struct {
	mu        sync.Mutex // guards listeners
	listeners map[string]*memoryListener
}

type memoryListener struct {
	addr   string
	conns  chan net.Conn
	closed context.Context
	close  context.CancelFunc
}

var errNobody = errors.New("nobody listens")

func (m *memory) Listen(addr string) (net.Listener, error) {
	l := &memoryListener{addr: addr, conns: make(chan net.Conn)}
	l.closed, l.close = context.WithCancel(context.Background())
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listeners == nil {
		m.listeners = make(map[string]*memoryListener)
	}
	m.listeners[addr] = l
	return l, nil
}

func (m *memory) Dial(ctx context.Context, addr string) (net.Conn, error) {
	m.mu.Lock()
	l := m.listeners[addr]
	m.mu.Unlock()
	if l == nil {
		return nil, errNobody
	}
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.closed.Done():
		return nil, errNobody
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed.Done():
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error   { l.close(); return nil }
func (l *memoryListener) Addr() net.Addr { return memoryAddr(l.addr) }

type memoryAddr string

func (memoryAddr) Network() string  { return "memory" }
func (a memoryAddr) String() string { return string(a) }

// network is a Network with another Dial.
type network struct {
	wire.TCP
	dial func(ctx context.Context, addr string) (net.Conn, error)
}

// blackHole is a network where a dial takes until its context ends.
var blackHole = network{dial: func(ctx context.Context, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}}

func (n network) Dial(ctx context.Context, addr string) (net.Conn, error) { return n.dial(ctx, addr) }
