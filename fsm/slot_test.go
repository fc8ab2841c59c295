package fsm

import (
	"math/rand/v2"
	"testing"
)

// Entries leave a slot in any order, and the rest know where they are, through
// every number of chunks up and down.
func TestASlotIsFilledAndEmptiedInAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	var d deadlines
	held := make(map[*Entry]bool)
	var entries []*Entry
	check := func() {
		t.Helper()
		if err := d.invariants(len(entries), func(e *Entry) bool { return held[e] }); err != nil {
			t.Fatalf("with %d entries: %v", len(entries), err)
		}
	}
	for _, until := range []int{5 * chunkSize, chunkSize - 1, 2*chunkSize + 1, 0, 1, 0} {
		for len(entries) != until {
			if grow := len(entries) < until; grow == (random.IntN(4) > 0) || len(entries) == 0 {
				e := new(Entry)
				d.schedule(e, hour, 0)
				entries, held[e] = append(entries, e), true
			} else {
				i, last := random.IntN(len(entries)), len(entries)-1
				d.remove(entries[i])
				delete(held, entries[i])
				entries[i] = entries[last]
				entries = entries[:last]
			}
			check()
		}
	}
}

// An id is used again: deadlines that come and go do not leave a table behind them.
func TestTheIdsOfSlotsAreUsedAgain(t *testing.T) {
	var d deadlines
	var window [10]Entry
	for i := range int64(1000) {
		e := &window[i%10]
		d.remove(e)
		d.schedule(e, 1+i*tick, 0)
		if err := d.invariants(int(min(i+1, 10)), func(*Entry) bool { return true }); err != nil {
			t.Fatal(err)
		}
	}
	if ids := len(d.table) - 1; ids != len(window) {
		t.Errorf("%d ids for %d slots at a time", ids, len(window))
	}
}

// However many entries come and go after it, a full chunk is not copied.
func TestAFullChunkStaysWhereItIs(t *testing.T) {
	var d deadlines
	entries := make([]Entry, 10*chunkSize)
	for i := range entries {
		d.schedule(&entries[i], hour, 0)
		if room := cap(d.order[0].tail); room > chunkSize {
			t.Fatalf("a chunk has room for %d", room)
		}
	}
	first := d.order[0].at(0)
	for i := range entries[chunkSize:] {
		d.remove(&entries[chunkSize+i])
	}
	if d.order[0].at(0) != first || d.order[0].size() != chunkSize {
		t.Error("the first chunk has been copied")
	}
}
