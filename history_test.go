package imdgo_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// history is what several clients did with one register, in which every write stores another value.
type history struct {
	now atomic.Int64 // counts beginnings and ends

	mu         sync.Mutex // guards operations
	operations []operation
}

// operation is a write that may have taken place, or a read that returned.
type operation struct {
	write      bool
	value      int64 // 0: nothing there
	begin, end int64 // never: nobody knows whether, and so when, it took place
}

const never = math.MaxInt64

func (h *history) begin() int64 { return h.now.Add(1) }

func (h *history) add(o operation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, o)
}

// zone is when a register held a value, as far as can be told: all of [from, to], if forward; else at
// some moment in it.
type zone struct {
	forward  bool
	from, to int64
	value    int64
}

// check reports why the history cannot be linearized. Where all writes differ that is easy to tell (Gibbons
// and Korach, Testing Shared Memories, 1997): put each write together with the reads that returned it.
// If some operation of the group ended before another one of it began, the register held the value from
// that end to that beginning. Such spans must not overlap, and no other group may lie within one.
func (h *history) check() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	groups := map[int64][]operation{0: {{write: true}}} // before everything
	for _, o := range h.operations {
		groups[o.value] = append(groups[o.value], o)
	}
	var zones []zone
	for value, group := range groups {
		z, seen, err := zoneOf(value, group)
		if err != nil {
			return err
		}
		if seen {
			zones = append(zones, z)
		}
	}
	return compatible(zones)
}

func zoneOf(value int64, group []operation) (z zone, seen bool, err error) {
	begin := int64(never)
	firstEnd, lastBegin := int64(never), int64(0)
	for _, o := range group {
		if o.write {
			begin = o.begin
		}
		seen = seen || !o.write || o.end != never
		firstEnd, lastBegin = min(firstEnd, o.end), max(lastBegin, o.begin)
	}
	for _, o := range group {
		if o.end < begin {
			return z, seen, fmt.Errorf("%d was read at [%d, %d] and written at %d", value, o.begin, o.end, begin)
		}
	}
	if firstEnd < lastBegin {
		return zone{true, firstEnd, lastBegin, value}, seen, nil
	}
	return zone{false, lastBegin, firstEnd, value}, seen, nil
}

func compatible(zones []zone) error {
	slices.SortFunc(zones, func(a, b zone) int { return cmp.Compare(a.from, b.from) })
	for i, a := range zones {
		for _, b := range zones[i+1:] {
			switch {
			case a.forward && b.forward && b.from < a.to:
				return fmt.Errorf("%d was there all of [%d, %d], and %d all of [%d, %d]", a.value, a.from, a.to, b.value, b.from, b.to)
			case a.forward && !b.forward && b.to < a.to:
				return fmt.Errorf("%d was there all of [%d, %d], and %d at some time within [%d, %d]", a.value, a.from, a.to, b.value, b.from, b.to)
			}
		}
	}
	return nil
}

// TestHistoryCheck holds the checker to histories that are known to be right or wrong. A word is one
// operation: w or r, its value, and begin-end.
func TestHistoryCheck(t *testing.T) {
	for text, right := range map[string]bool{
		"w1:1-2 r1:3-4":                       true,
		"w1:1-2 r0:3-4":                       false, // stale
		"w1:1-4 r0:2-3":                       true,  // not yet
		"w1:1-6 r1:2-3 r0:4-5":                false, // back again
		"w1:1-2 w2:3-4 r1:5-6":                false,
		"w1:1-4 w2:2-3 r1:5-6":                true,
		"w1:1-4 w2:2-3 r1:5-6 r2:7-8":         false,
		"w1:1-4 w2:2-3 r2:5-6 r2:7-8":         true,
		"r1:1-2 w1:3-4":                       false, // before its time
		"r7:1-2":                              false, // out of nowhere
		"w1:1-2 w2:3-0 r1:4-5 r2:6-7":         true,  // unknown: took place late
		"w1:1-2 w2:3-0 r1:4-5":                true,  // or never
		"w1:1-2 w2:3-0 r2:4-5 r1:6-7":         false,
		"w1:1-2 r1:3-12 w2:4-5 r2:6-7":        true,
		"w1:1-2 r1:8-9 w2:4-5 r2:6-7":         false,
		"w1:1-20 w2:2-19 r1:3-4 r2:5-6":       true,
		"w1:1-20 w2:2-3 r1:4-5 r2:6-7":        false,
		"w1:1-20 w2:2-3 r2:4-5 r1:6-7":        true,
		"w1:1-2 w2:3-8 r1:4-7 r2:5-6 r2:9-10": true,
	} {
		var h history
		for _, word := range strings.Fields(text) {
			var o operation
			var kind rune
			if _, err := fmt.Sscanf(word, "%c%d:%d-%d", &kind, &o.value, &o.begin, &o.end); err != nil {
				t.Fatal(word, err)
			}
			if o.write = kind == 'w'; o.end == 0 {
				o.end = never
			}
			h.add(o)
		}
		if err := h.check(); (err == nil) != right {
			t.Errorf("%s: %v", text, err)
		}
	}
}
