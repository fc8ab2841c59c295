package imdgotest

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// NodeNet is one node's view of a [Net]; it implements imdgo.Network.
type NodeNet struct {
	fabric *Net
	life   *life
}

// addr is an address on a Net.
type addr string

func (a addr) Network() string { return "tcp" }
func (a addr) String() string  { return string(a) }

var (
	errRefused = os.NewSyscallError("connect", syscall.ECONNREFUSED)
	errInUse   = os.NewSyscallError("bind", syscall.EADDRINUSE)

	// errCut is returned to the dialer's loop alone: a cut came while a connection was being made.
	errCut = errors.New("imdgotest: link cut")
)

// Listen announces an address as this node's. An empty host stands for the node's name and port 0
// for a port that is free; a host other than the node's name is taken as it stands.
func (v *NodeNet) Listen(address string) (net.Listener, error) {
	l, err := v.fabric.listen(v.life, address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: addr(address), Err: err}
	}
	return l, nil
}

// Dial connects to an address that a node listens on. Where nobody does, the error wraps
// syscall.ECONNREFUSED; across a cut it waits until the link heals or ctx ends, and then the error wraps
// ctx.Err(). The other end sees an address with this node's name as host.
func (v *NodeNet) Dial(ctx context.Context, address string) (net.Conn, error) {
	c, err := v.fabric.dial(ctx, v.life, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: addr(address), Err: err}
	}
	return c, nil
}

func (n *Net) dial(ctx context.Context, from *life, address string) (*conn, error) {
	address, err := resolve(from.name, address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(from.ctx, cancel)()
	for {
		err := n.handshake(ctx, edge{from.name, n.owner(address)})
		if from.ctx.Err() != nil {
			return nil, context.Cause(from.ctx)
		}
		if err != nil {
			return nil, err
		}
		c, err := n.connect(from, address)
		if !errors.Is(err, errCut) {
			return c, err
		}
	}
}

// handshake takes as long as a request and its answer: for ever across a cut of either direction.
func (n *Net) handshake(ctx context.Context, e edge) error {
	if err := n.links.await(ctx, e, e.back()); err != nil {
		return err
	}
	if trip := n.links.delay(e) + n.links.delay(e.back()); trip > 0 {
		return sleepUntil(ctx, time.Now().Add(trip))
	}
	return nil
}

// connect makes a connection to whoever listens on the address and puts its other end in the
// listener's queue.
func (n *Net) connect(from *life, address string) (*conn, error) {
	l := n.listenerAt(address)
	if l == nil {
		return nil, errRefused
	}
	dialing, accepting, err := n.carrier.pair()
	if err != nil {
		return nil, err
	}
	c, err := n.introduce(from, l, dialing, accepting)
	if err != nil {
		dialing.Close()
		accepting.Close()
	}
	return c, err
}

func (n *Net) listenerAt(address string) *listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.listeners[address]
}

// introduce makes the two ends of a stream known to their nodes, unless something happened meanwhile
// that forbids it. It holds mu from the checks on, so that a Kill either comes before
// it or finds both ends.
func (n *Net) introduce(from *life, l *listener, dialing, accepting stream) (*conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	there := edge{from.name, l.home.name}
	cut, _ := n.links.look(there, there.back())
	switch {
	case from.ctx.Err() != nil:
		return nil, context.Cause(from.ctx)
	case cut:
		return nil, errCut
	case n.listeners[l.address] != l, l.home.ctx.Err() != nil, len(l.backlog) == cap(l.backlog):
		return nil, errRefused
	}
	local, remote := addr(n.ephemeral(from.name)), addr(l.address)
	c := newConn(n, from, dialing, there, local, remote)
	c.peer = newConn(n, l.home, accepting, there.back(), remote, local)
	c.peer.peer = c
	n.relays.Go(c.relay)
	n.relays.Go(c.peer.relay)
	l.backlog <- c.peer
	return c, nil
}
