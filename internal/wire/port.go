package wire

import (
	"context"
	"net"
	"sync"
)

// Port is a node's one port: it accepts, judges and hands out inbound connections, and it dials. Every connection it made or
// accepted ends with it.
type Port struct {
	cfg     Config
	ctx     context.Context // done once Close has begun
	stop    context.CancelFunc
	pending *pending
	running sync.WaitGroup // the accept loop and one goroutine per inbound connection, Serve included

	mu      sync.Mutex // guards all below; nothing is closed and no function of the node called under it
	closed  bool
	conns   map[*conn]struct{}
	streams map[Incarnation]*Stream
	raft    int // admitted inbound Raft connections
	others  int // admitted inbound connections of the other purposes
}

// Open takes over cfg.Listener, if there is one, and begins to accept.
func Open(cfg Config) *Port {
	p := &Port{
		cfg:     cfg.withDefaults(),
		conns:   make(map[*conn]struct{}),
		streams: make(map[Incarnation]*Stream),
	}
	p.pending = newPending(p.cfg.MaxHandshakes)
	p.ctx, p.stop = context.WithCancel(context.Background())
	if p.cfg.Listener != nil {
		p.running.Go(p.accept)
	}
	return p
}

// Close stops accepting, closes every stream and every connection, inbound and outbound, makes dials in progress fail, and
// waits for the Port's goroutines, those in Serve too. Idempotent; each call waits.
func (p *Port) Close() error {
	err := p.shut()
	conns, streams := p.snapshot()
	for _, c := range conns {
		c.sever()
	}
	for _, s := range streams {
		_ = s.Close()
	}
	p.running.Wait()
	return err
}

// shut lets nothing new in. What has got in before stands in p.conns and p.streams.
func (p *Port) shut() error {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	p.mu.Unlock()
	p.stop()
	if first && p.cfg.Listener != nil {
		return p.cfg.Listener.Close()
	}
	return nil
}

func (p *Port) snapshot() (conns []*conn, streams []*Stream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		conns = append(conns, c)
	}
	for _, s := range p.streams {
		streams = append(streams, s)
	}
	return conns, streams
}

// track makes nc one of the Port's connections, to be severed by Close. A closed Port closes nc at once and returns nil.
func (p *Port) track(nc net.Conn) *conn {
	c := &conn{Conn: nc}
	c.onClose(func() { p.untrack(c) })
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.conns[c] = struct{}{}
	}
	p.mu.Unlock()
	if closed {
		_ = nc.Close()
		return nil
	}
	return c
}

func (p *Port) untrack(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// occupy counts c, which is to be admitted, until it is closed. False if there are as many of its kind as there may be.
func (p *Port) occupy(c *conn, purpose Purpose) bool {
	count, limit := &p.others, p.cfg.MaxConns
	if purpose == Raft {
		count, limit = &p.raft, p.cfg.MaxRaftConns
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if *count >= limit {
		return false
	}
	*count++
	c.onClose(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		*count--
	})
	return true
}
