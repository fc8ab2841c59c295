package node

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/wire"
)

const (
	// dialTimeout bounds reaching a node; on one network it takes a
	// millisecond, and a dead host never answers.
	dialTimeout = time.Second
	// raftTimeout bounds one exchange of raft's on a connection.
	raftTimeout = 5 * time.Second
	// stalledFor is how long a transfer of the state may stand still.
	stalledFor = 10 * time.Second
	// commitTimeout is after how long raft tells a follower what is committed, and
	// up to twice that. What news does is for before that, so all that is lost with
	// a longer one is processor time: 50 ms took one percent of a core.
	commitTimeout = 500 * time.Millisecond
	// shutdownTimeout bounds the wait for raft's goroutines.
	shutdownTimeout = 5 * time.Second
)

// life is one incarnation of a node: from the moment it is nobody yet until the
// node closes, or finds that this incarnation has no future.
type life struct {
	node *Node
	inc  wire.Incarnation
	// origin is who the operations of this life are from, for the tables of what
	// has been applied. It is the incarnation of a life that began in this process.
	//
	// The sequences of operations begin anew with every process. The schedule for
	// which a life that goes on has an origin of its own: a process hands over
	// sequences 1 to 9 and is killed. Its successor goes on with the incarnation
	// and hands over 1, another write. The replicas have the result of 1 of that
	// origin still, so the write would be answered by it and not applied; or the
	// part of the former process, which the leader still has, would be applied and
	// answer the callers of this one. It is not even enough to go on with a higher
	// sequence: nobody knows which was the highest that was handed over.
	origin  wire.Incarnation
	resumed bool // the life began in another process

	stores
	name       string // of the node: what others dial
	raft       *raft.Raft
	transport  *raft.NetworkTransport
	inbound    *inbound
	raftLog    *mutableLog
	stream     *wire.Stream
	logOver    chan struct{} // of one: the log has grown beyond its limit
	begun      atomic.Bool   // raft has goroutines of its own
	wanted     atomic.Bool   // a follower waits for the state, and the log is to be trimmed for it
	awaited    atomic.Int64  // bytes that a batch waits for the log to have room for
	severed    chan struct{} // closed when nobody can hear this life any more
	replica    *replica
	proposer   *proposer
	news       *news
	forwarding forwarders
	comers     comers
	refusal    atomic.Pointer[string] // why it is not let in, as things are
	leaving    atomic.Bool            // it has asked, or is about to ask, to be let go
	changed    chan struct{}          // the seeker, when the leader has changed

	mu        sync.Mutex // guards the promise and the attempt
	promise   promise
	attempt   attempt
	clusterID atomic.Uint64 // set once, under mu

	established atomic.Bool // see isEstablished

	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

func (l *life) cluster() wire.ClusterID { return wire.ClusterID(l.clusterID.Load()) }

// id is who this life is in raft's configuration, and its address there.
func (l *life) id() raft.ServerID { return raft.ServerID(l.address()) }

func (l *life) address() raft.ServerAddress { return wire.Address(l.name, l.inc) }

// begin starts a life that belongs to no cluster yet, or goes on with the one
// that is in the data directory.
func (n *Node) begin() (*life, error) {
	l := &life{node: n, inc: wire.NewIncarnation(), name: n.cfg.Name, severed: make(chan struct{}),
		changed: make(chan struct{}, 1), logOver: make(chan struct{}, 1), news: newNews()}
	l.origin = l.inc
	if n.home != nil {
		inc, cluster, err := n.home.whose()
		if err != nil {
			return nil, err
		}
		l.inc = inc
		l.clusterID.Store(uint64(cluster))
		if cluster == 0 { // it has been made just now, and was nobody's origin before
			l.origin = inc
		}
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.raftLog = &mutableLog{Logger: n.log.Named("raft")}
	l.stream = n.port.Stream(l.cluster, l.inc)
	term := func() uint64 { return l.raft.CurrentTerm() }
	l.inbound = newInbound(l.stream, term, n.log)
	l.transport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: l.inbound, MaxPool: 3, MaxRPCsInFlight: 2, Timeout: raftTimeout, Logger: l.raftLog})
	l.replica = &replica{id: l.id(), machine: n.machine, clock: n.clock, failed: n.fail, restored: n.restored, durable: n.home != nil, ctx: l.ctx, term: term,
		reconfigured: l.news.configured, budget: n.cfg.Budget.Entries, logger: n.log}
	l.inbound.refusal = l.replica.refusal
	if err := l.start(); err != nil {
		l.cancel()
		return nil, errors.Join(err, l.transport.Close())
	}
	l.proposer = newProposer(l)
	l.proposer.victims = int(min(victimsMost, max(n.cfg.Budget.Log/8, 1)))
	l.tasks.Go(l.watchLeader)
	l.tasks.Go(l.watchLeadership)
	l.tasks.Go(l.watchPipelines)
	l.tasks.Go(l.trimLog)
	l.tasks.Go(l.tellReads)
	return l, nil
}

// start opens the stores and has raft go on with what is in them.
func (l *life) start() (err error) {
	if l.resumed, err = l.openStores(); err != nil {
		return err
	}
	l.replica.log, l.replica.store = l.log, l.snapshots
	if err = l.startRaft(); err != nil {
		return errors.Join(fmt.Errorf("starting raft: %w", err), l.log.Close())
	}
	l.inbound.start()
	if l.files != nil {
		l.files.Started()
	}
	return nil
}

// startRaft makes an error of a panic: raft has no other way to say that it
// cannot read its log, or write its term.
func (l *life) startRaft() (err error) {
	defer func() {
		if p := recover(); p != nil && !l.begun.Load() {
			err = fmt.Errorf("%v", p)
		} else if p != nil {
			panic(p)
		}
	}()
	begun := func() { l.begun.Store(true) }
	l.raft, err = raft.NewRaft(raftConfig(l, l.raftLog), l.replica, attentive{l.log, l.replica}, l.stable, l.snapshots, transport{l.transport, l.ctx, l.stream.Dial, l.inbound, l.news, begun})
	return err
}

// raftConfig is raft's configuration. Its timers are the ones that survive a
// busy process: at a lease of 150 ms four spinning goroutines cost 18 elections
// in 10 s. It never takes a snapshot by itself, because it would count entries:
// that is for trimLog.
func raftConfig(l *life, log logger) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = l.id()
	c.Logger = log
	c.MaxAppendEntries = 64
	c.BatchApplyCh = false
	c.CommitTimeout = commitTimeout
	c.NoLegacyTelemetry = true
	c.ShutdownOnRemove = false // the seeker notices, and begins another life
	c.SnapshotThreshold = math.MaxUint64
	c.SnapshotInterval = 24 * time.Hour
	return c
}

// watchLeader tells everybody concerned when the leader changes. Observations
// are dropped when nobody takes them, so each one only says: look again.
func (l *life) watchLeader() {
	seen := make(chan raft.Observation, 16)
	observer := raft.NewObserver(seen, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.FailedHeartbeatObservation, raft.ResumedHeartbeatObservation:
			return true
		}
		return false
	})
	away := make(map[raft.ServerID]bool)
	l.raft.RegisterObserver(observer)
	defer l.raft.DeregisterObserver(observer)
	for {
		l.node.courier.leaderChanged()
		notify(l.changed)
		select {
		case <-l.ctx.Done():
			return
		case o := <-seen:
			l.report(o, away)
		}
	}
}

// report says once that a node cannot be reached, and that it can be again.
func (l *life) report(o raft.Observation, away map[raft.ServerID]bool) {
	switch data := o.Data.(type) {
	case raft.FailedHeartbeatObservation:
		if !away[data.PeerID] {
			away[data.PeerID] = true
			l.node.log.Warn("a node cannot be reached", "node", data.PeerID, "last-contact", data.LastContact)
		}
	case raft.ResumedHeartbeatObservation:
		delete(away, data.PeerID)
		l.node.log.Info("a node can be reached again", "node", data.PeerID)
	}
}

// watchLeadership runs the proposer while this node leads. The channel keeps
// only the latest value, so lost and regained looks like gained twice.
func (l *life) watchLeadership() {
	var done sync.WaitGroup
	stop := func() {}
	defer func() { stop(); done.Wait() }()
	for {
		select {
		case <-l.ctx.Done():
			return
		case leading := <-l.raft.LeaderCh():
			stop()
			done.Wait()
			if !leading {
				continue
			}
			ctx, cancel := context.WithCancel(l.ctx)
			stop = cancel
			done.Go(func() { l.proposer.lead(ctx) })
			done.Go(func() { l.keepBudgets(ctx) })
		}
	}
}

// leader returns who leads, as far as this node knows.
func (l *life) leader() (leader, bool) {
	address, _ := l.raft.LeaderWithID()
	if address == "" {
		return leader{}, false
	}
	addr, inc, err := wire.SplitAddress(address)
	if err != nil {
		return leader{}, false // not an address of ours: nobody can be reached there
	}
	return leader{life: l, addr: addr, inc: inc}, true
}

func (l *life) leads() bool { return l.raft.State() == raft.Leader }

// servers is the newest configuration that this node knows of.
func (l *life) servers() []raft.Server {
	f := l.raft.GetConfiguration()
	if f.Error() != nil {
		return nil // it never fails: it is a copy
	}
	return f.Configuration().Servers
}

// suffrage returns what this life is in the configuration, false if it is not there.
func (l *life) suffrage() (raft.ServerSuffrage, bool) {
	for _, s := range l.servers() {
		if s.ID == l.id() {
			return s.Suffrage, true
		}
	}
	return 0, false
}

// end stops everything and waits for it. The proposer first: an entry that raft
// has committed and not applied when it shuts down is never answered. Then the
// connections, because raft's Shutdown waits for exchanges on them.
func (l *life) end() {
	l.cancel()
	waitAtMost(shutdownTimeout, l.tasks.Wait)
	l.raftLog.mute()
	if err := l.transport.Close(); err != nil { // closes the stream, and with it every connection
		l.node.log.Debug("closing raft's transport", "error", err)
	}
	close(l.severed)
	waitAtMost(shutdownTimeout, l.inbound.wait)
	waitAtMost(shutdownTimeout, func() {
		if err := l.raft.Shutdown().Error(); err != nil {
			l.node.log.Warn("shutting raft down", "error", err)
		}
		if err := l.log.Close(); err != nil {
			l.node.log.Warn("closing the log", "error", err)
		}
	})
}

// waitAtMost runs f, and does not wait for it beyond d.
func waitAtMost(d time.Duration, f func()) {
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
	case <-time.After(d):
	}
}

// notify puts a token into a channel of one.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
