package node

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo/internal/command"
)

// wait asks for an operation with a context that has no deadline, and says when the
// call has returned.
func (b *bench) wait(ctx context.Context, then func(took time.Duration, err error)) {
	began := time.Now()
	b.calls.Go(func() {
		_, err := b.do(ctx, 10, set)
		then(time.Since(began), err)
	})
	synctest.Wait()
}

func TestWhoHasNoDeadlineWaitsForTheNodesTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		gaveUp := func(took time.Duration, err error) {
			b.wants(err, ErrNoLeader, context.DeadlineExceeded)
			if took != time.Minute {
				t.Errorf("gave up after %v", took)
			}
		}
		for range 3 { // of one part, each at its own time
			b.wait(context.Background(), gaveUp)
			time.Sleep(10 * time.Second)
		}
		b.calls.Wait()
		b.none()
		b.wait(context.Background(), func(took time.Duration, err error) {
			b.wants(err, ErrUnknownOutcome, context.DeadlineExceeded)
			if took != time.Minute {
				t.Errorf("gave up after %v", took)
			}
		})
		b.handed()
		b.calls.Wait()
	})
}

func TestSomebodyElsesTimeoutEndsNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.wait(context.Background(), func(_ time.Duration, err error) { b.wants(err, ErrUnknownOutcome) })
		time.Sleep(30 * time.Second)
		b.wait(context.Background(), func(_ time.Duration, err error) { b.wants(err) })
		b.call(time.Hour, set, func(_ Outcome, err error) { b.wants(err) })
		p := b.handed()
		time.Sleep(45 * time.Second)
		b.apply(p, command.Applied)
		b.calls.Wait()
	})
}

func TestAContextThatIsCancelledEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		ctx, cancel := context.WithCancel(context.Background())
		b.wait(ctx, func(took time.Duration, err error) {
			b.wants(err, ErrNoLeader, context.Canceled)
			if took != time.Second {
				t.Errorf("gave up after %v", took)
			}
		})
		time.Sleep(time.Second)
		cancel()
		b.calls.Wait()
	})
}

// The schedule: a part is handed over, the way to the leader breaks, and it is
// handed over again. One copy is applied while the other lies in the queue of a
// proposer on this node, and callers come who write into the memory of the part.
func TestMemoryIsNotUsedAgainWhileACopyMayLieInAQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.call(time.Minute, setOf("first"), ignore)
		once := b.handed()
		b.takeBack(b.route)
		again := b.handed()
		was := string(once.Ops)
		b.apply(again, command.Applied)
		b.call(time.Minute, setOf("other"), ignore)
		if string(once.Ops) != was {
			t.Errorf("the copy has become %q", once.Ops)
		}
		b.apply(b.handed(), command.Applied)
		b.calls.Wait()
	})
}

func TestAPartTakesOverTheMemoryOfOneThatIsApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.call(time.Minute, setOf("first"), ignore)
		first := b.handed()
		b.apply(first, command.Applied)
		b.call(time.Minute, setOf("other"), ignore)
		if second := b.handed(); &second.Ops[0] != &first.Ops[0] {
			t.Error("it has memory of its own")
		} else {
			b.apply(second, command.Applied)
		}
		b.calls.Wait()
	})
}

func TestCallersWhoDoNotComeBackAreWaitedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		for range gatherFrom {
			b.call(time.Minute, set, ignore)
		}
		b.apply(b.handed(), command.Applied)
		b.calls.Wait()
		if !b.gather() || b.gather() {
			t.Error("not waited for, or for ever")
		}
	})
}
