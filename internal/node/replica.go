package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/fsm"
	"github.com/inelpandzic/imdgo/snapshot"
)

// replica is the state machine as raft knows it, for one life.
type replica struct {
	id           raft.ServerID
	machine      *fsm.Machine
	clock        *clusterClock
	log          logStore
	store        snapshotStore
	durable      bool            // the state is written to disk
	ctx          context.Context // of the life
	term         func() uint64   // raft's
	failed       func(error)     // called once: what the log holds cannot be applied
	restored     func()          // called when the state has been replaced
	reconfigured func()          // called when a configuration is committed
	broken       bool            // on raft's goroutine only
	budget       int64           // for entries, in bytes, of this node
	logger       logger

	mu    sync.Mutex // held while an entry is applied, so that a cut is between two
	at    position
	votes bool        // this node has been given its vote, as far as has been applied here
	open  *replicaCut // that is being sent, or nil
	ended time.Time   // when the last one was

	coming  *incoming   // the state that is being built, or waits to be restored
	emptied atomic.Bool // the state has made room for one that has not come yet; set with mu held

	asOf    atomic.Pointer[asOf] // what the leader had committed when it was asked, nil before
	current atomic.Bool          // a stamp that is newer has been applied, or this node leads
}

// asOf is a leader's commit index in its term.
type asOf struct{ term, index uint64 }

// position is what a snapshot of the present state has to say of itself.
type position struct {
	index, term        uint64
	configuration      raft.Configuration
	configurationIndex uint64
}

// Apply implements raft.FSM. Raft takes no error from it, so after the first
// one nothing more is applied and the node is ended.
func (r *replica) Apply(log *raft.Log) any {
	if r.broken {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.emptied.Load() {
		return nil // the state that comes has it: see fit
	}
	if err := r.machine.Apply(log.Index, log.Data); err != nil {
		r.broken = true
		r.failed(err)
		return nil
	}
	r.at.index, r.at.term = log.Index, log.Term
	r.stamped(r.machine.Clock(), log.Index, log.Term)
	r.fit(0) // last: it may drop what has been applied, and its clock
	return nil
}

// place is how far has been applied. Raft's own entries do not count.
func (r *replica) place() place {
	r.mu.Lock()
	defer r.mu.Unlock()
	return place{r.at.index, r.at.term}
}

// stamped takes note of a stamp. Before this node has its vote it is catching
// up: stamps may be as old as the log is long, and who read by them would see
// what expired long ago. They only say what the time is at least.
//
// A node with a data directory may have been away for longer than that says
// anything, or everybody has: see present.
func (r *replica) stamped(stamp int64, index, term uint64) {
	switch {
	case r.durable && !r.present(index, term):
	case !r.durable && !r.votes:
		r.clock.restored(stamp)
	case term == r.term():
		r.clock.arrived(stamp)
	default:
		r.clock.arrivedLate(stamp)
	}
}

// present reports whether the entry is of the present, and not one that was
// logged before this node began: it is of the leader that was asked since, and
// was not committed then. Once there has been one, all are.
func (r *replica) present(index, term uint64) bool {
	if r.current.Load() {
		return true
	}
	then := r.asOf.Load()
	if then == nil || term != then.term || term != r.term() || index <= then.index {
		return false
	}
	r.current.Store(true)
	return true
}

// timely reports whether what is applied says what the time is now.
func (r *replica) timely() bool { return !r.durable || r.current.Load() }

// learned takes note of what a leader had committed when it was asked. An
// earlier answer in the same term is as true, and easier to get beyond.
func (r *replica) learned(term, commit uint64) {
	if then := r.asOf.Load(); then == nil || then.term != term {
		r.asOf.Store(&asOf{term, commit})
	}
}

// StoreConfiguration implements raft.ConfigurationStore. Raft counts such an
// entry as applied, and trims its log up to it, so a snapshot has to reach as
// far. Raft does not say its term, but the log does.
func (r *replica) StoreConfiguration(index uint64, configuration raft.Configuration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.emptied.Load() {
		return // likewise
	}
	var entry raft.Log
	if err := r.log.GetLog(index, &entry); err != nil {
		r.broken = true
		r.failed(fmt.Errorf("looking up the configuration at %d: %w", index, err))
		return
	}
	r.configured(position{index: index, term: entry.Term, configuration: configuration.Clone(), configurationIndex: index})
	r.reconfigured()
}

// configured notes a position with another configuration.
func (r *replica) configured(at position) {
	r.at = at
	for _, s := range at.configuration.Servers {
		r.votes = r.votes || s.ID == r.id && s.Suffrage == raft.Voter
	}
}

// Snapshot implements raft.FSM. In memory what it takes is a mark: see
// snapshot.Lazy. On disk it is the state of this moment.
func (r *replica) Snapshot() (raft.FSMSnapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.emptied.Load() {
		return nil, errEmptied
	}
	if !r.durable {
		return mark{}, nil
	}
	c, err := r.machine.Cut()
	if err != nil {
		return nil, err
	}
	// Raft's Shutdown must not meet a snapshot that is being taken.
	return &written{c, context.AfterFunc(r.ctx, func() { c.Abort(r.ctx.Err()) })}, nil
}

// written is a snapshot that is written to disk. While it is, what it has of
// entries that change stays in memory. Raft knows its place in the log.
type written struct {
	cut  *fsm.Cut
	stop func() bool
}

// Persist implements raft.FSMSnapshot.
func (w *written) Persist(sink raft.SnapshotSink) error { return snapshot.Persist(sink, w.cut) }

// Release implements raft.FSMSnapshot.
func (w *written) Release() {
	w.stop()
	w.cut.Close()
}

// mark is a snapshot that leaves no bytes.
type mark struct{}

// Persist implements raft.FSMSnapshot.
func (mark) Persist(sink raft.SnapshotSink) error { return snapshot.Mark(sink) }

// Release implements raft.FSMSnapshot.
func (mark) Release() {}

// Restore implements raft.FSM. The state has been built while it came, so
// nothing can go wrong any more. A reader sees the old one until then, or none.
func (r *replica) Restore(rc io.ReadCloser) error {
	in, ok := r.store.Received()
	if !ok {
		return errors.Join(errors.New("restoring a snapshot that was not received"), rc.Close())
	}
	s := in.(*incoming) // the store gets all of them from receive
	r.mu.Lock()
	r.machine.Adopt(s.builder)
	r.configured(s.at)
	r.coming = nil
	r.emptied.Store(false)
	r.mu.Unlock()
	r.restored()
	return rc.Close()
}

// cut takes the state between two entries.
func (r *replica) cut() (snapshot.Cut, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.emptied.Load() {
		return nil, errEmptied
	}
	c, err := r.machine.Cut()
	if err != nil {
		return nil, err
	}
	r.log.Pin(r.at.index)
	r.open = &replicaCut{Cut: c, replica: r, at: r.at}
	return r.open, nil
}

// replicaCut is a cut of the state machine that knows its place in the log. While
// it is open the log keeps what follows it.
type replicaCut struct {
	*fsm.Cut
	replica *replica
	at      position
}

// Meta implements snapshot.Cut.
func (c *replicaCut) Meta() (index, term uint64, configuration raft.Configuration, configurationIndex uint64) {
	return c.at.index, c.at.term, c.at.configuration.Clone(), c.at.configurationIndex
}

// Abort implements snapshot.Cut. What the cut holds goes at once: whoever sends
// it may be stuck in a connection for as long as that lasts.
func (c *replicaCut) Abort(err error) {
	c.Cut.Abort(err)
	c.end()
}

// Close implements snapshot.Cut.
func (c *replicaCut) Close() {
	c.Cut.Close()
	c.end()
}

func (c *replicaCut) end() {
	c.replica.mu.Lock()
	defer c.replica.mu.Unlock()
	if c.replica.open == c {
		c.replica.open, c.replica.ended = nil, time.Now()
		c.replica.log.Unpin()
	}
}
