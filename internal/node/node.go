package node

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/inelpandzic/imdgo/forward"
	"github.com/inelpandzic/imdgo/fsm"
	"github.com/inelpandzic/imdgo/internal/command"
	"github.com/inelpandzic/imdgo/internal/wire"
)

// Config is what a node is made of.
type Config struct {
	// Name is what others dial to reach this node, and who it is among Members.
	Name string
	// Members are the addresses of the cluster, sorted. None: the node is alone.
	Members []string
	// Listener is open already. Nil: the node has no port.
	Listener net.Listener
	Network  wire.Network
	Clock    Clock
	// Timeout bounds a call whose context has no deadline.
	Timeout time.Duration
	// DataDir is where the node keeps what it must not forget. Empty: nowhere.
	DataDir string
	// LogLimit is how many bytes Raft's log may take.
	LogLimit int64
	// Budget is what the node can give.
	Budget Budget
	// Decoded is how many bytes the values may take that readers have decoded.
	Decoded int64
	Logger  hclog.Logger
}

// Node is one node of a cluster, through all its lives.
type Node struct {
	cfg       Config
	home      *home // nil: everything is in memory
	log       logger
	port      *wire.Port
	machine   *fsm.Machine
	clock     *clusterClock
	outbox    *outbox
	courier   *courier
	forwarded *forward.Server // what others hand over to this node
	registrar chan struct{}   // of one: taken while the configuration is changed

	life   atomic.Pointer[life] // nil between two lives, and at the end
	failed chan error           // of one: what ends the node

	seeking    context.CancelFunc // stops the search for clusters
	cancel     context.CancelFunc // stops everything else
	ctx        context.Context
	supervised chan struct{} // closed when the search has ended
	tasks      sync.WaitGroup

	shunned   shunned
	closing   atomic.Bool // it has begun to close, and must not be made leader
	left      atomic.Bool // the cluster, for good
	closeOnce sync.Once
	closeErr  error
}

// New starts a node. It returns without waiting for a leader. On an error
// nothing is left behind, except that the listener is the caller's to close.
func New(cfg Config) (*Node, error) {
	n := &Node{cfg: cfg, log: cfg.Logger,
		clock: newClusterClock(cfg.Clock), forwarded: forward.NewServer(), registrar: make(chan struct{}, 1),
		failed: make(chan error, 1), supervised: make(chan struct{})}
	if cfg.DataDir != "" {
		var err error
		if n.home, err = openHome(cfg.DataDir, cfg.Name); err != nil {
			return nil, advised(err, cfg.DataDir)
		}
	}
	n.machine = fsm.New(n.deliver)
	n.machine.LimitDecoded(cfg.Decoded)
	n.outbox = newOutbox(n.clock, cfg.Timeout)
	n.courier = &courier{out: n.outbox, leader: n.leader, log: n.log}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.port = wire.Open(wire.Config{Network: cfg.Network, Listener: cfg.Listener, Addr: cfg.Name,
		Identity: n.identity, Admit: n.admit, Serve: n.serve, Logger: n.log.Named("wire")})
	l, err := n.begin()
	if err == nil {
		n.life.Store(l)
		err = l.startAlone()
	}
	if err != nil {
		n.cancel()
		if l != nil {
			l.end()
		}
		return nil, errors.Join(err, n.port.Close(), n.closeHome())
	}
	seeking, stop := context.WithCancel(n.ctx)
	n.seeking = stop
	n.tasks.Go(func() { n.courier.run(n.ctx) })
	n.tasks.Go(func() { n.clock.run(n.ctx) })
	go func() { defer close(n.supervised); n.supervise(seeking, l) }()
	return n, nil
}

// fail ends the node: its replica could not go on.
func (n *Node) fail(err error) {
	select {
	case n.failed <- err:
	default: // the first one counts
	}
}

// deliver hears what the state machine has applied.
func (n *Node) deliver(origin, first uint64, results []command.Result, stamp int64) {
	if l := n.life.Load(); l != nil && origin == uint64(l.origin) {
		n.outbox.applied(first, results, stamp)
	}
}

// restored hears that this replica was given a state whose making it has not
// seen. What was asked for here may be in it.
func (n *Node) restored() {
	if l := n.life.Load(); l != nil {
		if l.replica.timely() {
			n.clock.restored(n.machine.Clock())
		}
		n.outbox.restored(n.machine.Clock(), func(first uint64, count int) ([]command.Result, bool) {
			return n.machine.Answered(uint64(l.origin), first, count)
		})
	}
}

func (n *Node) leader() (leader, bool) {
	l := n.life.Load()
	if l == nil {
		return leader{}, false
	}
	return l.leader()
}
