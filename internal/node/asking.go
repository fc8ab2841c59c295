package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/fsm"
)

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

// Resets is how often this replica has been emptied. What was read between two
// calls that agree was read from a whole state: Mark may return, and before its
// caller looks, the state is dropped.
func (n *Node) Resets() uint64 { return n.machine.Resets() }

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
			return n.notReady(err)
		}
		l := n.life.Load()
		if l != nil && err == nil && !l.replica.emptied.Load() { // else a life has ended, and the next begins
			if suffrage, ok := l.suffrage(); ok && suffrage == raft.Voter && l.isEstablished(ctx) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return n.notReady(gaveUp(ctx, fmt.Errorf("%w: this node has no vote yet that others know of", ErrTimeout)))
		case <-time.After(promotePause):
		}
	}
}

// notReady adds to an error that the cluster does not let this node in, if that
// is so.
func (n *Node) notReady(err error) error {
	if l := n.life.Load(); l != nil && !errors.Is(err, ErrClosed) {
		if reason := l.refusal.Load(); reason != nil {
			return fmt.Errorf("%w (the cluster does not let this node in: %s)", err, *reason)
		}
	}
	return err
}
