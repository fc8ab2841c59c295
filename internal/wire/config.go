package wire

import (
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
)

// The defaults of Config.
const (
	DefaultMaxHandshakes    = 256
	DefaultMaxConns         = 1024
	DefaultMaxRaftConns     = 256
	DefaultHandshakeTimeout = 2 * time.Second
)

// Config says how a Port is reached and who decides what it admits. Open copies it.
type Config struct {
	// Network is what Dial goes through. nil: TCP.
	Network Network
	// Listener is open already and belongs to the Port from Open on. nil: a node without a port, which is never dialed.
	Listener net.Listener
	// Addr is what others dial to reach this node, host:port.
	Addr string

	// Identity says who this node is at this moment; it goes into the reply to every preamble. It must not block.
	// nil: nobody yet.
	Identity func() (ClusterID, Incarnation)
	// Admit is the node's decision on an inbound preamble of any known purpose. It must not block. See the package comment for
	// what its verdict is worth a moment later. nil: everything is admitted.
	Admit func(Preamble) Refusal
	// Serve is called in the connection's own goroutine for Forward, Join and Probe; deadlines are the server's own from then
	// on. The Port closes the connection when Serve returns, and Close of the Port waits for that, so Serve must return when
	// its connection fails, and must not close the Port. nil: only Raft is served.
	Serve func(Preamble, net.Conn)

	// MaxHandshakes is how many accepted connections may have an unfinished preamble. For one more the oldest is closed,
	// unless it came within the last 25 ms: then the next one waits. 0: 256.
	MaxHandshakes int
	// MaxConns is how many admitted inbound connections for Forward, Join and Probe there may be together. Further ones
	// are refused with Busy. 0: 1024.
	MaxConns int
	// MaxRaftConns is the same for Raft, counted apart so that no number of others keeps Raft out. A node of the cluster
	// needs about five; raft holds a buffer of 256 KiB for each. 0: 256.
	MaxRaftConns int
	// HandshakeTimeout is how long the exchange of preamble and reply may take, on either side. 0: 2 s.
	HandshakeTimeout time.Duration

	// Logger hears of refusals and failing accepts, at debug level and nothing above. nil: silence.
	Logger hclog.Logger
}

func (c Config) withDefaults() Config {
	c = c.withLimits()
	if c.Network == nil {
		c.Network = TCP{}
	}
	if c.Identity == nil {
		c.Identity = func() (ClusterID, Incarnation) { return 0, 0 }
	}
	if c.Admit == nil {
		c.Admit = func(Preamble) Refusal { return Admitted }
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	return c
}

func (c Config) withLimits() Config {
	orDefault := func(n *int, d int) {
		if *n <= 0 {
			*n = d
		}
	}
	orDefault(&c.MaxHandshakes, DefaultMaxHandshakes)
	orDefault(&c.MaxConns, DefaultMaxConns)
	orDefault(&c.MaxRaftConns, DefaultMaxRaftConns)
	if c.HandshakeTimeout <= 0 {
		c.HandshakeTimeout = DefaultHandshakeTimeout
	}
	return c
}
