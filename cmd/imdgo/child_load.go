package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/inelpandzic/imdgo"
)

// someErrors is how many errors are worth showing.
const someErrors = 3

// writers are the two writers of one node.
type writers struct {
	node   *node
	prefix string
	pause  time.Duration

	mu     sync.Mutex // guards all below
	report reporter
	done   loaded
}

func (n *node) load(ctx context.Context, raw json.RawMessage, emit func(any)) (any, error) {
	var args loadArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, err
	}
	w := &writers{node: n, prefix: args.Prefix, pause: args.Pause, report: reporter{emit: emit, sent: time.Now()}}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var running sync.WaitGroup
	running.Go(func() { w.repeat(ctx, w.set) })
	running.Go(func() { w.repeat(ctx, w.increment) })
	<-n.halt
	stop() // what is under way is finished: the writes have a context of their own
	running.Wait()
	w.report.flush()
	return w.done, nil
}

func (n *node) haltLoad(context.Context, json.RawMessage, func(any)) (any, error) {
	n.halt <- struct{}{}
	return nil, nil
}

// repeat writes, one write after the other, until ctx ends.
func (w *writers) repeat(ctx context.Context, write func(i int) error) {
	for i := 0; ctx.Err() == nil; i++ {
		if err := write(i); err != nil {
			w.failed(err)
		}
		time.Sleep(w.pause)
	}
}

func (w *writers) set(i int) error {
	s, err := timed(func() error {
		return w.node.ledger.Set(context.Background(), fmt.Sprintf("%s-%d", w.prefix, i), i)
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done.Sets++
	if err != nil {
		w.done.Except = append(w.done.Except, i)
		return err
	}
	w.report.add(s)
	return nil
}

// increment adds one to the counter that the writers of all nodes share. When
// another was faster, this replica has the other's value by the time that it
// is told, and the next turn builds on it.
func (w *writers) increment(int) error {
	ctx := context.Background()
	e, err := w.node.counter.Read(ctx, "n") // absent: version 0, value 0
	if err != nil && !errors.Is(err, imdgo.ErrNotFound) {
		return err
	}
	swapped := false
	s, err := timed(func() (err error) {
		_, swapped, err = w.node.counter.CompareAndSwap(ctx, "n", e.Version, e.Value+1)
		return err
	})
	if err != nil || !swapped {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done.Swaps++
	w.report.add(s)
	return nil
}

func (w *writers) failed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if errors.Is(err, imdgo.ErrUnknownOutcome) {
		w.done.Unknown++
	}
	if len(w.done.Errors) < someErrors {
		w.done.Errors = append(w.done.Errors, err.Error())
	}
}

// mark writes something new and returns its version: between two marks lie as
// many versions as there were writes.
func (n *node) mark(ctx context.Context, raw json.RawMessage, _ func(any)) (any, error) {
	var args markArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, err
	}
	v, _, err := n.series.SetIfAbsent(ctx, args.Key, 0)
	return v, err
}

// verify looks for everything that was acknowledged, on this replica.
func (n *node) verify(ctx context.Context, raw json.RawMessage, _ func(any)) (any, error) {
	var args verifyArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, err
	}
	// After a linearizable read this replica has all that was acknowledged before it.
	counter, err := n.counter.Read(ctx, "n", imdgo.Linearizable)
	if err != nil {
		return nil, err
	}
	v := verified{Len: n.ledger.Len(), Counter: counter.Value}
	for prefix, l := range args.Loads {
		except := make(map[int]bool, len(l.Except))
		for _, i := range l.Except {
			except[i] = true
		}
		for i := range l.Sets {
			key := fmt.Sprintf("%s-%d", prefix, i)
			switch got, ok := n.ledger.Get(key); {
			case except[i]:
			case ok && got == i:
				v.Present++
			case len(v.Missing) < someErrors:
				v.Missing = append(v.Missing, key)
			}
		}
	}
	return v, nil
}

// sample takes state hashes for a while, one of each index that it comes by: a
// hash takes milliseconds in which nothing is applied.
func (n *node) sample(_ context.Context, raw json.RawMessage, _ func(any)) (any, error) {
	var args sampleArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, err
	}
	var list []sample
	for begun := time.Now(); ; time.Sleep(args.Every) {
		if len(list) == 0 || list[len(list)-1].Index != n.cache.Stats().AppliedIndex {
			index, hash := n.cache.StateHash()
			list = append(list, sample{index, hash})
		}
		if time.Since(begun) >= args.For {
			break
		}
	}
	index, hash := n.cache.StateHash() // again, most likely: what is applied nowhere must not change
	return append(list, sample{index, hash}), nil
}
