package imdgotest

import (
	"context"
	"net"
	"sync"
	"syscall"
)

// backlog is how many connections wait for Accept; further dials are refused.
const backlog = 1024

type listener struct {
	fabric  *Net
	home    *life
	address string
	backlog chan *conn
	done    chan struct{}
	once    sync.Once
}

func (n *Net) listen(home *life, address string) (*listener, error) {
	address, err := resolve(home.name, address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if home.ctx.Err() != nil {
		return nil, context.Cause(home.ctx)
	}
	if host, port, _ := net.SplitHostPort(address); port == "0" {
		address = n.ephemeral(host)
	}
	if n.listeners[address] != nil {
		return nil, errInUse
	}
	l := &listener{fabric: n, home: home, address: address,
		backlog: make(chan *conn, backlog), done: make(chan struct{})}
	n.listeners[address], n.owners[address] = l, home.name
	home.listeners[l] = true
	return l, nil
}

// Accept returns the next connection that was dialed to the listener's address.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.done: // first: what waits once the listener is closed is about to be reset
		return nil, l.closed()
	default:
	}
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.done:
		return nil, l.closed()
	}
}

func (l *listener) closed() error {
	return &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
}

// Close frees the address and resets the connections that nobody has accepted.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.withdraw()
		close(l.done)
		for {
			select {
			case c := <-l.backlog:
				c.end(syscall.ECONNRESET, true)
			default:
				return
			}
		}
	})
	return nil
}

// withdraw takes the listener from the net's books. After it nothing enters the backlog.
func (l *listener) withdraw() {
	l.fabric.mu.Lock()
	defer l.fabric.mu.Unlock()
	delete(l.fabric.listeners, l.address)
	delete(l.home.listeners, l)
}

func (l *listener) Addr() net.Addr { return addr(l.address) }
