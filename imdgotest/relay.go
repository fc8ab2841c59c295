package imdgotest

import (
	"net"
	"syscall"
)

// relay takes what is written at this end over the link, then the news of its end. It lives until the
// owner has closed the connection and the other end could learn of it, or until the Net closes.
func (c *conn) relay() {
	defer c.forget()
	c.carry()
	<-c.ended
	// From here on only a cut holds the news back, and Close of the Net ends that wait. An end other
	// than an orderly one is told before raw closes, which would look like one.
	if c.fabric.links.await(c.fabric.ctx, c.link) != nil {
		c.peer.end(net.ErrClosed, true)
	} else if c.isDropped() {
		c.peer.end(syscall.ECONNRESET, true)
	}
	c.raw.Close()
}

// carry hands on chunk by chunk until this end is closed and out is empty, what is left is dropped, or
// the other end is gone.
func (c *conn) carry() {
	for {
		next, err := c.out.next()
		if err != nil {
			break
		}
		if sleepUntil(c.ctx, next.due) != nil || c.fabric.links.await(c.ctx, c.link) != nil {
			break
		}
		if _, err := c.raw.Write(next.data); err != nil {
			c.out.fail(err)
			return
		}
		c.out.pop()
	}
	<-c.ended
	_ = sleepUntil(c.ctx, c.due) // due is set before ended closes
}

func (c *conn) isDropped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// forget takes the connection from its node's books.
func (c *conn) forget() {
	c.cancel()
	c.fabric.mu.Lock()
	defer c.fabric.mu.Unlock()
	delete(c.home.conns, c)
}
