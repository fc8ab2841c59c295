package fsm

import (
	"sync"
	"sync/atomic"
)

const (
	// decodedOverhead is what a decoded value is taken to need beside its bytes.
	decodedOverhead = 96
	// chances bounds how many copies are passed over for one that goes.
	chances = 64
)

// decoded is a value as the application sees it. It names the value that it
// was decoded from, because of this schedule: a reader loads value 1; a write
// stores value 2; the reader keeps what it decoded. The next reader must see
// that this is not value 2. (The version does not tell them apart: a SetMany
// that names a key twice writes both under one.)
type decoded struct {
	from  *Value // nil in noCopy alone
	value any
	read  atomic.Bool // since it was kept or last passed over
}

// noCopy stands in an entry that still has its place in the queue of copies and
// none in it. In one without a place stands nil.
var noCopy = new(decoded)

func (d *decoded) size() int64 {
	if d == nil || d.from == nil {
		return 0
	}
	return decodedOverhead + int64(d.from.size)*3/2
}

// copies are the decoded values that this node keeps beside the encoded ones, in
// the order in which they came. What has been read since gets a second chance.
// They are a node's own and no part of the state.
//
// An entry has one place in the queue at the most, and says so itself, see
// noCopy. Writers and readers change it by compare-and-swap, without the lock.
type copies struct {
	limit int64 // in bytes, as far as they can be estimated
	used  atomic.Int64
	gone  atomic.Int64 // places of entries that have none any more
	stale atomic.Bool  // a map was cleared: all of its places are of no use

	mu    sync.Mutex // guards the queue
	queue []place
	first int // of the queue: what is before it has been taken out
}

// place is an entry's in the queue.
type place struct {
	entry *Entry
	of    *contents
}

// keep keeps the decoded form of v for the readers that follow, and lets go of
// others if there is too much.
func (c *copies) keep(of *contents, e *Entry, v *Value, value any) {
	d := &decoded{from: v, value: value}
	if d.size() > c.limit {
		return
	}
	former := e.decoded.Load()
	if former != nil && former.from == v || !e.decoded.CompareAndSwap(former, d) {
		return // somebody else has been faster
	}
	c.used.Add(d.size() - former.size())
	switch former {
	case nil:
		c.mu.Lock()
		c.queue = append(c.queue, place{e, of})
		c.mu.Unlock()
	case noCopy:
		c.gone.Add(-1)
	}
	if c.used.Load() > c.limit || c.stale.Load() || c.sparse() {
		c.trim()
	}
}

// drop lets go of what was decoded from a value that has been replaced.
func (c *copies) drop(e *Entry) {
	for d := e.decoded.Load(); d != nil && d != noCopy; d = e.decoded.Load() {
		if e.decoded.CompareAndSwap(d, noCopy) {
			c.used.Add(-d.size())
			c.gone.Add(1)
			return
		}
	}
}

// carry keeps what was decoded from one value for another of the same bytes.
func (c *copies) carry(e *Entry, from, to *Value) {
	if d := e.decoded.Load(); d != nil && d.from == from {
		e.decoded.CompareAndSwap(d, &decoded{from: to, value: d.value})
	}
}

// sparse reports whether more places are of no use than are.
func (c *copies) sparse() bool {
	gone := c.gone.Load()
	if gone < 1024 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return gone > int64(len(c.queue)-c.first)/2
}

// trim makes the queue fit again.
func (c *copies) trim() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stale.Swap(false) || c.gone.Load() > int64(len(c.queue)-c.first)/2 {
		c.compact()
	}
	for passed := 0; c.used.Load() > c.limit && c.first < len(c.queue); {
		p := c.queue[c.first]
		c.queue[c.first] = place{}
		c.first++
		if passed < chances && p.entry.decodedIsRead() {
			passed++
			c.queue = append(c.queue, p)
		} else {
			c.take(p)
		}
	}
	if c.first > len(c.queue)/2 {
		n := copy(c.queue, c.queue[c.first:])
		clear(c.queue[n:])
		c.queue, c.first = c.queue[:n], 0
	}
}

// compact takes the places out that are of no use.
func (c *copies) compact() {
	left := c.queue[:0]
	for _, p := range c.queue[c.first:] {
		if p.of.cleared.Load() || !p.entry.hasDecoded() {
			c.take(p)
		} else {
			left = append(left, p)
		}
	}
	clear(c.queue[len(left):])
	c.queue, c.first = left, 0
}

// take makes sure that an entry that has lost its place has nothing decoded.
func (c *copies) take(p place) {
	d := p.entry.decoded.Swap(nil)
	c.used.Add(-d.size())
	if d == noCopy {
		c.gone.Add(-1)
	}
}

func (e *Entry) hasDecoded() bool { return e.decoded.Load() != noCopy }

// decodedIsRead reports whether it was read since the last time it was asked.
func (e *Entry) decodedIsRead() bool {
	d := e.decoded.Load()
	return d != nil && d.from != nil && d.read.Swap(false)
}

// Decoded returns what KeepDecoded kept for v, or nil.
func (e *Entry) Decoded(v *Value) any {
	if d := e.decoded.Load(); d != nil && d.from == v {
		if !d.read.Load() {
			d.read.Store(true)
		}
		return d.value
	}
	return nil
}

// KeepDecoded keeps the decoded form of v, which e holds, for the readers that
// follow.
func (t *Table) KeepDecoded(e *Entry, v *Value, value any) {
	if c := t.contents.Load(); c != nil {
		t.machine.copies.keep(c, e, v, value)
	}
}

// DecodedBytes is what decoded values take, as far as that can be estimated.
func (m *Machine) DecodedBytes() int64 { return m.copies.used.Load() }

// LimitDecoded sets how many bytes decoded values may take: any number unless
// named. It must be called before the machine is used.
func (m *Machine) LimitDecoded(bytes int64) { m.copies.limit = bytes }
