package fsm

import (
	"sync/atomic"

	"github.com/inelpandzic/imdgo/internal/command"
)

// Table is one map, as a node has it for as long as it lives. It may be asked
// for before the map exists: then it is empty.
type Table struct {
	machine  *Machine
	name     string
	contents atomic.Pointer[contents] // nil until the map exists
}

// contents is what a map holds between two clears: emptying it puts a new one
// in its place, so that neither a write nor a reader walks anything.
type contents struct {
	kind    command.MapType
	ttl     declaredTTL
	items   index
	entries atomic.Int64
	bytes   atomic.Int64 // of the keys and values

	// Guarded by the machine's mutex.
	sequence  sequence
	deadlines deadlines
	cut       *cutTable // while a cut of it is open
}

// declaredTTL is a map's default TTL, once somebody has declared one.
type declaredTTL struct {
	nanoseconds int64
	declared    bool
}

func newContents(kind command.MapType, ttl declaredTTL) *contents {
	c := &contents{kind: kind, ttl: ttl}
	c.items.init()
	return c
}

// Name is the name of the map.
func (t *Table) Name() string { return t.name }

// Kind returns what the map holds; false while it does not exist.
func (t *Table) Kind() (command.MapType, bool) {
	if c := t.contents.Load(); c != nil {
		return c.kind, true
	}
	return 0, false
}

// Lookup returns the entry of key and what it holds. Nil means that there is
// none, or that the map is of another kind. It does not look at the deadline:
// that is for whoever knows the time.
func (t *Table) Lookup(kind command.MapType, key string) (*Entry, *Value) {
	c := t.contents.Load()
	if c == nil || c.kind != kind {
		return nil, nil
	}
	e, ok := c.items.get(key)
	if !ok {
		return nil, nil
	}
	return e, e.value.Load()
}

// Len is how many entries are resident, expired ones included until they go.
func (t *Table) Len() int {
	if c := t.contents.Load(); c != nil {
		return int(c.entries.Load())
	}
	return 0
}

// Bytes is the size of the keys and values that are resident.
func (t *Table) Bytes() int64 {
	if c := t.contents.Load(); c != nil {
		return c.bytes.Load()
	}
	return 0
}

// Walk calls yield for what the map holds, in the order in which it came, until
// yield returns false. It is weakly consistent: an entry that is there all the
// while is seen exactly once; one that comes, goes or changes meanwhile may be
// seen as it was or is, or not at all. No lock is held while yield runs; the
// machine's is taken for the moment that it takes to copy a segment.
func (t *Table) Walk(yield func(*Entry, *Value) bool) {
	c := t.contents.Load()
	if c == nil {
		return
	}
	t.machine.mu.Lock()
	end := c.sequence.next // what yield writes is not walked, or it might never end
	t.machine.mu.Unlock()
	var entries []*Entry
	for number, more := uint64(0), true; more && number < end; {
		t.machine.mu.Lock()
		entries, number, more = c.sequence.after(number, entries[:0])
		t.machine.mu.Unlock()
		for _, e := range entries {
			if v := e.value.Load(); v != nil && !yield(e, v) {
				return
			}
		}
	}
}

// put writes an entry. The key and the data are copied.
func (c *contents) put(key, data []byte, version uint64, deadline int64) {
	v := newValue(version, deadline, data)
	if e, ok := c.items.get(alias(key)); ok {
		c.replace(e, v)
		c.deadlines.schedule(e, deadline)
		return
	}
	c.insert(string(key), v)
}

// insert adds an entry under a key that has none. False means that it has one,
// and nothing was done.
func (c *contents) insert(key string, v *Value) bool {
	e := &Entry{key: key}
	e.value.Store(v)
	if !c.items.add(e, c.entries.Load()+1) {
		return false
	}
	c.sequence.add(e)
	c.deadlines.schedule(e, v.deadline)
	c.entries.Add(1)
	c.bytes.Add(int64(len(key)) + int64(v.size))
	return true
}

// replace puts v in the place of what e holds.
func (c *contents) replace(e *Entry, v *Value) {
	c.cut.keep(e)
	c.bytes.Add(int64(v.size) - int64(e.value.Load().size))
	e.value.Store(v)
	e.dropDecoded()
}

// remove takes e out. A reader that holds it finds it empty.
func (c *contents) remove(e *Entry) {
	c.cut.keepGone(e)
	c.sequence.remove(e)
	c.deadlines.remove(e)
	c.items.remove(e, c.entries.Add(-1))
	c.bytes.Add(-int64(len(e.key)) - int64(e.value.Load().size))
	e.value.Store(nil)
	e.dropDecoded()
}
