package imdgo

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/inelpandzic/imdgo/fsm"
	"github.com/inelpandzic/imdgo/internal/command"
	"github.com/inelpandzic/imdgo/internal/value"
)

type logger = hclog.Logger

// Key is what the keys of a map may be.
type Key interface {
	~string | ~int | ~int32 | ~int64 | ~uint | ~uint32 | ~uint64 | ~[16]byte
}

// Version counts the writes of the state machine, one for each operation: what
// was written later, anywhere in the cluster, has a larger one. 0 means that
// there is no entry.
type Version uint64

// Entry is a value with what is known about it.
type Entry[V any] struct {
	Value   V
	Version Version
	// ExpiresAt is when the entry is due, by this machine's wall clock: now
	// and what remains. The zero time means that it has no deadline.
	ExpiresAt time.Time
}

// Map is a named map of the cache, with keys of one type and values of
// another. It is safe for concurrent use. The maps of one name are the same map
// on all nodes; each process says with which Go types it looks at it.
type Map[K Key, V any] struct {
	cache       *Cache
	name        string
	table       *fsm.Table
	target      command.Target
	codec       *value.Codec[V]
	consistency Consistency
	flights     flights[K, V]

	declaring chan struct{} // of one: taken while the options travel
	declare   []command.Option
	declared  atomic.Uint64 // the cluster in which they have been, 0: none
}

// OpenMap returns the map of this name, of at most 255 bytes. It checks and
// sends nothing: the map comes into being, and its options travel, with the
// first write through the Map. From then on a map takes about 10 KB on every
// node, 40 when it has 256 entries and is read, which no budget counts, for as
// long as there is the cluster, and makes every batch of writes a little dearer:
// with 1,000 maps a lone writer is at half its rate. Maps are meant for kinds of
// entries, not for entries.
//
// V is looked at once, and refused with ErrInvalid naming the field if it has
// what could not be read back: unexported fields (unless tagged msgpack:"-"),
// channels, functions, interfaces with methods. A type that encodes itself
// (msgpack.CustomEncoder, encoding.BinaryMarshaler, encoding.TextMarshaler, with
// their counterparts) is taken as it is. Strings and byte slices are held as
// they are, everything else as MessagePack. ErrMapMismatch is returned when
// this process knows the map with another kind of key or encoding; otherwise
// the first write tells.
func OpenMap[K Key, V any](c *Cache, name string, opts ...MapOption) (*Map[K, V], error) {
	if c == nil {
		return nil, doing("opening", name, invalid("a nil *Cache"))
	}
	if len(name) > command.MaxName {
		return nil, invalid("map name of %d bytes, the most is %d: %q…", len(name), command.MaxName, name[:32])
	}
	codec, err := value.NewCodec[V]()
	if err != nil {
		return nil, doing("opening", name, invalid("%w", err))
	}
	s := mapSettings{consistency: Local}
	for _, o := range opts {
		if o == nil {
			return nil, doing("opening", name, invalid("a nil MapOption"))
		}
		if err := o.applyMap(&s); err != nil {
			return nil, doing("opening", name, err)
		}
	}
	kind := command.NewMapType(uint8(value.KeyKindOf[K]()), uint8(codec.Encoding()))
	if err := c.remember(name, kind); err != nil {
		return nil, err
	}
	m := &Map[K, V]{cache: c, name: name, table: c.node.Table(name), codec: codec, consistency: s.consistency,
		declaring: make(chan struct{}, 1), target: command.Target{Type: kind, Name: name}, declare: s.declare}
	return m, nil
}

// Get returns the value under key from this node's replica. It never blocks.
// The value is shared with everybody who reads it here, to be treated as
// read-only; a []byte is a copy.
func (m *Map[K, V]) Get(key K) (V, bool) {
	k := value.EncodeKey(key)
	if e, v := m.table.Lookup(m.target.Type, k); v != nil && !m.cache.node.Passed(v.Deadline()) {
		if decoded, err := m.decode(e, v); err == nil {
			m.cache.hits.add()
			m.table.Touch(e)
			return decoded, true
		}
	}
	m.cache.misses.add()
	var none V
	return none, false
}

// decode returns the value as the application sees it, the one that somebody
// else has decoded if there is one.
func (m *Map[K, V]) decode(e *fsm.Entry, v *fsm.Value) (V, error) {
	if !m.codec.Caches() {
		return m.codec.Decode(v.Bytes())
	}
	if decoded, ok := e.Decoded(v).(V); ok {
		return decoded, nil
	}
	decoded, err := m.codec.Decode(v.Bytes())
	if err != nil {
		return decoded, err
	}
	// Bytes found in a map of anything are not kept: whoever got them could
	// change what others read.
	if _, isBytes := any(decoded).([]byte); !isBytes {
		m.table.KeepDecoded(e, v, decoded)
	}
	return decoded, nil
}

// Read returns the entry under key at the consistency that is asked for, or the
// map's. ErrNotFound is returned when there is none.
func (m *Map[K, V]) Read(ctx context.Context, key K, opts ...ReadOption) (Entry[V], error) {
	s := readSettings{consistency: m.consistency}
	for _, o := range opts {
		if o == nil {
			return Entry[V]{}, doing("reading", m.name, invalid("a nil ReadOption"))
		}
		if err := o.applyRead(&s); err != nil {
			return Entry[V]{}, doing("reading", m.name, err)
		}
	}
	entry, err := m.read(ctx, key, s.consistency)
	return entry, doing("reading", m.name, err)
}

func (m *Map[K, V]) read(ctx context.Context, key K, c Consistency) (Entry[V], error) {
	if m.cache.closed.Load() {
		return Entry[V]{}, ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return Entry[V]{}, ended(ctx, ErrTimeout)
	}
	passed, resets := m.cache.node.Passed, m.cache.node.Resets()
	if c == Linearizable {
		if err := m.cache.node.Mark(ctx); err != nil {
			return Entry[V]{}, err
		}
		passed = m.cache.node.PassedApplied
	}
	if kind, ok := m.table.Kind(); ok && kind != m.target.Type {
		return Entry[V]{}, mismatch(kind, m.target.Type)
	}
	k := value.EncodeKey(key)
	e, v := m.table.Lookup(m.target.Type, k)
	there := v != nil && !passed(v.Deadline())
	if m.cache.node.Resets() != resets && (c == Linearizable || m.cache.closed.Load()) {
		return m.read(ctx, key, c) // the replica was emptied since the first look
	}
	if !there {
		m.cache.misses.add()
		return Entry[V]{}, ErrNotFound
	}
	m.cache.hits.add()
	m.table.Touch(e)
	decoded, err := m.decode(e, v)
	if err != nil {
		err = fmt.Errorf("%w: what is stored is no %T: %w", ErrMapMismatch, decoded, err)
	}
	return Entry[V]{Value: decoded, Version: Version(v.Version()), ExpiresAt: m.expiresAt(v.Deadline())}, err
}

func (m *Map[K, V]) expiresAt(deadline int64) time.Time {
	if deadline == 0 {
		return time.Time{}
	}
	return m.cache.node.Now().Add(m.cache.node.Remaining(deadline))
}

// TTL returns how long the entry under key has to live, on this node's
// replica; 0 means that it has no deadline, false that there is no entry.
func (m *Map[K, V]) TTL(key K) (time.Duration, bool) {
	_, v := m.table.Lookup(m.target.Type, value.EncodeKey(key))
	if v == nil || m.cache.node.Passed(v.Deadline()) {
		return 0, false
	}
	if v.Deadline() == 0 {
		return 0, true
	}
	remaining := m.cache.node.Remaining(v.Deadline())
	return remaining, remaining > 0 // it may have passed since
}

// All ranges over this node's replica, in no particular order. It is weakly
// consistent: what is there all the while comes up exactly once; what comes,
// goes or changes meanwhile may come up as it was or is, or not. No lock is held
// while the body runs, which may write to the map.
func (m *Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		kind, ok := m.table.Kind()
		if !ok || kind != m.target.Type {
			return
		}
		m.table.Walk(func(e *fsm.Entry, v *fsm.Value) bool {
			if m.cache.node.Passed(v.Deadline()) {
				return true
			}
			key, err := value.DecodeKey[K](e.Key())
			if err != nil {
				return true // a key that K cannot hold, as an int64 in an int32
			}
			decoded, err := m.decode(e, v)
			return err != nil || yield(key, decoded)
		})
	}
}

// Len returns how many entries this node's replica holds. An expired entry
// counts until it leaves memory, within a second or so.
func (m *Map[K, V]) Len() int {
	if kind, ok := m.table.Kind(); !ok || kind != m.target.Type {
		return 0
	}
	return m.table.Len()
}
