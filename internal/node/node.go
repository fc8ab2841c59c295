package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/forward"
	"github.com/inelpandzic/imdgo/fsm"
	"github.com/inelpandzic/imdgo/internal/command"
	"github.com/inelpandzic/imdgo/internal/wire"
)

// departTimeout bounds how long Close tries to leave the cluster in good order.
const departTimeout = time.Second

// rebirthLeast and rebirthMost are the shortest and the longest pause between
// two lives. It doubles with every life.
const (
	rebirthLeast = 10 * time.Millisecond
	rebirthMost  = 3 * time.Second
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
	Logger   hclog.Logger
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
	registrar chan struct{} // of one: taken while the configuration is changed

	life   atomic.Pointer[life] // nil between two lives, and at the end
	failed chan error           // of one: what ends the node

	seeking    context.CancelFunc // stops the search for clusters
	cancel     context.CancelFunc // stops everything else
	ctx        context.Context
	supervised chan struct{} // closed when the search has ended
	tasks      sync.WaitGroup

	left      atomic.Bool // the cluster, for good
	closeOnce sync.Once
	closeErr  error
}

// New starts a node. It returns without waiting for a leader. On an error
// nothing is left behind, except that the listener is the caller's to close.
func New(cfg Config) (*Node, error) {
	n := &Node{cfg: cfg, log: cfg.Logger,
		clock: newClusterClock(cfg.Clock), registrar: make(chan struct{}, 1),
		failed: make(chan error, 1), supervised: make(chan struct{})}
	if cfg.DataDir != "" {
		var err error
		if n.home, err = openHome(cfg.DataDir, cfg.Name); err != nil {
			return nil, err
		}
	}
	n.machine = fsm.New(n.deliver)
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
	n.tasks.Go(n.tickClock)
	go func() { defer close(n.supervised); n.supervise(seeking, l) }()
	return n, nil
}

// startAlone makes a node without members a cluster of its own, at once. So
// does one that goes on as the only voter of its cluster.
func (l *life) startAlone() error {
	if l.resumed {
		if suffrage, ok := l.suffrage(); ok && suffrage == raft.Voter && l.isLast() {
			return l.stand()
		}
		return nil
	}
	if len(l.node.cfg.Members) > 0 {
		return nil
	}
	return l.found(cmp.Or(l.cluster(), wire.NewClusterID()), nil)
}

// supervise begins another life when one has ended before its time.
func (n *Node) supervise(ctx context.Context, l *life) {
	for lives := 0; ; {
		ended := make(chan error, 1)
		searching, stop := context.WithCancel(ctx)
		go func() { ended <- l.seek(searching) }()
		var err error
		select {
		case err = <-ended:
			stop()
		case err := <-n.failed:
			stop()
			<-ended
			n.stop(l, err)
			return
		}
		if err == nil {
			return
		}
		n.log.Warn("beginning another life", "incarnation", l.inc, "reason", err)
		// A life that ended at once would have the next one end at once.
		pause(ctx, min(rebirthMost, rebirthLeast<<min(lives, 10)))
		lives++
		next, err := n.rebirth(l, err)
		if err != nil {
			n.stop(nil, err)
			return
		}
		l = next
	}
}

// stop ends a node that cannot go on, before it is closed. Its replica is not
// what the others have, so it serves no reads, and it takes part in nothing.
func (n *Node) stop(l *life, err error) {
	n.log.Error("this node has stopped", "error", err)
	n.outbox.fail(fmt.Errorf("%w: %w", ErrClosed, err), fmt.Errorf("%w: %w: %w", ErrUnknownOutcome, ErrClosed, err), true)
	n.life.Store(nil)
	if l != nil {
		l.end()
	}
	n.machine.Reset()
	n.clock.reset()
}

// rebirth ends a life and begins the next. What was handed over in the old one
// cannot be told from it any more, because an origin is an incarnation; what
// was not goes on in the new one.
func (n *Node) rebirth(l *life, reason error) (*life, error) {
	n.life.Store(nil)
	l.end()
	n.outbox.fail(ErrClosed, fmt.Errorf("%w: %w", ErrUnknownOutcome, reason), false)
	n.machine.Reset()
	n.clock.reset()
	if n.home != nil {
		n.home.renounce()
	}
	next, err := n.begin()
	if err == nil {
		n.life.Store(next)
	}
	return next, err
}

// fail ends the node: its replica could not go on.
func (n *Node) fail(err error) {
	select {
	case n.failed <- err:
	default: // the first one counts
	}
}

func (n *Node) tickClock() {
	ticker := time.NewTicker(coarseTick)
	defer ticker.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-ticker.C:
			n.clock.tick()
		}
	}
}

// deliver hears what the state machine has applied.
func (n *Node) deliver(origin, first uint64, results []command.Result, stamp int64) {
	if l := n.life.Load(); l != nil && origin == uint64(l.origin) {
		n.clock.asked(stamp)
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
		n.outbox.restored(func(first uint64, count int) ([]command.Result, bool) {
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

// identity is who this node is now, for the port.
func (n *Node) identity() (wire.ClusterID, wire.Incarnation) {
	l := n.life.Load()
	if l == nil {
		return 0, 0
	}
	return l.cluster(), l.inc
}

// admit decides about a connection from outside.
func (n *Node) admit(pre wire.Preamble) wire.Refusal {
	l := n.life.Load()
	if l == nil {
		return wire.ShuttingDown
	}
	switch pre.Purpose {
	case wire.Raft:
		return l.admitRaft(pre)
	case wire.Forward:
		if pre.Target != l.inc {
			return wire.WrongIncarnation
		}
		if pre.Cluster == 0 || pre.Cluster != l.cluster() {
			return wire.WrongCluster
		}
		if !l.isMember(pre.Origin) && !l.forwarding.takesStranger(pre.Origin) {
			return wire.Busy
		}
	}
	return wire.Admitted
}

// serve has a connection from outside served.
func (n *Node) serve(pre wire.Preamble, conn net.Conn) {
	switch pre.Purpose {
	case wire.Probe, wire.Join:
		n.serveControl(conn)
	case wire.Forward:
		l := n.life.Load()
		if l == nil || l.inc != pre.Target {
			return // the life that admitted it has ended since
		}
		stop := context.AfterFunc(l.ctx, func() { _ = conn.Close() }) // with the life that admitted it
		defer stop()
		defer l.onlyOne(pre.Origin, conn)()
		if err := forward.Serve(conn, uint64(pre.Origin), l.proposer.submit); err != nil {
			n.log.Debug("a forwarding connection ended", "error", err)
		}
	}
}

// Leave takes the node out of its cluster for good, handing leadership over
// first, and closes it. If the cluster could not be told before ctx ends, the
// node is closed all the same, and the error says so.
func (n *Node) Leave(ctx context.Context) error {
	if n.ctx.Err() != nil {
		return ErrClosed
	}
	err := n.depart(ctx)
	if err == nil {
		n.left.Store(true)
	}
	return errors.Join(err, n.Close())
}

// Close ends the node and waits for everything it started. A node whose memory
// is all it has can never come back as who it was, so it leaves the cluster, if
// that takes no longer than a second. One with a data directory stays a member,
// and only hands over what it leads.
func (n *Node) Close() error {
	n.closeOnce.Do(func() {
		ctx, cancel := context.WithTimeout(n.ctx, departTimeout)
		defer cancel()
		part := n.depart
		if n.home != nil {
			part = n.resign
		}
		if err := part(ctx); err != nil {
			n.log.Debug("closing without having left", "error", err)
		}
		n.closeErr = n.shutDown()
	})
	return n.closeErr
}

// depart stops the search first: a life that is being taken out of its cluster
// must not wonder why, and begin another.
func (n *Node) depart(ctx context.Context) error {
	n.seeking()
	<-n.supervised
	l := n.life.Load()
	if l == nil {
		return nil
	}
	return l.depart(ctx)
}

// resign hands leadership over, if this node has it and there is somebody.
func (n *Node) resign(ctx context.Context) error {
	n.seeking()
	<-n.supervised
	l := n.life.Load()
	if l == nil || !l.leads() || l.isLast() {
		return nil
	}
	if err := l.handOver(ctx); !errors.Is(err, errHandedOver) {
		return err
	}
	return nil
}

// closeHome lets other processes use the data directory, which is empty if the
// node has left its cluster.
func (n *Node) closeHome() error {
	if n.home == nil {
		return nil
	}
	var err error
	if n.left.Load() {
		err = n.home.forget()
	}
	return errors.Join(err, n.home.close())
}

func (n *Node) shutDown() error {
	n.outbox.fail(ErrClosed, fmt.Errorf("%w: %w", ErrUnknownOutcome, ErrClosed), true)
	n.cancel()
	l := n.life.Swap(nil)
	n.courier.leaderChanged() // frees a send that hangs
	n.tasks.Wait()
	if l != nil {
		l.end()
	}
	err := n.port.Close()
	n.machine.Reset()
	n.clock.reset()
	return errors.Join(err, n.closeHome())
}

// Table returns the map of this name.
func (n *Node) Table(name string) *fsm.Table { return n.machine.Table(name) }

// Do has one operation of about size bytes logged and waits until this replica
// has applied it. A context without a deadline is bounded by the node's timeout.
func (n *Node) Do(ctx context.Context, size int, encode Encode) (Outcome, error) {
	return n.outbox.do(ctx, size, encode)
}

// Mark returns when this replica has applied everything that was acknowledged
// anywhere before it was called.
func (n *Node) Mark(ctx context.Context) error {
	_, err := n.outbox.mark(ctx)
	return err
}

// Passed reports whether a deadline has passed for a local read.
func (n *Node) Passed(deadline int64) bool { return deadline != 0 && n.clock.passed(deadline) }

// PassedApplied reports whether a deadline has passed on the applied clock,
// which linearizable reads are judged by.
func (n *Node) PassedApplied(deadline int64) bool {
	return deadline != 0 && deadline <= n.machine.Clock()
}

// Remaining is how long a deadline is away, as local reads see it.
func (n *Node) Remaining(deadline int64) time.Duration {
	return time.Duration(deadline - n.clock.now())
}

// Cluster is the cluster that this node is in, 0 while it is in none. A cluster
// that is begun anew, because too many had lost their memory, is another one.
func (n *Node) Cluster() uint64 {
	if l := n.life.Load(); l != nil {
		return uint64(l.cluster())
	}
	return 0
}

// Now is the node's wall clock.
func (n *Node) Now() time.Time { return n.cfg.Clock.Now() }

// StateHash is the digest of the replica's state at a log index.
func (n *Node) StateHash() (index, hash uint64) { return n.machine.Hash() }

// Ready waits until there is a leader, this replica has applied what was
// acknowledged before, and this node has its vote, which the other voters know.
func (n *Node) Ready(ctx context.Context) error {
	ctx, cancel := n.outbox.bound(ctx)
	defer cancel()
	for {
		err := n.Mark(ctx)
		if err != nil && (ctx.Err() != nil || !errors.Is(err, ErrUnknownOutcome) || errors.Is(err, ErrClosed)) {
			return err
		}
		if l := n.life.Load(); l != nil && err == nil { // else a life has ended, and the next begins
			if suffrage, ok := l.suffrage(); ok && suffrage == raft.Voter && l.isEstablished(ctx) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return gaveUp(ctx, fmt.Errorf("%w: this node has no vote yet that others know of", ErrTimeout))
		case <-time.After(promotePause):
		}
	}
}
