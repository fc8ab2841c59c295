package node

import (
	"context"
	"fmt"
	"time"
)

// limit is until when a caller waits. The time of those whose context has no
// deadline is kept by the outbox, with one timer for all: a context and a timer
// for each of them was a tenth of what a write cost, and a fifth of the garbage.
type limit struct {
	ctx   context.Context
	since time.Time // when this attempt began
	until time.Time
	own   bool // it is the context's
}

func (o *outbox) limit(ctx context.Context) limit {
	now := time.Now()
	if until, ok := ctx.Deadline(); ok {
		return limit{ctx, now, until, true}
	}
	return limit{ctx, now, now.Add(o.timeout), false}
}

// err is why the caller waits no longer, nil while it does.
func (l limit) err() error {
	if err := l.ctx.Err(); err != nil || l.own || time.Now().Before(l.until) {
		return err
	}
	return context.DeadlineExceeded
}

// gaveUp is why, together with what ended the wait.
func (l limit) gaveUp(why error) error {
	if cause := l.err(); cause != nil {
		return fmt.Errorf("%w: %w", why, cause)
	}
	return why
}

// await waits until woken is closed. False: the context has ended.
func (l limit) await(woken <-chan struct{}) bool {
	done := l.ctx.Done()
	if done == nil {
		<-woken
		return true
	}
	select {
	case <-woken:
		return true
	case <-done:
		return false
	}
}

// watch returns what wakes a caller that waits for a part, and sees to it that it
// is woken when its time is up. The caller holds mu.
func (o *outbox) watch(p *part, l limit) <-chan struct{} {
	if !l.own && (p.due.IsZero() || l.until.Before(p.due)) {
		p.due = l.until
		if o.sweeps.IsZero() || p.due.Before(o.sweeps) {
			o.sweeps = p.due
			o.sweeper.Reset(time.Until(p.due))
		}
	}
	return p.woken
}

// watchOn is watch for a caller that was woken and has time left.
func (o *outbox) watchOn(p *part, l limit) <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p.decided.Load() {
		return p.woken
	}
	return o.watch(p, l)
}

// sweep wakes everybody who waits for a part for which somebody has waited long
// enough. It comes about as often as the timeout is long.
func (o *outbox) sweep() {
	o.mu.Lock()
	defer o.mu.Unlock()
	now, next := time.Now(), time.Time{}
	for _, p := range o.queue {
		if !p.due.IsZero() && !p.due.After(now) {
			p.due = time.Time{}
			close(p.woken)
			p.woken = make(chan struct{})
		}
		if !p.due.IsZero() && (next.IsZero() || p.due.Before(next)) {
			next = p.due
		}
	}
	if o.sweeps = next; !next.IsZero() {
		o.sweeper.Reset(time.Until(next))
	}
}
