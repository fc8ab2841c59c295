package fsm

import (
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/inelpandzic/imdgo/eviction"
)

// Entry is a key's place in a map. It stays the same one across overwrites, so
// that the map's shards and the index of deadlines need not be touched.
type Entry struct {
	key     string
	value   atomic.Pointer[Value] // nil once the entry has left the map
	decoded atomic.Pointer[decoded]

	// All below is guarded by the machine's mutex. The index of deadlines
	// links entries through themselves.
	number     uint64 // in the sequence
	slot       *slot
	prev, next *Entry
	hook       eviction.Hook[*Entry]
}

// Key is the encoded key.
func (e *Entry) Key() string { return e.key }

// Hook implements eviction.Item.
func (e *Entry) Hook() *eviction.Hook[*Entry] { return &e.hook }

// Hash implements eviction.Item.
func (e *Entry) Hash() uint64 { return xxhash.Sum64String(e.key) }

// Cost implements eviction.Item: what the entry is accounted for, in bytes.
func (e *Entry) Cost() int64 { return Cost(len(e.key), int(e.value.Load().size)) }
