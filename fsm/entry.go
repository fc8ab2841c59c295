package fsm

import (
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"github.com/inelpandzic/imdgo/eviction"
)

// Entry is a key's place in a map. It stays the same one across overwrites, so
// that the map's shards and the index of deadlines need not be touched.
//
// The bytes of the key follow it in the same allocation, see newEntry: that saves
// an allocation, 16 bytes and, when a key is looked up, a cache miss.
type Entry struct {
	value   atomic.Pointer[Value] // nil once the entry has left the map
	decoded atomic.Pointer[decoded]

	// All below is guarded by the machine's mutex, but for the key, which does
	// not change, and for the hook's mark.
	hook   eviction.Hook[*Entry]
	slot   uint32    // its id in the index of deadlines; 0: none
	place  uint32    // in the slot
	order  [3]uint16 // the number in the sequence
	length uint8     // of the key, or outlying
	timed  bool      // it has a deadline; and like the next:
	size   uint32    // of the value: to look there would be a cache miss for each write
}

const (
	entrySize = unsafe.Sizeof(Entry{})
	// inlineMost is the longest key that follows its entry. What is longer lies
	// elsewhere, and a string that follows the entry says where.
	inlineMost = 128
	outlying   = inlineMost + 1
)

// Entries with room for a key: with it, each has the size of one of Go's size
// classes.
type (
	entry16 struct {
		Entry
		key [16]byte
	}
	entry32 struct {
		Entry
		key [32]byte
	}
	entry48 struct {
		Entry
		key [48]byte
	}
	entry64 struct {
		Entry
		key [64]byte
	}
	entry96 struct {
		Entry
		key [96]byte
	}
	entry128 struct {
		Entry
		key [inlineMost]byte
	}
	entryFar struct {
		Entry
		key string
	}
)

// newEntry returns an entry with a copy of key.
func newEntry(key string) *Entry {
	e, room := allocateEntry(len(key))
	if len(key) > inlineMost {
		far := (*entryFar)(unsafe.Pointer(e))
		far.key, far.length = strings.Clone(key), outlying
		return e
	}
	e.length = uint8(len(key))
	copy(room, key)
	return e
}

// allocateEntry returns an entry and the room for its key behind it, nil if that
// lies elsewhere. All of it is one allocation of the type that says where its
// pointers are, and one pointer to its beginning keeps it alive.
func allocateEntry(key int) (*Entry, []byte) {
	switch {
	case key <= 16:
		e := new(entry16)
		return &e.Entry, e.key[:]
	case key <= 32:
		e := new(entry32)
		return &e.Entry, e.key[:]
	case key <= 48:
		e := new(entry48)
		return &e.Entry, e.key[:]
	case key <= 64:
		e := new(entry64)
		return &e.Entry, e.key[:]
	case key <= 96:
		e := new(entry96)
		return &e.Entry, e.key[:]
	case key <= inlineMost:
		e := new(entry128)
		return &e.Entry, e.key[:]
	default:
		return &new(entryFar).Entry, nil
	}
}

// entryBytes is what an entry takes with a key of n bytes.
func entryBytes(n int) int64 {
	switch {
	case n > inlineMost:
		return 80 + allocated(n)
	case n > 64:
		return int64(n+95) / 32 * 32 // 160 or 192
	}
	return int64(max(n, 1)+79) / 16 * 16 // 80, 96, 112 or 128
}

// Key is the encoded key.
func (e *Entry) Key() string {
	if e.length == outlying {
		return (*entryFar)(unsafe.Pointer(e)).key
	}
	return unsafe.String((*byte)(unsafe.Add(unsafe.Pointer(e), entrySize)), int(e.length))
}

// number is the entry's in the sequence, of which 48 bits are enough for an entry
// that comes every microsecond for nine years.
func (e *Entry) number() uint64 {
	return uint64(e.order[0]) | uint64(e.order[1])<<16 | uint64(e.order[2])<<32
}

func (e *Entry) setNumber(n uint64) {
	e.order = [3]uint16{uint16(n), uint16(n >> 16), uint16(n >> 32)}
}

// Hook implements eviction.Item.
func (e *Entry) Hook() *eviction.Hook[*Entry] { return &e.hook }

// Hash implements eviction.Item.
func (e *Entry) Hash() uint64 { return xxhash.Sum64String(e.Key()) }

// Cost implements eviction.Item: what the entry is accounted for, in bytes.
func (e *Entry) Cost() int64 { return Cost(len(e.Key()), int(e.size)) }
