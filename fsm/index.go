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

// index finds a map's entries by key. It is a concurrent-map of the keys' hashes:
// a place in it takes 16 bytes instead of 24, without a pointer to the key that the
// garbage collector would follow, and to look one up is a cache miss less. Keys
// whose hash another one has already are in twins.
//
// A concurrent-map's shards never give back what they once took; so when a map has
// lost most of its entries, another one is filled from the sequence, a few entries
// with every batch, and takes its place.
//
// Readers look into the new one first, then into the old one, which has everything
// that has not been moved yet, and then among the twins. An entry that comes is put
// into the new one or among the twins, one that is moved is in both for a while, and
// one that goes is taken out of all. So an entry that is there all the while is
// found by a reader who has begun with whatever maps there were.
type index struct {
	maps  atomic.Pointer[indexMaps]
	twins twins
	hash  func(key string) uint64
	most  int64  // entries that the present map has held at a time
	done  uint64 // while it is being filled: the number in the sequence that has been reached
}

type indexMaps struct {
	present hashMap
	former  *hashMap // nil unless present is being filled
}

type hashMap = cmap.ConcurrentMap[uint64, *Entry]

func newHashMap() hashMap {
	return cmap.NewWithCustomShardingFunction[uint64, *Entry](sharding)
}

func (x *index) init(hash func(key string) uint64) {
	x.hash = hash
	x.maps.Store(&indexMaps{present: newHashMap()})
}

// get returns the entry of key, which has this hash.
func (x *index) get(hash uint64, key string) (*Entry, bool) {
	m := x.maps.Load()
	if e, ok := m.present.Get(hash); ok && e.Key() == key {
		return e, true
	}
	if m.former != nil {
		if e, ok := m.former.Get(hash); ok && e.Key() == key {
			return e, true
		}
	}
	return x.twins.get(key)
}

// add puts an entry there unless there is one; count is how many there are then.
func (x *index) add(hash uint64, e *Entry, count int64) bool {
	m := x.maps.Load()
	alone := m.former == nil && x.twins.none()
	if !alone || !m.present.SetIfAbsent(hash, e) {
		if _, ok := x.get(hash, e.Key()); ok {
			return false
		}
		x.put(m, hash, e)
	}
	x.most = max(x.most, count)
	return true
}

// put takes in an entry that is not in the present map.
func (x *index) put(m *indexMaps, hash uint64, e *Entry) {
	if !m.present.SetIfAbsent(hash, e) {
		x.twins.add(e)
	}
}

// remove takes an entry out; count is how many are left.
func (x *index) remove(hash uint64, e *Entry, count int64) {
	m := x.maps.Load()
	itself := func(_ uint64, there *Entry, _ bool) bool { return there == e }
	m.present.RemoveCb(hash, itself)
	x.twins.remove(e)
	if m.former != nil {
		m.former.RemoveCb(hash, itself)
	} else if x.most >= shrinkFrom && count <= x.most/shrinkAt {
		former := m.present
		x.maps.Store(&indexMaps{present: newHashMap(), former: &former})
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
			x.move(m, e)
		}
	}
	clear(scratch[:cap(scratch)]) // or they would be kept alive, also those of an earlier round
	return scratch[:0]
}

// move takes an entry over, unless it has come since and is there already.
func (x *index) move(m *indexMaps, e *Entry) {
	hash := x.hash(e.Key())
	if there, ok := m.present.Get(hash); ok && there == e || x.twins.has(e) {
		return
	}
	x.put(m, hash, e)
}
