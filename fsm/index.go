package fsm

import (
	"sync/atomic"

	cmap "github.com/orcaman/concurrent-map/v2"
)

const (
	// shrinkFrom is the least number of entries worth giving memory back for,
	// and shrinkAt the part of them that must be left for it.
	shrinkFrom = 1 << 16
	shrinkAt   = 8
	// shrinkStep is how many entries are moved with a batch: about a
	// millisecond.
	shrinkStep = 4096
)

// index finds a map's entries by key. It is a concurrent-map, whose shards never
// give back what they once took; so when a map has lost most of its entries,
// another one is filled from the sequence, a few entries with every batch, and
// takes its place.
//
// Readers look into the new one first. What they do not find there they look
// for in the old one, which has everything that has not been moved yet: an entry
// that comes is put into the new one, one that goes is taken out of both.
type index struct {
	maps atomic.Pointer[indexMaps]
	most int64  // entries that the present map has held at a time
	done uint64 // while it is being filled: the number in the sequence that has been reached
}

type indexMaps struct {
	present cmap.ConcurrentMap[string, *Entry]
	former  *cmap.ConcurrentMap[string, *Entry] // nil unless present is being filled
}

func (x *index) init() {
	x.maps.Store(&indexMaps{present: cmap.NewWithCustomShardingFunction[string, *Entry](sharding)})
}

func (x *index) get(key string) (*Entry, bool) {
	m := x.maps.Load()
	e, ok := m.present.Get(key)
	if !ok && m.former != nil {
		return m.former.Get(key)
	}
	return e, ok
}

// add puts an entry there unless there is one; count is how many there are then.
func (x *index) add(e *Entry, count int64) bool {
	m := x.maps.Load()
	if m.former != nil && m.former.Has(e.Key()) || !m.present.SetIfAbsent(e.Key(), e) {
		return false
	}
	x.most = max(x.most, count)
	return true
}

// remove takes an entry out; count is how many are left.
func (x *index) remove(e *Entry, count int64) {
	m := x.maps.Load()
	m.present.Remove(e.Key())
	if m.former != nil {
		m.former.Remove(e.Key())
	} else if x.most >= shrinkFrom && count <= x.most/shrinkAt {
		former := m.present
		x.maps.Store(&indexMaps{present: cmap.NewWithCustomShardingFunction[string, *Entry](sharding), former: &former})
		x.most, x.done = count, 0
	}
}

// filling reports whether step has something to do.
func (x *index) filling() bool { return x.maps.Load().former != nil }

// step moves some entries on. scratch is used again.
func (x *index) step(s *sequence, scratch []*Entry) []*Entry {
	m := x.maps.Load()
	if m.former == nil {
		return scratch
	}
	for moved := 0; moved < shrinkStep; moved += len(scratch) {
		var more bool
		if scratch, x.done, more = s.after(x.done, scratch[:0]); !more {
			x.maps.Store(&indexMaps{present: m.present})
			break
		}
		for _, e := range scratch {
			m.present.Set(e.Key(), e)
		}
	}
	clear(scratch) // or they would be kept alive
	return scratch[:0]
}
