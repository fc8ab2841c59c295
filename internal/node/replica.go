package node

import (
	"errors"
	"io"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/fsm"
)

// replica is the state machine as raft knows it, for one life.
type replica struct {
	machine *fsm.Machine
	clock   *clusterClock
	term    func() uint64
	failed  func(error) // called once: what the log holds cannot be applied
	broken  bool        // on raft's goroutine only
}

var errNoSnapshots = errors.New("the log is kept whole, there are no snapshots")

// Apply implements raft.FSM. Raft takes no error from it, so after the first
// one nothing more is applied and the node is ended.
func (r *replica) Apply(log *raft.Log) any {
	if r.broken {
		return nil
	}
	if err := r.machine.Apply(log.Index, log.Data); err != nil {
		r.broken = true
		r.failed(err)
		return nil
	}
	if stamp := r.machine.Clock(); log.Term == r.term() {
		r.clock.arrived(stamp)
	} else {
		r.clock.arrivedLate(stamp)
	}
	return nil
}

// Snapshot implements raft.FSM. Nothing asks for one: see raftConfig.
func (r *replica) Snapshot() (raft.FSMSnapshot, error) { return nil, errNoSnapshots }

// Restore implements raft.FSM. Nobody sends one.
func (r *replica) Restore(rc io.ReadCloser) error {
	return errors.Join(errNoSnapshots, rc.Close())
}
