package node

import (
	"net"
	"sync"

	"github.com/inelpandzic/imdgo/internal/wire"
)

// forwarders are the nodes that forward to this one, with the connection of each.
type forwarders struct {
	mu    sync.Mutex // guards conns
	conns map[wire.Incarnation]net.Conn
}

// strangersMost is how many nodes may forward that are not in the configuration
// under the name they forward by: nodes that go on from a data directory have
// another one. Others must not take the places of those who are.
const strangersMost = 32

// takesStranger reports whether there is a place for an origin that is not in
// the configuration.
func (f *forwarders) takesStranger(origin wire.Incarnation) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conns[origin] != nil || len(f.conns) < strangersMost
}

// onlyOne makes conn the one connection that an origin forwards on: it opens
// another one only when it has given the former up. What it returns is to be
// called when conn has ended.
func (l *life) onlyOne(origin wire.Incarnation, conn net.Conn) (ended func()) {
	o := &l.forwarding
	o.mu.Lock()
	defer o.mu.Unlock()
	if former := o.conns[origin]; former != nil {
		_ = former.Close() // whoever serves it notices
	}
	if o.conns == nil {
		o.conns = make(map[wire.Incarnation]net.Conn)
	}
	o.conns[origin] = conn
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.conns[origin] == conn {
			delete(o.conns, origin)
		}
	}
}
