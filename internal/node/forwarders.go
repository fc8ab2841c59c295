package node

import (
	"net"
	"sync"

	"github.com/inelpandzic/imdgo/internal/wire"
)

// forwarders are the members that forward to this one, with the connection of
// each. Nobody else may: a leader's configuration has everybody in it who knows
// that it leads.
type forwarders struct {
	mu    sync.Mutex // guards conns
	conns map[wire.Incarnation]net.Conn
}

// onlyOne makes conn the one connection that a member forwards on: it opens
// another one only when it has given the former up, or when the process that had
// that one has ended. What it returns is to be called when conn has ended.
func (l *life) onlyOne(inc wire.Incarnation, conn net.Conn) (ended func()) {
	o := &l.forwarding
	o.mu.Lock()
	defer o.mu.Unlock()
	if former := o.conns[inc]; former != nil {
		_ = former.Close() // whoever serves it notices
	}
	if o.conns == nil {
		o.conns = make(map[wire.Incarnation]net.Conn)
	}
	o.conns[inc] = conn
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.conns[inc] == conn {
			delete(o.conns, inc)
		}
	}
}
