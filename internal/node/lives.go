package node

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/wire"
)

// rebirthLeast and rebirthMost are the shortest and the longest pause between
// two lives. It doubles with every life.
const (
	rebirthLeast = 10 * time.Millisecond
	rebirthMost  = 3 * time.Second
)

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
