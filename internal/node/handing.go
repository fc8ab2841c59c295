package node

import (
	"fmt"
	"time"

	"github.com/inelpandzic/imdgo/internal/command"
)

// overdue is when a part that a leader has taken, and that nothing was heard
// of, is handed over once more. Applying it twice is ruled out, so this costs
// only bytes; it is for the case that nobody has thought of.
const overdue = 3 * time.Second

// hand returns the next part for a leader, or false when there is none or
// enough of them are with it.
func (o *outbox) hand(to *route) (command.Part, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if to.epoch != o.epoch {
		return command.Part{}, false // it leads out of a life that has ended
	}
	away := 0
	for _, p := range o.queue {
		if p.with != nil && time.Since(p.with.at) > overdue {
			p.with = nil
		}
		if p.with != nil {
			if away++; away == inFlight {
				return command.Part{}, false
			}
			continue
		}
		if p.first-o.lowest()+uint64(len(p.ends)) > command.MaxWindow {
			// Callers that give up use sequences all the same. While the oldest
			// one is being waited for, no replica keeps results for more.
			return command.Part{}, false
		}
		o.seal(p)
		p.with = &handover{to: to, at: time.Now(), maybe: p.maybe}
		p.maybe = true
		p.handed++
		return command.Part{Low: o.lowest(), First: p.first, Base: p.base, Count: len(p.ends), Ops: p.ops}, true
	}
	return command.Part{}, false
}

// refused is told that a leader did not take a part.
func (o *outbox) refused(from *route, first uint64, why command.Refusal) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range o.queue {
		if p.first != first || p.with == nil || p.with.to != from {
			continue
		}
		if why != command.Lost {
			p.maybe = p.with.maybe
		}
		p.with = nil
		if why == command.Invalid {
			p.err = fmt.Errorf("%w: the leader could not read it", ErrInvalid)
			o.drop(p)
			p.decide()
		}
		return
	}
}

// takeBack is told that a route has ended: what went that way may be in the log
// or not, and is handed over anew.
func (o *outbox) takeBack(from *route) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range o.queue {
		if p.with != nil && p.with.to == from {
			p.with = nil
		}
	}
}

// lives is how many lives have ended.
func (o *outbox) lives() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.epoch
}

// idle reports whether there is nothing to hand over.
func (o *outbox) idle() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue) == 0
}
