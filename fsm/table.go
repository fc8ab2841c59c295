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
	notices  atomic.Pointer[notices]  // nil unless the leader wants to hear of reads
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
	hash := c.items.hash(key)
	if e, v := c.front.get(hash, key); v != nil {
		return e, v
	}
	e, ok := c.items.get(hash, key)
	if !ok {
		return nil, nil
	}
	c.front.keep(hash, e, c.entries.Load())
	return e, e.value.Load()
}

// Len is how many entries are resident, expired ones included until they go.
func (t *Table) Len() int {
	if c := t.contents.Load(); c != nil {
		return int(c.entries.Load())
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
