package imdgotest

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// Net is a network between the nodes of one cluster, with faults. See the package documentation.
// All methods may be called concurrently, and calling one twice is the same as calling it once.
type Net struct {
	carrier transport
	links   *topology

	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc
	relays sync.WaitGroup

	mu        sync.Mutex // guards all below and the contents of lives
	lives     map[string]*life
	listeners map[string]*listener
	owners    map[string]string // who listened last on an address
	port      int               // the last port given to a dialer, or to a listener that asked for 0
}

// life is a node from its first use to its Kill.
type life struct {
	name      string
	ctx       context.Context // ends with Kill and with Net.Close, the cause says which
	cancel    context.CancelCauseFunc
	conns     map[*conn]bool
	listeners map[*listener]bool
}

// errKilled is the cause of a life's end by Kill.
var errKilled = os.NewSyscallError("killed", syscall.ENETDOWN)

// NewNet returns a network in memory. It needs no goroutine while nobody is connected, and it works
// inside a testing/synctest bubble when it is made there.
func NewNet() *Net { return newNet(memory{}) }

// NewLoopback returns a network over TCP connections within this machine.
func NewLoopback() (*Net, error) {
	t, err := newLoopback()
	if err != nil {
		return nil, err
	}
	return newNet(t), nil
}

func newNet(t transport) *Net {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &Net{
		carrier: t, links: newTopology(), ctx: ctx, cancel: cancel,
		lives: map[string]*life{}, listeners: map[string]*listener{}, owners: map[string]string{},
		port: 49151, // the ports from here on are for private use
	}
}

// Close ends all listeners and connections and waits for every goroutine of the network.
func (n *Net) Close() error {
	n.mu.Lock()
	n.cancel(net.ErrClosed)
	var names []string
	for name := range n.lives {
		names = append(names, name)
	}
	n.mu.Unlock()
	for _, name := range names {
		conns, listeners := n.bury(name)
		for _, l := range listeners {
			l.Close()
		}
		for _, c := range conns {
			c.end(net.ErrClosed, true)
		}
	}
	n.relays.Wait()
	if err := n.carrier.close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Node returns what the node of that name sees of the network: an imdgo.Network. A view is good for
// one life of the node: after [Net.Kill] and [Net.Revive] the node's successor needs a new one.
func (n *Net) Node(name string) *NodeNet {
	n.mu.Lock()
	defer n.mu.Unlock()
	return &NodeNet{fabric: n, life: n.life(name)}
}

// life returns the node's present life. The caller holds mu.
func (n *Net) life(name string) *life {
	l, ok := n.lives[name]
	if !ok {
		l = &life{name: name, conns: map[*conn]bool{}, listeners: map[*listener]bool{}}
		l.ctx, l.cancel = context.WithCancelCause(n.ctx)
		n.lives[name] = l
	}
	return l
}

// bury ends the node's present life and returns what it leaves behind. Nothing is added to it later.
func (n *Net) bury(name string) (conns []*conn, listeners []*listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.life(name)
	l.cancel(errKilled)
	for c := range l.conns {
		conns = append(conns, c)
	}
	for s := range l.listeners {
		listeners = append(listeners, s)
	}
	return conns, listeners
}

// resolve returns the full form of an address that a node listens on or dials: no host, or one that
// stands for all interfaces, is the node itself.
func resolve(node, address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = node
	}
	return net.JoinHostPort(host, port), nil
}

// ephemeral returns an address of the host's with a port of its own. The caller holds mu.
func (n *Net) ephemeral(host string) string {
	n.port++
	return net.JoinHostPort(host, strconv.Itoa(n.port))
}

// owner returns the node that an address belongs to, whether or not somebody listens there now: a dial
// across a cut must not find out that nobody does.
func (n *Net) owner(address string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if name, ok := n.owners[address]; ok {
		return name
	}
	host, _, _ := net.SplitHostPort(address) // resolve has checked it
	return host
}
