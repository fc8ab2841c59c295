package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inelpandzic/imdgo"
)

// The keys that are watched while the budget is exceeded.
const (
	hotName  = "hot-"
	coldName = "cold-"
)

// plant sets the hot keys and the cold ones in one step, so that reads alone tell
// them apart.
func (n *node) plant(ctx context.Context, raw json.RawMessage, _ func(any)) (any, error) {
	var args plantArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, err
	}
	batch := make(map[string]string, 2*args.Count)
	for i := range args.Count {
		for _, prefix := range []string{hotName, coldName} {
			key, value := cargo(prefix, i, args.Size)
			batch[key] = value
		}
	}
	return nil, n.cargo.SetMany(ctx, batch)
}

// flood is many writers of entries that nobody will read.
type flood struct {
	node *node
	args floodArgs
	next atomic.Int64 // the entry that is not taken yet

	mu     sync.Mutex // guards all below
	report reporter
	done   loaded
}

func (n *node) flood(_ context.Context, raw json.RawMessage, emit func(any)) (any, error) {
	f := &flood{node: n, report: reporter{emit: emit, sent: time.Now()}}
	if err := json.Unmarshal(raw, &f.args); err != nil {
		return nil, err
	}
	var running sync.WaitGroup
	for range f.args.Writers {
		running.Go(f.write)
	}
	running.Wait()
	f.report.flush()
	return f.done, nil
}

// write sets one entry after the other until there are enough.
func (f *flood) write() {
	begun := time.Now()
	for i := int(f.next.Add(1)) - 1; i < f.args.Count; i = int(f.next.Add(1)) - 1 {
		key, value := cargo(f.args.Prefix, i, f.args.Size)
		s, err := timed(func() error { return f.node.cargo.Set(context.Background(), key, value) })
		f.note(i, s, err)
		if time.Sleep(f.args.Pause); f.args.For != 0 && time.Since(begun) >= f.args.For {
			return
		}
	}
}

func (f *flood) note(i int, s span, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done.Sets++
	if err == nil {
		f.report.add(s)
		return
	}
	f.done.Except = append(f.done.Except, i)
	if errors.Is(err, imdgo.ErrUnknownOutcome) {
		f.done.Unknown++
	}
	if len(f.done.Errors) < someErrors {
		f.done.Errors = append(f.done.Errors, err.Error())
	}
}

// observe samples the budget about once a millisecond, and reads the hot keys as
// often if it is to, until it is halted.
func (n *node) observe(_ context.Context, raw json.RawMessage, emit func(any)) (any, error) {
	var args observeArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, err
	}
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	var o observed
	var reported time.Time
	for {
		if args.Read {
			n.readHot(args.Count)
		}
		now := time.Now()
		o.note(now, n.cache.Stats())
		if now.Sub(reported) >= partEvery {
			reported = now
			o.Hot, o.Cold = n.there(hotName, args.Count), n.there(coldName, args.Count)
			emit(o)
		}
		select {
		case <-n.halt:
			return o, nil
		case <-ticker.C:
		}
	}
}

func (n *node) readHot(count int) {
	for i := range count {
		key, _ := cargo(hotName, i, 0)
		n.cargo.Get(key)
	}
}

// there is which keys this replica has. TTL tells without being a read, which
// would have a say in what stays.
func (n *node) there(prefix string, count int) []bool {
	list := make([]bool, count)
	for i := range list {
		key, _ := cargo(prefix, i, 0)
		_, list[i] = n.cargo.TTL(key)
	}
	return list
}

// note takes one sample into account.
func (o *observed) note(now time.Time, s imdgo.Stats) {
	o.At = now.UnixNano()
	o.Samples++
	if s.AccountedBytes > s.BudgetBytes {
		o.Over++
	}
	o.Peak = max(o.Peak, s.AccountedBytes)
	o.Accounted, o.Budget, o.Entries, o.Evicted = s.AccountedBytes, s.BudgetBytes, s.Entries, int(s.Evictions)
	if o.Since == 0 && s.Evictions > 0 {
		o.Since = o.At
	}
}

// cram fills a map that evicts nothing until it is refused, and looks what is
// there then.
func (n *node) cram(ctx context.Context, raw json.RawMessage, _ func(any)) (any, error) {
	var args cramArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, err
	}
	var c crammed
	for c.Stored < args.Most {
		batch := make(map[string]string, args.Batch)
		for i := range args.Batch {
			key, value := cargo("kept-", c.Stored+i, args.Size)
			batch[key] = value
		}
		if err := n.kept.SetMany(ctx, batch); err != nil {
			c.refused(n.kept, batch, err)
			return c, nil
		}
		c.Stored += len(batch)
	}
	c.Held = n.kept.Len()
	return c, nil
}

// refused notes an error, and how much of what it was about was done all the same.
func (c *crammed) refused(m *imdgo.Map[string, string], batch map[string]string, err error) {
	c.Full, c.Refusal, c.Held = errors.Is(err, imdgo.ErrFull), fmt.Sprint(err), m.Len()
	for key := range batch {
		if _, ok := m.Get(key); ok {
			c.Partly++
		}
	}
}
