package node

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo/internal/command"
)

// bench is an outbox with a leader that is played by the test.
type bench struct {
	*testing.T
	*outbox
	route *route
	calls sync.WaitGroup
}

func newBench(t *testing.T) *bench {
	clock := &clusterClock{source: bubbleClock{time.Now()}}
	clock.set(int64(time.Hour))
	return &bench{T: t, outbox: newOutbox(clock, time.Minute), route: new(route)}
}

// bubbleClock is the clock of a synctest bubble.
type bubbleClock struct{ start time.Time }

func (bubbleClock) Now() time.Time           { return time.Now() }
func (c bubbleClock) Elapsed() time.Duration { return time.Since(c.start) }
func set(dst []byte, patience uint64) []byte { return setOf("v")(dst, patience) }
func ignore(Outcome, error)                  {}
func within(d time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	return ctx, cancel
}

func setOf(value string) Encode {
	return func(dst []byte, patience uint64) []byte {
		return command.AppendSet(dst, command.Set, patience, command.Target{Name: "m"}, "k", command.TTL{}, []byte(value))
	}
}

// call asks for an operation and hands what became of it to then.
func (b *bench) call(d time.Duration, encode Encode, then func(Outcome, error)) {
	b.calls.Go(func() {
		ctx, cancel := within(d)
		defer cancel()
		then(b.do(ctx, 10, encode))
	})
	synctest.Wait()
}

// handed returns the next part that a leader would get.
func (b *bench) handed() command.Part {
	b.Helper()
	p, ok := b.hand(b.route)
	if !ok {
		b.Fatal("nothing was handed over")
	}
	if err := p.Check(); err != nil {
		b.Fatalf("handed over what no leader would take: %v", err)
	}
	return p
}

func (b *bench) none() {
	b.Helper()
	if p, ok := b.hand(b.route); ok {
		b.Fatalf("sequences %d+%d were handed over", p.First, p.Count)
	}
}

// apply plays that this replica has applied p.
func (b *bench) apply(p command.Part, code command.Code) {
	results := make([]command.Result, p.Count)
	for i := range results {
		results[i] = command.Result{Code: code, Version: p.First + uint64(i)}
	}
	b.applied(p.First, results, 42)
	synctest.Wait()
}

func (b *bench) wants(err error, wanted ...error) {
	b.Helper()
	for _, w := range wanted {
		if !errors.Is(err, w) {
			b.Errorf("got error %v, want %v", err, w)
		}
	}
	if len(wanted) == 0 && err != nil {
		b.Errorf("got error %v", err)
	}
}

func kindsOf(t *testing.T, p command.Part) (kinds []command.Kind) {
	ops, op := command.ReadOps(p.Ops), command.Op{}
	for ops.Next(&op) {
		kinds = append(kinds, op.Kind)
	}
	if ops.Err() != nil {
		t.Fatal(ops.Err())
	}
	return kinds
}

func TestCallsOfOneMomentTravelTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var versions [3]uint64
		for i := range versions {
			b.call(time.Second, set, func(o Outcome, err error) {
				b.wants(err)
				versions[i] = o.Version
			})
		}
		p := b.handed()
		if p.Count != 3 || p.Low != p.First {
			t.Errorf("part of %d operations from %d with lowest %d", p.Count, p.First, p.Low)
		}
		b.none()
		b.apply(p, command.Applied)
		b.calls.Wait()
		if versions != [3]uint64{1, 2, 3} {
			t.Errorf("results %v", versions)
		}
	})
}

func TestWhatWasNeverHandedOverIsNeverApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.call(time.Second, set, func(_ Outcome, err error) { b.wants(err, ErrNoLeader, context.DeadlineExceeded) })
		b.call(time.Minute, set, func(_ Outcome, err error) { b.wants(err) })
		time.Sleep(2 * time.Second) // of the bubble: the first one gives up
		p := b.handed()
		if kinds := kindsOf(t, p); len(kinds) != 2 || kinds[0] != command.Nothing || kinds[1] != command.Set {
			t.Errorf("handed over %v", kinds)
		}
		b.apply(p, command.Applied)
		b.calls.Wait()
	})
}

func TestAKnownLeaderThatHasNoTimeIsATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.leader.Store(true)
		b.call(time.Second, set, func(_ Outcome, err error) { b.wants(err, ErrTimeout, context.DeadlineExceeded) })
		b.calls.Wait()
		b.none()
	})
}

func TestWhatWasHandedOverHasAnUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.call(time.Second, set, func(_ Outcome, err error) { b.wants(err, ErrUnknownOutcome, context.DeadlineExceeded) })
		first := b.handed()
		b.calls.Wait()
		// Nobody waits for it, so the next part says that it has been answered:
		// a copy of it that is still on its way is not applied any more.
		b.call(time.Second, set, ignore)
		if next := b.handed(); next.Low <= first.First {
			t.Errorf("lowest sequence %d after %d was given up", next.Low, first.First)
		}
		b.calls.Wait()
	})
}

func TestARefusalTakesTheHandingOverBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.call(time.Second, set, func(_ Outcome, err error) { b.wants(err, ErrNoLeader) })
		b.refused(b.route, b.handed().First, command.NotLeader)
		b.calls.Wait()
		b.none()
	})
}

func TestALostBatchIsHandedOverAgainAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.call(time.Minute, set, func(_ Outcome, err error) { b.wants(err) })
		first := b.handed()
		b.refused(b.route, first.First, command.Lost)
		again := b.handed()
		if string(again.Ops) != string(first.Ops) || again.First != first.First || again.Base != first.Base {
			t.Errorf("handed over %+v, then %+v", first, again)
		}
		b.apply(again, command.Applied)
		b.calls.Wait()
	})
}

// The schedule: a leader logs the part and dies, the connection breaks; the
// next leader refuses it, since it leads no more. The first may still have it.
func TestARefusalDoesNotUndoAnEarlierHandingOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.call(time.Second, set, func(_ Outcome, err error) { b.wants(err, ErrUnknownOutcome) })
		b.handed()
		b.takeBack(b.route)
		b.refused(b.route, b.handed().First, command.NotLeader)
		b.calls.Wait()
	})
}

func TestARefusalOfAFormerRouteChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.call(time.Second, set, func(_ Outcome, err error) { b.wants(err, ErrUnknownOutcome) })
		p := b.handed()
		b.refused(new(route), p.First, command.NotLeader)
		b.none()
		b.calls.Wait()
	})
}

func TestOnlySoManyPartsAreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var parts []command.Part
		for range inFlight {
			b.call(time.Minute, set, ignore)
			parts = append(parts, b.handed())
		}
		b.call(time.Minute, set, ignore)
		b.none()
		b.apply(parts[1], command.Applied) // out of order is fine
		last := b.handed()
		if last.Low != parts[0].First {
			t.Errorf("lowest sequence %d while %d is unanswered", last.Low, parts[0].First)
		}
		for _, p := range []command.Part{parts[0], parts[2], parts[3], last} {
			b.apply(p, command.Applied)
		}
		b.calls.Wait()
	})
}

func TestTooLateIsAskedAnewWhileThereIsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.call(time.Minute, set, func(o Outcome, err error) {
			b.wants(err)
			if o.Code != command.Applied {
				t.Errorf("outcome %+v", o)
			}
		})
		first := b.handed()
		b.apply(first, command.TooLate)
		again := b.handed()
		if again.First <= first.First {
			t.Errorf("asked again under sequence %d, which has its result", again.First)
		}
		b.apply(again, command.Applied)
		b.calls.Wait()
	})
}

func TestReadersShareAMarkerUntilItIsHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		mark := func() {
			b.calls.Go(func() {
				_, err := b.mark(context.Background())
				b.wants(err)
			})
			synctest.Wait()
		}
		mark()
		mark()
		first := b.handed()
		mark() // the first may have been proposed before this one asked
		second := b.handed()
		if first.Count != 1 || second.Count != 1 || first.First == second.First {
			t.Errorf("markers %+v and %+v", first, second)
		}
		b.apply(first, command.Applied)
		b.apply(second, command.Applied)
		b.calls.Wait()
	})
}

func TestTheEndOfALifeLeavesWhatWasNotHandedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.call(time.Minute, set, func(_ Outcome, err error) { b.wants(err, ErrUnknownOutcome, ErrRemoved) })
		b.handed()
		b.call(time.Minute, set, func(_ Outcome, err error) { b.wants(err) })
		b.fail(ErrClosed, errors.Join(ErrUnknownOutcome, ErrRemoved), false)
		b.none() // out of a life that has ended
		b.route = &route{epoch: b.lives()}
		b.apply(b.handed(), command.Applied)
		b.calls.Wait()
	})
}

func TestAClosedOutboxTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.call(time.Minute, set, func(_ Outcome, err error) { b.wants(err, ErrClosed) })
		b.fail(ErrClosed, ErrUnknownOutcome, true)
		b.call(time.Minute, set, func(_ Outcome, err error) { b.wants(err, ErrClosed) })
		b.calls.Wait()
		b.none()
	})
}

func TestPatienceCountsFromThePartsBase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		began := b.clock.now()
		b.call(10*time.Second, set, ignore)
		time.Sleep(3 * time.Second)
		b.call(10*time.Second, set, ignore)
		p := b.handed()
		ops, op := command.ReadOps(p.Ops), command.Op{}
		for _, want := range []time.Duration{10 * time.Second, 13 * time.Second} {
			ops.Next(&op)
			if got := time.Duration(p.NotAfter(op.Patience) - began); got < want || got > want+2*time.Millisecond {
				t.Errorf("may be applied for %v, want %v", got, want)
			}
		}
		b.apply(p, command.Applied)
		b.calls.Wait()
	})
}

// The schedule: one caller waits, and beside it others give up all the time. The
// sequences that they use must not run further ahead than replicas keep results
// for: an entry like that could be applied by none.
func TestImpatientCallersDoNotWidenTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.call(time.Hour, set, func(_ Outcome, err error) { b.wants(err) })
		patient := b.handed()
		b.mu.Lock()
		b.next += command.MaxWindow - 2 // as many have come and gone
		b.mu.Unlock()
		b.call(time.Hour, set, ignore)
		b.call(time.Hour, set, ignore)
		b.call(time.Hour, set, ignore)
		b.none()
		b.apply(patient, command.Applied)
		b.apply(b.handed(), command.Applied)
		b.calls.Wait()
	})
}

func TestAPatientCallerDoesNotKeepTheBytesOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		big := setOf(string(make([]byte, 1000)))
		b.call(time.Hour, set, func(_ Outcome, err error) { b.wants(err) })
		for range 50 {
			b.call(time.Second, big, func(_ Outcome, err error) { b.wants(err, ErrNoLeader) })
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.mu.Lock()
		kept := len(b.queue[0].ops)
		b.mu.Unlock()
		if kept > 30_000 {
			t.Errorf("%d bytes are kept for one caller", kept)
		}
		p := b.handed()
		if p.Count != 51 {
			t.Errorf("%d operations", p.Count)
		}
		b.apply(p, command.Applied)
		b.calls.Wait()
	})
}

func TestPatienceHasALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		for range 2 {
			b.call(1<<63-1, set, ignore)
			time.Sleep(time.Minute)
		}
		p := b.handed() // which Check accepts
		b.apply(p, command.Applied)
		b.calls.Wait()
	})
}
