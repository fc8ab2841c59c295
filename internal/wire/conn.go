package wire

import (
	"net"
	"sync"
)

// conn is a connection whose end others wait for or count. Its user closes it with Close; the Port or the Stream may sever it
// before, under the user's hands, and the user still has to call Close: only that says that nobody works on it any more.
type conn struct {
	net.Conn
	cluster     ClusterID   // of the other end, as it said in preamble or reply
	incarnation Incarnation // likewise

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
