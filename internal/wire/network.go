package wire

import (
	"context"
	"net"
	"time"
)

// Network is the seam to the sockets: tests put one in memory or one that injects faults here.
//
// It is also the place for TLS: a Network that wraps the conns of another one. Nothing in this package looks below net.Conn,
// and the first read of an accepted connection, which is where TLS shakes hands, happens in that connection's own goroutine
// under the handshake timeout, counted as an unfinished handshake.
type Network interface {
	// Listen opens the port. Its listener's Accept must return when it is closed.
	Listen(addr string) (net.Listener, error)
	// Dial must return promptly when ctx is done. The conns of either side must support deadlines, and Close must unblock
	// reads and writes.
	Dial(ctx context.Context, addr string) (net.Conn, error)
}

// keepAlive finds out within half a minute that an idle connection's other end has vanished without a word (power, cable,
// firewall). Raft and the probes notice much sooner; this is what frees the sockets.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// TCP is the real network. Go sets TCP_NODELAY on every TCP connection, accepted or dialed; imdgo batches for itself and counts
// on it.
type TCP struct{}

// Listen opens a TCP port.
func (TCP) Listen(addr string) (net.Listener, error) {
	config := net.ListenConfig{KeepAliveConfig: keepAlive}
	config.SetMultipathTCP(false) // Go's default for listeners; nobody dials us with it
	return config.Listen(context.Background(), "tcp", addr)
}

// Dial connects to a TCP port.
func (TCP) Dial(ctx context.Context, addr string) (net.Conn, error) {
	dialer := net.Dialer{KeepAliveConfig: keepAlive}
	return dialer.DialContext(ctx, "tcp", addr)
}
