package node

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/inelpandzic/imdgo/internal/command"
)

const (
	// partTarget and partOps are when a part takes no more operations.
	partTarget = 128 << 10
	partOps    = 4096
	// inFlight is how many parts may be with a leader at once. While one is
	// being replicated the next must already lie there, and with them the
	// sequences in use stay far below command.MaxWindow.
	inFlight = 4
	// outboxBytes bounds what callers have waiting, mostly while there is no
	// leader; one more waits before it is even encoded.
	outboxBytes = 64 << 20
	// gatherFrom is how many callers must have got their outcome together for
	// gather to be worth it, and gatherMost how often it yields.
	gatherFrom = 8
	gatherMost = 16
)

// outbox collects what is asked on this node into parts and keeps each part
// until this replica has applied it or nobody waits for it any more.
type outbox struct {
	clock   *clusterClock
	wake    chan struct{} // the courier, when there is something to do
	room    *semaphore.Weighted
	timeout time.Duration
	leader  atomic.Bool  // the courier knows one
	back    atomic.Int64 // of those who have just got an outcome, who may come back at once

	mu    sync.Mutex // guards all below and every part in the queue
	queue []*part    // by sequence; only the last one may take operations
	next  uint64     // the next sequence
	epoch uint64     // how many lives have ended
	ended error      // set once: why nothing is taken any more
	free  []buffers  // of parts that are over

	sweeper *time.Timer // when the first caller's time is up that has none of its own
	sweeps  time.Time   // when that is; zero: there is none
}

func newOutbox(clock *clusterClock, timeout time.Duration) *outbox {
	o := &outbox{
		clock:   clock,
		wake:    make(chan struct{}, 1),
		room:    semaphore.NewWeighted(outboxBytes),
		timeout: timeout,
		next:    1,
	}
	o.sweeper = time.AfterFunc(time.Hour, o.sweep)
	o.sweeper.Stop()
	return o
}

// add puts an operation into the part that is being collected. What it returns
// last is closed when there is something for the caller to look at.
func (o *outbox) add(l limit, encode Encode) (*part, int, <-chan struct{}, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended != nil {
		return nil, 0, nil, o.ended
	}
	p := o.openPart()
	if p == nil {
		p = o.newPart(l.since)
		o.queue = append(o.queue, p)
		o.signal() // once: whatever keeps the courier from handing it over wakes it when it is over
	}
	before := len(p.ops)
	p.ops = encode(p.ops, p.patience(l.since, l.until.Sub(l.since)))
	if command.Kind(p.ops[before]) == command.Marker {
		p.marker = len(p.ends)
	}
	p.ends = append(p.ends, len(p.ops))
	p.waiting++
	o.next++
	if o.back.Load() > 0 {
		o.back.Add(-1)
	}
	p.sealed = len(p.ops) >= partTarget || len(p.ends) >= partOps
	return p, len(p.ends) - 1, o.watch(p, l), nil
}

// gather lets callers who have just got their outcome ask for the next thing, so
// that it goes with what is about to be handed over or proposed: of 64 callers
// there are two halves otherwise, each of which waits while the other's batch is
// replicated. It takes as long as it takes them to run, and no longer than a few
// microseconds if they do something else. It says whether it waited.
func (o *outbox) gather() (waited bool) {
	for i := 0; i < gatherMost && o.back.Load() > 0; i++ {
		runtime.Gosched()
		waited = true
	}
	if waited {
		o.back.Store(0)
	}
	return waited
}

// openPart is the part that takes operations, or nil.
func (o *outbox) openPart() *part {
	if n := len(o.queue); n > 0 && !o.queue[n-1].sealed {
		return o.queue[n-1]
	}
	return nil
}

// drop takes a part out of the queue.
func (o *outbox) drop(p *part) {
	for i, q := range o.queue {
		if q == p {
			o.queue = append(o.queue[:i], o.queue[i+1:]...)
			p.sealed = true
			return
		}
	}
}

// signal wakes the courier.
func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// applied is told what this replica has applied of this node's own.
func (o *outbox) applied(first uint64, results []command.Result, stamp int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range o.queue {
		if p.first == first {
			o.resolve(p, append([]command.Result(nil), results...), stamp)
			o.recycle(p)
			return
		}
	}
}

// resolve hands a part's results to its callers. They may read at once what they
// wrote, so the clock that reads are judged by is set before.
func (o *outbox) resolve(p *part, results []command.Result, stamp int64) {
	o.clock.asked(stamp)
	p.results, p.stamp = results, stamp
	if p.waiting >= gatherFrom {
		o.back.Store(int64(p.waiting))
	}
	o.drop(p)
	p.decide()
	o.signal()
}

// restored is told that this replica was given a whole state, as it was at a
// stamp. What of this node's own was applied in it has its results there, as long
// as they are kept; the stamp of its batch was no later than the state's. A part without them is handed over again; should it then be too late for it,
// that says nothing any more: it may have been applied, and its results forgotten.
func (o *outbox) restored(stamp int64, answered func(first uint64, count int) ([]command.Result, bool)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range slices.Clone(o.queue) {
		if !p.maybe {
			continue
		}
		if results, ok := answered(p.first, len(p.ends)); ok {
			o.resolve(p, results, stamp)
		} else {
			p.unseen, p.with = true, nil
		}
	}
}

// fail ends every part that may be in the log of a life that is over, and with
// all of them if nothing more is to be taken.
func (o *outbox) fail(err, unknown error, all bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.epoch++
	if all {
		o.ended = err
	}
	var stay []*part
	for _, p := range o.queue {
		switch {
		case p.maybe:
			p.err = unknown
		case all:
			p.err = err
		default:
			p.with, p.based = nil, false
			stay = append(stay, p)
			continue
		}
		p.sealed = true
		p.decide()
	}
	o.queue = stay
	if all {
		o.sweeper.Stop()
	}
}

// lowest is the lowest sequence that somebody may still wait for.
func (o *outbox) lowest() uint64 {
	if len(o.queue) == 0 {
		return o.next
	}
	return o.queue[0].first
}
