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

// decoded is a value as the application sees it. It names the value that it
// was decoded from, because of this schedule: a reader loads value 1; a write
// stores value 2; the reader keeps what it decoded. The next reader must see
// that this is not value 2. (The version does not tell them apart: a SetMany
// that names a key twice writes both under one.)
type decoded struct {
	from  *Value
	value any
}

// Key is the encoded key.
func (e *Entry) Key() string { return e.key }

// Touch notes that the entry was read.
func (e *Entry) Touch() { e.hook.Touch() }

// Hook implements eviction.Item.
func (e *Entry) Hook() *eviction.Hook[*Entry] { return &e.hook }

// Hash implements eviction.Item.
func (e *Entry) Hash() uint64 { return xxhash.Sum64String(e.key) }

// Cost implements eviction.Item: what the entry is accounted for, in bytes.
func (e *Entry) Cost() int64 { return Cost(len(e.key), int(e.value.Load().size)) }

// Decoded returns what KeepDecoded kept for v, or nil.
func (e *Entry) Decoded(v *Value) any {
	if d := e.decoded.Load(); d != nil && d.from == v {
		return d.value
	}
	return nil
}

// KeepDecoded keeps the decoded form of v for the readers that follow.
func (e *Entry) KeepDecoded(v *Value, value any) {
	e.decoded.Store(&decoded{v, value})
}

// carryDecoded keeps what was decoded from one value for another of the same bytes.
func (e *Entry) carryDecoded(from, to *Value) {
	if d := e.decoded.Load(); d != nil && d.from == from {
		e.decoded.Store(&decoded{to, d.value})
	}
}

// dropDecoded lets go of what was decoded from a value that has been replaced.
func (e *Entry) dropDecoded() {
	if e.decoded.Load() != nil {
		e.decoded.Store(nil)
	}
}
