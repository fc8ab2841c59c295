package forward

import (
	"bufio"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/inelpandzic/imdgo/internal/command"
)

// writeTimeout is how long a leader may leave a part unread. It holds back
// what it cannot propose yet, so this is not a sign of death; but a part that
// takes longer is better handed to somebody else.
const writeTimeout = 5 * time.Second

// keepFrame is the largest buffer that is kept between two parts.
const keepFrame = 1 << 20

// Client hands parts to the leader at the other end of a connection.
type Client struct {
	conn  net.Conn
	hello []byte // what goes before the first part; nil once it has gone
	frame []byte // used again; the caller of Send sees to it that only one does
	done  sync.WaitGroup
}

// NewClient takes over conn, for the parts of one origin. refused is called for every part that the leader
// did not take; broken once, when the connection has ended for any reason:
// what was sent and not refused may have been logged or not. Both are called on
// the client's own goroutine.
func NewClient(conn net.Conn, origin uint64, refused func(first uint64, why command.Refusal), broken func(error)) *Client {
	c := &Client{conn: conn, hello: appendOrigin(nil, origin)}
	c.done.Go(func() {
		r := bufio.NewReaderSize(conn, 512)
		for {
			first, why, err := readRefusal(r)
			if err != nil {
				_ = conn.Close() // it has ended anyway
				broken(err)
				return
			}
			refused(first, why)
		}
	})
	return c
}

// Send hands a part over. It must not be called concurrently. An error means
// that the connection has ended and that the part may have arrived.
func (c *Client) Send(p *command.Part) error {
	// One write, so one packet and one system call for what is small.
	c.frame = append(appendPartHead(append(c.frame[:0], c.hello...), p), p.Ops...)
	frame := c.frame
	c.hello = nil
	if cap(c.frame) > keepFrame {
		c.frame = nil
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("forwarding to the leader: %w", err)
	}
	if _, err := c.conn.Write(frame); err != nil {
		c.Abort() // half a frame may be out: nothing can follow it
		return fmt.Errorf("forwarding to the leader: %w", err)
	}
	return nil
}

// Abort ends the connection without waiting; a Send that hangs returns.
func (c *Client) Abort() { _ = c.conn.Close() } // the reader reports what there is to report

// Close ends the connection and waits until broken has returned.
func (c *Client) Close() {
	c.Abort()
	c.done.Wait()
}
