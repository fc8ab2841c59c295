package main

import (
	"testing"
	"time"

	"github.com/inelpandzic/imdgo"
)

// TestObserved: one sample too many is remembered, and the first eviction is dated.
func TestObserved(t *testing.T) {
	var o observed
	for i, s := range []imdgo.Stats{
		{AccountedBytes: 10, BudgetBytes: 10, Entries: 1},
		{AccountedBytes: 11, BudgetBytes: 10, Entries: 2, Evictions: 1},
		{AccountedBytes: 9, BudgetBytes: 10, Entries: 1, Evictions: 2},
	} {
		o.note(time.Unix(0, int64(i+1)), s)
	}
	want := observed{At: 3, Samples: 3, Over: 1, Peak: 11, Accounted: 9, Budget: 10, Entries: 1, Evicted: 2, Since: 2}
	if o.At != want.At || o.Samples != want.Samples || o.Over != want.Over || o.Peak != want.Peak || o.Accounted != want.Accounted ||
		o.Budget != want.Budget || o.Entries != want.Entries || o.Evicted != want.Evicted || o.Since != want.Since {
		t.Errorf("%+v, want %+v", o, want)
	}
}

// TestBalanced: every key is there or was evicted, on a node that has seen it all,
// and all have as many.
func TestBalanced(t *testing.T) {
	all := observed{Entries: 40, Evicted: 24 + 2*watched}
	for _, test := range []struct {
		nodes   [size]observed
		unknown int
		want    bool
	}{
		{[size]observed{all, all, all}, 0, true},
		{[size]observed{{Entries: 40, Evicted: 3}, all, all}, 0, true}, // was sent the state
		{[size]observed{{Entries: 39, Evicted: 25 + 2*watched}, all, all}, 0, false},
		{[size]observed{{Entries: 40}, {Entries: 40}, {Entries: 40}}, 0, false}, // some are nowhere
		{[size]observed{{Entries: 41, Evicted: all.Evicted}, {Entries: 41}, {Entries: 41}}, 0, false},
		{[size]observed{{Entries: 41, Evicted: all.Evicted}, {Entries: 41}, {Entries: 41}}, 1, true},
	} {
		f := flooding{nodes: test.nodes, done: []loaded{{Sets: 34}, {Sets: 30 + test.unknown, Except: make([]int, test.unknown), Unknown: test.unknown}}}
		if got := f.balanced(); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

// TestTides: the watched keys have time to be told of, and there is more than room
// for whatever the last tide brings.
func TestTides(t *testing.T) {
	least := int64(0)
	for _, tide := range tides {
		if tide.most == 0 {
			least += int64(size * tide.count)
		}
	}
	if room := int64(scarce) / floodSize * 3 / 4; least < room*9/10 {
		t.Errorf("%d keys at least, and room for about %d", least, room)
	}
}
