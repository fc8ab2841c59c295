package node

import (
	"errors"
	"fmt"
	"math"

	"github.com/hashicorp/raft"
)

// errEmptied is why a node without a state does not do what takes one.
var errEmptied = errors.New("this node has dropped its state for one that is on its way")

// leadLeast is by how many entries a state must be ahead of a node's log for the
// node to drop its own for it. The schedule: the leader that sent it dies, and of
// three the other one takes over, which may not know of the last entries that they
// are committed, and never will without this node. If they were in this node's log,
// the state that it has to send would be too old to be taken. There is a batch of
// them, as the next one is logged when it has been applied, and what raft and this
// package log beside batches.
const leadLeast = 8

// fit drops the state in use if there is no room for it beside the one that comes,
// which takes so many bytes at least. The caller holds mu.
//
// Raft does not know. If the state then does not come to its end it believes that
// this node has applied all that it had, while it has nothing. What keeps that from
// doing harm follows from when the state is dropped: only for one that is of a later
// place, by the rule of raft's votes, than the last entry of this node's log.
//
//  1. The log stays as it was, see attentive: what this node has promised by its
//     votes and by what it has said that it has still holds, so it goes on voting.
//  2. The state that comes is committed, and its last entry is not in the log. So
//     this node wins no election (Raft's Leader Completeness), and should raft
//     believe otherwise its first entry is not stored, which ends its leadership.
//  3. Whatever of the log is committed is in the state that comes: committed entries
//     above that would be of its term or a later one, and there are none in the log.
//     So entries that raft has queued to be applied, or that a leader says are
//     committed, are passed over. (Raft hands the state machine up to 128 batches
//     ahead, and begins to receive a state while they are being applied.)
//  4. Appends are refused so that the leader sends its state, see refusal. One that
//     has lost the connection sends it again; another one may send a state that is
//     older. It is taken only if it is of no earlier place than the log ends, and
//     then 3 holds for it as well. Raft removes the log when it has been restored,
//     and an entry that this node has said it has must not be lost in that way.
//
// A state that is not well ahead of the log is built beside the former one however
// large it is: one that a leader sends to a node with a tail that nobody else has, or
// where the log is trimmed to a few entries.
//
// Readers miss from then on, which is what a cache may do; nobody may be told that
// something is not there. So whoever waits for this replica to apply something waits
// until the state has come.
func (r *replica) fit(atLeast int64) {
	if r.coming == nil || r.emptied.Load() {
		return
	}
	used := r.machine.Account().Used
	if used == 0 || used+max(atLeast, r.coming.account.Used) <= r.budget {
		return
	}
	if last, at := r.last(), r.coming.at; !last.before(at) || last.index+leadLeast > at.index {
		return
	}
	r.emptied.Store(true)
	r.machine.Reset()
	r.logger.Info("this node's state makes room for the one that it is being sent, and its reads miss until that is complete",
		"bytes", used, "index", r.at.index, "sent", r.coming.at.index)
}

// last is the place of the last entry of the log, or of the state if that is later.
func (r *replica) last() position {
	var entry raft.Log
	if index, err := r.log.LastIndex(); err != nil || index < r.at.index {
		return r.at
	} else if r.log.GetLog(index, &entry) != nil {
		return position{term: math.MaxUint64} // it cannot be read: nothing is later
	}
	return position{index: entry.Index, term: entry.Term}
}

// before compares as raft does when it is asked for its vote.
func (p position) before(q position) bool {
	return p.term < q.term || p.term == q.term && p.index < q.index
}

// refusal is the answer to an append while there is no state, false when raft is to
// answer. It has the leader go back to the first entry there is; where it does not
// have that any more it sends its state. Where it has, it is asked to trim its log,
// see provide, and meanwhile not to come back at once. Heartbeats go to raft, so
// that it sees that there is a leader.
func (r *replica) refusal(c any) (raft.RPCResponse, bool) {
	q, ok := c.(*raft.AppendEntriesRequest)
	if !ok || isHeartbeat(q) || !r.emptied.Load() {
		return raft.RPCResponse{}, false
	}
	return raft.RPCResponse{Response: &raft.AppendEntriesResponse{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax},
		Term: r.term(), NoRetryBackoff: q.PrevLogEntry > 0}}, true
}

// waiting reports whether there is no state and none is coming, and where the log ends.
func (r *replica) waiting() (last position, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.emptied.Load() || r.coming != nil {
		return position{}, false
	}
	return r.last(), true
}

// provide sees to it that raft sends the state to a follower that has none and
// refuses what its log does not lead on from. Raft would send the log if that begins
// at the beginning, as it may here although it did not where the state was sent from
// that has not come. And with a data directory it would send the newest snapshot,
// which may be older than the follower's log.
func (l *life) provide(q *question) error {
	if !l.leads() {
		return errors.New("this node does not lead")
	}
	first, err := l.log.FirstIndex()
	if err != nil {
		return fmt.Errorf("looking where the log begins: %w", err)
	}
	old := false
	if l.files != nil {
		newest := l.files.Newest()
		old = position{index: newest.Index, term: newest.Term}.before(position{index: q.Index, term: q.Term})
	}
	if first == 1 || old {
		l.wanted.Store(true)
		notify(l.logOver)
	}
	return nil
}

// attentive is the log as raft sees it. While there is no state it does not change.
//
// The schedule it is for, beside those that cannot be: an append waits for raft while
// that receives a state; the state is dropped, the transfer breaks off, and raft takes
// the append, which inbound had let pass.
type attentive struct {
	logStore
	replica *replica
}

// IsMonotonic implements raft.MonotonicLogStore.
func (a attentive) IsMonotonic() bool {
	m, ok := a.logStore.(raft.MonotonicLogStore)
	return ok && m.IsMonotonic()
}

// StoreLog implements raft.LogStore.
func (a attentive) StoreLog(log *raft.Log) error { return a.StoreLogs([]*raft.Log{log}) }

// StoreLogs implements raft.LogStore.
func (a attentive) StoreLogs(logs []*raft.Log) error {
	if a.replica.emptied.Load() {
		return errEmptied
	}
	return a.logStore.StoreLogs(logs)
}

// DeleteRange implements raft.LogStore.
func (a attentive) DeleteRange(lowest, highest uint64) error {
	if a.replica.emptied.Load() {
		return errEmptied
	}
	return a.logStore.DeleteRange(lowest, highest)
}
