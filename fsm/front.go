package fsm

import "sync/atomic"

const (
	// frontSets is how many sets of two entries the front has: 32 KiB.
	frontSets = 1 << 10
	// frontFrom is from how many entries on a map has one.
	frontFrom = 256
	// frontStay is how many others have to ask for the place of an entry until one
	// gets it: where more than two hot keys share a set, all of them would be
	// writing it for ever.
	frontStay = 16
)

// front finds entries that were read lately without a lock. A reader of
// concurrent-map writes to the lock of a shard, and two cores that read the same
// hot keys send its cache line to and fro: 64 ns for a Get instead of 47.
//
// What it finds is the entry of that key for as long as that holds a value, since
// an entry that leaves the map loses its value for good, before the map forgets
// it. So whoever finds one without a value asks the map. A front is of one
// contents, and goes with it.
type front struct{ table atomic.Pointer[frontTable] }

type frontTable struct {
	asked atomic.Uint32 // how often somebody wanted a place that was taken
	sets  [frontSets][2]frontPlace
}

// frontPlace has an entry and the hash of its key. They are not written together:
// who reads compares the key as well.
type frontPlace struct {
	hash  atomic.Uint64
	entry atomic.Pointer[Entry]
}

// get returns the entry of key, which has this hash, if it is here, and its value.
func (f *front) get(hash uint64, key string) (*Entry, *Value) {
	t := f.table.Load()
	if t == nil {
		return nil, nil
	}
	set := &t.sets[hash%frontSets]
	for i := range set {
		if set[i].hash.Load() != hash {
			continue
		}
		if e := set[i].entry.Load(); e != nil && e.Key() == key {
			return e, e.value.Load()
		}
	}
	return nil, nil
}

// keep takes in an entry that was found in the map.
func (f *front) keep(hash uint64, e *Entry, entries int64) {
	t := f.table.Load()
	if t == nil {
		if entries < frontFrom {
			return
		}
		f.table.CompareAndSwap(nil, new(frontTable))
		t = f.table.Load()
	}
	set := &t.sets[hash%frontSets]
	for i := range set {
		if there := set[i].entry.Load(); there == nil || there.value.Load() == nil {
			set[i].put(hash, e)
			return
		}
	}
	if n := t.asked.Add(1); n%frontStay == 0 {
		set[n/frontStay%2].put(hash, e)
	}
}

func (p *frontPlace) put(hash uint64, e *Entry) {
	p.hash.Store(hash)
	p.entry.Store(e)
}

// forget lets go of an entry that leaves the map. A reader that has found it
// before may put it back; then it lies here until somebody wants its place.
func (f *front) forget(hash uint64, e *Entry) {
	t := f.table.Load()
	if t == nil {
		return
	}
	set := &t.sets[hash%frontSets]
	for i := range set {
		set[i].entry.CompareAndSwap(e, nil)
	}
}
