package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"
)

// partEvery is how often a node reports while something long is going on.
const partEvery = 40 * time.Millisecond

// reporter collects spans and sends them in parts.
type reporter struct {
	emit  func(any)
	spans []span
	sent  time.Time
}

func (r *reporter) add(s span) {
	r.spans = append(r.spans, s)
	if time.Since(r.sent) >= partEvery {
		r.flush()
	}
}

func (r *reporter) flush() {
	if len(r.spans) > 0 {
		r.emit(r.spans)
	}
	r.spans, r.sent = nil, time.Now()
}

// timed runs f and says when.
func timed(f func() error) (span, error) {
	start := time.Now()
	err := f()
	return span{start.UnixNano(), start.Add(time.Since(start)).UnixNano()}, err
}

func (n *node) runSeries(ctx context.Context, raw json.RawMessage, emit func(any)) (any, error) {
	var args seriesArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, err
	}
	report := reporter{emit: emit, sent: time.Now()}
	defer report.flush()
	for i := range args.Count {
		s, err := timed(func() error { return n.series.Set(ctx, args.Key, i+1) })
		if err != nil {
			return nil, err
		}
		report.add(s)
		time.Sleep(args.Every)
	}
	return nil, nil
}

// watch reads the local replica again and again: reading is all there is to do
// to learn what others have written.
func (n *node) watch(_ context.Context, raw json.RawMessage, emit func(any)) (any, error) {
	const patience, pause = 10 * time.Second, 40 * time.Microsecond
	var args watchArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, err
	}
	seen := make([]int64, 0, args.Count)
	emit(true)
	for begun := time.Now(); len(seen) < args.Count; doze(pause) {
		latest, _ := n.series.Get(args.Key)
		now := time.Now()
		for len(seen) < min(latest, args.Count) {
			seen = append(seen, now.UnixNano())
		}
		if now.Sub(begun) > patience {
			return seen, fmt.Errorf("of %d values only %d have arrived in %v", args.Count, len(seen), patience)
		}
	}
	return seen, nil
}

func (n *node) reads(_ context.Context, raw json.RawMessage, _ func(any)) (any, error) {
	var args readsArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, err
	}
	var done readsDone
	begun := time.Now()
	for range args.Count {
		if _, ok := n.series.Get(args.Key); ok {
			done.Hits++
		}
	}
	done.Took = time.Since(begun)
	return done, nil
}

// session is a struct as an application has them.
type session struct {
	User  string
	Roles []string
	Since time.Time
	Hits  int
}

var theSession = session{"Ada", []string{"admin", "author"}, time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC), 42}

// offers are values as an application sets them, and what is to be read.
var offers = []struct {
	name      string
	set, want any
}{
	{"string", "naïve ✓", "naïve ✓"},
	{"int", math.MaxInt32 + 1, int64(math.MaxInt32 + 1)},
	{"uint64", uint64(math.MaxUint64), uint64(math.MaxUint64)},
	{"float64", 2.5, 2.5},
	{"bool", true, true},
	{"[]byte", []byte{0, 1, 255}, []byte{0, 1, 255}},
	{"time.Time", theSession.Since, theSession.Since},
	{"[]any", []any{"a", 1, nil}, []any{"a", int64(1), nil}},
	{"map[string]any", map[string]any{"k": 1.5}, map[string]any{"k": 1.5}},
}

func (n *node) offer(ctx context.Context, _ json.RawMessage, _ func(any)) (any, error) {
	var errs []error
	for _, o := range offers {
		errs = append(errs, n.cache.Set("offer "+o.name, o.set))
	}
	return nil, errors.Join(append(errs, n.samples.Set(ctx, "offer", theSession))...)
}

// compare reads what another node has offered, once this replica has it.
func (n *node) compare(ctx context.Context, _ json.RawMessage, _ func(any)) (any, error) {
	if err := n.cache.Ready(ctx); err != nil {
		return nil, err
	}
	var list []compared
	for _, o := range offers {
		got, ok := n.cache.Get("offer " + o.name)
		list = append(list, compared{o.name, fmt.Sprintf("%v", got), ok && same(got, o.want)})
	}
	got, ok := n.samples.Get("offer")
	return append(list, compared{"a struct", fmt.Sprintf("%+v", got), ok && same(got, theSession)}), nil
}

func same(got, want any) bool {
	switch want := want.(type) {
	case time.Time:
		got, ok := got.(time.Time)
		return ok && got.Equal(want)
	case []byte:
		got, ok := got.([]byte)
		return ok && bytes.Equal(got, want)
	case session:
		got, ok := got.(session)
		since := got.Since.Equal(want.Since)
		got.Since = want.Since
		return ok && since && reflect.DeepEqual(got, want)
	}
	return reflect.DeepEqual(got, want)
}
