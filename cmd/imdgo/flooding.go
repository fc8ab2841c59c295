package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// tides are what each node writes, by floodWriters at once, who pause after every
// write. The first two are a little more than there is room for, the last goes on
// for a while: at most as long as it is worth watching on a busy machine.
//
// The second is slow because of the watched keys. When three quarters of the room
// are used a follower begins to tell the leader what is read there, four times a
// second. So small a cache could be full before the first report, and then the
// oldest keys go, read or not.
var tides = []struct {
	count int
	pause time.Duration
	most  time.Duration // 0: until there are as many
}{{2_600, 3 * time.Millisecond, 0}, {1_500, 10 * time.Millisecond, 0}, {50_000, time.Millisecond, 1800 * time.Millisecond}}

// flooding is what is known while far more is written than there is room for.
type flooding struct {
	reader int // index of the node that reads the hot keys
	leader int // and of the one that led when it began

	mu     sync.Mutex // guards all below
	calls  [size][]span
	done   []loaded // of what was asked for and is done
	nodes  [size]observed
	course []observed // of the leader, in time
}

func (f *flooding) observe(ctx context.Context, i int, p *process) error {
	last, err := follow[observed, observed](ctx, p, opObserve, observeArgs{watched, i == f.reader}, func(o observed) { f.note(i, o) })
	if err == nil {
		f.note(i, last)
	}
	return err
}

func (f *flooding) note(i int, o observed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nodes[i] = o
	if i == f.leader {
		f.course = append(f.course, o)
	}
}

func (f *flooding) write(ctx context.Context, i int, p *process) error {
	for n, t := range tides {
		args := floodArgs{fmt.Sprintf("tide-%d-%d-", n, i), t.count, floodSize, floodWriters, t.pause, t.most}
		done, err := follow[[]span, loaded](ctx, p, opFlood, args, func(part []span) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.calls[i] = append(f.calls[i], part...)
		})
		if err != nil {
			return err
		}
		f.mu.Lock()
		f.done = append(f.done, done)
		f.mu.Unlock()
	}
	return nil
}

// bulk sets many entries at once, for which some of the longest unread must go.
// While entries come a few at a time the default policy takes hardly any but the
// newcomers, and what was there first may stay, read or not.
func (f *flooding) bulk(ctx context.Context, p *process) error {
	if _, err := follow[int, span](ctx, p, opFill, cargoArgs{"bulk-", cargoBatch}, func(int) {}); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = append(f.done, loaded{Sets: cargoBatch})
	return nil
}

// all are the writes of all nodes. The caller holds mu.
func (f *flooding) all() []span { return slices.Concat(f.calls[:]...) }

// fullest is what the node has seen that has evicted most itself. One that fell
// behind the log and was sent the state counts less. The caller holds mu.
func (f *flooding) fullest() observed {
	return slices.MaxFunc(f.nodes[:], func(a, b observed) int { return cmp.Compare(a.Evicted, b.Evicted) })
}

// balanced reports whether every key is accounted for, and all nodes have as many:
// none was set twice, deleted or given a deadline, so it is there or it was evicted.
// The caller holds mu.
func (f *flooding) balanced() bool {
	one := f.fullest()
	return within(one.Entries+one.Evicted, f.written(), tally(f.done).unknown) &&
		!slices.ContainsFunc(f.nodes[:], func(o observed) bool { return o.Entries != one.Entries })
}

// written are the keys whose write was acknowledged. The caller holds mu.
func (f *flooding) written() int { return 2*watched + tally(f.done).sets }

// settle waits until all nodes have reported what has been written, or patience
// is at an end: then a claim will not hold.
func (f *flooding) settle(ctx context.Context) error {
	const patience = 5 * time.Second
	balanced := func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.balanced()
	}
	for begun := time.Now(); !balanced() && time.Since(begun) < patience; {
		if err := pause(ctx, frame); err != nil {
			return err
		}
	}
	return nil
}
