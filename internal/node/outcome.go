package node

import (
	"context"
	"time"

	"github.com/inelpandzic/imdgo/internal/command"
)

// Encode adds one operation to dst.
type Encode func(dst []byte, patience uint64) []byte

// Outcome is what became of an operation, and the stamp of the batch that it
// was in, or a later one if it came here in a state as a whole.
type Outcome struct {
	command.Result
	Stamp int64
}

// do has one operation of about size bytes applied, and waits until this
// replica has applied it. A context without a deadline gets the node's timeout.
func (o *outbox) do(ctx context.Context, size int, encode Encode) (Outcome, error) {
	l := o.limit(ctx)
	if ctx.Err() != nil {
		return Outcome{}, l.gaveUp(ErrTimeout)
	}
	weight := int64(min(size+64, outboxBytes))
	if !o.room.TryAcquire(weight) {
		if !o.awaitRoom(l, weight) {
			return Outcome{}, l.gaveUp(o.whyUnsent())
		}
		l.since = time.Now()
	}
	defer o.room.Release(weight)
	for {
		p, i, woken, err := o.add(l, encode)
		if err != nil {
			return Outcome{}, err
		}
		outcome, err := o.wait(l, p, i, woken)
		if err != nil || outcome.Code != command.TooLate && outcome.Code != command.Again {
			return outcome, err
		}
		// The cluster's clock was further ahead than this node knew, or more had
		// to be evicted than the leader thought. It was not applied, and while
		// there is time left it can be asked for anew.
		if l.err() != nil {
			return Outcome{}, l.gaveUp(ErrTimeout)
		}
		l.since = time.Now()
	}
}

func (o *outbox) awaitRoom(l limit, weight int64) bool {
	ctx, cancel := context.WithDeadline(l.ctx, l.until)
	defer cancel()
	return o.room.Acquire(ctx, weight) == nil
}

func (o *outbox) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, o.timeout)
}

// mark has a marker applied. Readers that come while one is waiting to be
// handed over share it.
func (o *outbox) mark(ctx context.Context) (Outcome, error) {
	l := o.limit(ctx)
	if ctx.Err() != nil {
		return Outcome{}, l.gaveUp(ErrTimeout)
	}
	o.mu.Lock()
	if p := o.openPart(); p != nil && p.marker >= 0 {
		p.waiting++
		woken := o.watch(p, l)
		o.mu.Unlock()
		return o.wait(l, p, p.marker, woken)
	}
	o.mu.Unlock()
	p, i, woken, err := o.add(l, command.AppendMarker)
	if err != nil {
		return Outcome{}, err
	}
	return o.wait(l, p, i, woken)
}

// wait returns what became of operation i of p.
func (o *outbox) wait(l limit, p *part, i int, woken <-chan struct{}) (Outcome, error) {
	for !l.await(woken) || !p.decided.Load() {
		if l.err() == nil {
			woken = o.watchOn(p, l) // it was somebody else's time that was up
		} else if err := o.giveUp(l, p, i); err != nil {
			return Outcome{}, err
		} else {
			break
		}
	}
	if p.err != nil {
		return Outcome{}, p.err
	}
	if p.unseen && p.results[i].Code == command.TooLate {
		return Outcome{}, l.gaveUp(ErrUnknownOutcome)
	}
	return Outcome{p.results[i], p.stamp}, nil
}

// giveUp withdraws operation i. Nil means that it was decided in the same
// moment: then the outcome counts.
func (o *outbox) giveUp(l limit, p *part, i int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p.decided.Load() {
		return nil
	}
	p.waiting--
	if i != p.marker { // which others may be waiting for
		p.forget(i)
	}
	if !p.maybe && 2*p.lost > len(p.ends) {
		p.leaveOut() // or a single patient caller would keep the bytes of all
	}
	if p.waiting == 0 {
		// With the part the origin's lowest sequence moves on, and whatever
		// copy of it still travels counts as answered and is not applied.
		o.drop(p)
	}
	if p.maybe {
		return l.gaveUp(ErrUnknownOutcome)
	}
	return l.gaveUp(o.whyUnsent())
}

// whyUnsent is what is said of something that was never handed to a leader.
func (o *outbox) whyUnsent() error {
	if o.leader.Load() {
		return ErrTimeout
	}
	return ErrNoLeader
}
