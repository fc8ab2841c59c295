package wire

import (
	"net"
	"sync"
	"time"
)

// conn is a connection whose end others wait for or count. Its user closes it with Close; the Port or the Stream may sever it
// before, under the user's hands, and the user still has to call Close: only that says that nobody works on it any more.
type conn struct {
	net.Conn
	cluster     ClusterID   // of the other end, as it said in preamble or reply
	incarnation Incarnation // likewise

	// writeLimit is how long one Write may take, 0: as long as its user says. It
	// is set before the conn is given to its user.
	writeLimit time.Duration

	once    sync.Once
	err     error
	atClose []func() // written only before the conn is given to its user
}

// onClose has f called once Close has closed the connection.
func (c *conn) onClose(f func()) { c.atClose = append(c.atClose, f) }

// Close closes the connection and gives back what it held. Idempotent.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.err = c.Conn.Close()
		for _, f := range c.atClose {
			f()
		}
	})
	return c.err
}

// Write writes, within writeLimit if there is one: raft gives the sending of a state a time limit that grows with its size, up
// to hours, and a peer that has stopped reading without closing would hold it for as long.
func (c *conn) Write(b []byte) (int, error) {
	if c.writeLimit > 0 {
		if err := c.SetWriteDeadline(time.Now().Add(c.writeLimit)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

// sever ends all reads and writes without speaking for the user.
func (c *conn) sever() { _ = c.Conn.Close() }

// Peer returns what the other end of a connection of a Port said who it is, in its preamble or in its reply. Zeros if it did
// not know, or for a connection that is not a Port's.
func Peer(nc net.Conn) (ClusterID, Incarnation) {
	if c, ok := nc.(*conn); ok {
		return c.cluster, c.incarnation
	}
	return 0, 0
}
