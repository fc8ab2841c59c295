package imdgotest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// connBuffer is how much one direction of a connection holds back before its writer has to wait.
const connBuffer = 256 << 10

// conn is one end of a connection. What is written waits in out until the relay has taken it over the
// link; what has come over the link is read from the stream directly.
type conn struct {
	fabric        *Net
	home          *life
	raw           stream // closed by the relay alone
	link          edge   // from this end's node to the other's
	local, remote addr
	peer          *conn
	out           *queue

	ctx    context.Context // ends when what is in out is to be dropped
	cancel context.CancelFunc
	ended  chan struct{} // closed once reason is set

	mu      sync.Mutex // guards all below, and that no deadline is set on raw behind end's back
	reason  error      // why this end is over
	dropped bool
	due     time.Time // when the other end may learn of a close
}

// newConn makes one end of a connection and books it in the node's life. The caller holds fabric.mu.
func newConn(n *Net, home *life, raw stream, link edge, local, remote addr) *conn {
	c := &conn{fabric: n, home: home, raw: raw, link: link, local: local, remote: remote,
		ended: make(chan struct{})}
	c.out = newQueue(connBuffer, c.arrival)
	c.ctx, c.cancel = context.WithCancel(n.ctx)
	home.conns[c] = true
	return c
}

// arrival says when something sent now is due at the other end.
func (c *conn) arrival() time.Time {
	d := c.fabric.links.delay(c.link)
	if d <= 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.raw.Read(p)
	if reason := c.over(); reason != nil {
		return 0, c.failure("read", reason)
	}
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, c.failure("read", err)
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.out.write(p)
	if err == nil {
		return n, nil
	}
	if reason := c.over(); reason != nil {
		err = reason
	}
	return n, c.failure("write", err)
}

// Close ends this end at once. What was written is still delivered, then the other end reads io.EOF.
func (c *conn) Close() error {
	c.end(net.ErrClosed, false)
	return nil
}

// end makes reads and writes at this end fail with the reason, if no other came first. With drop, what
// is under way is lost and the other end will be reset; otherwise it is delivered before the other end
// learns that this one is closed. The stream stays open: closing it is news, which the relay has to
// take over the link first.
func (c *conn) end(reason error, drop bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason == nil {
		c.reason = reason
		c.due = c.arrival()
		close(c.ended)
		_ = c.raw.SetReadDeadline(longAgo)
		c.out.close(reason)
	}
	if drop && !c.dropped {
		c.dropped = true
		c.cancel()
		c.out.fail(reason)
		_ = c.raw.SetWriteDeadline(longAgo)
	}
}

// over returns why this end is over, or nil.
func (c *conn) over() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reason
}

// failure wraps an error as package net does, with the addresses of the Net instead of the stream's.
func (c *conn) failure(op string, err error) error {
	var inner *net.OpError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason != nil {
		return c.failure("set", c.reason)
	}
	return c.raw.SetReadDeadline(t)
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason != nil {
		return c.failure("set", c.reason)
	}
	c.out.setWriteDeadline(t)
	return nil
}
