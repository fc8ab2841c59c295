package fsm

import (
	"errors"
	"io"

	"github.com/inelpandzic/imdgo/snapshot"
)

// ErrCutOpen is returned when a cut is asked for while another one is open.
var ErrCutOpen = errors.New("another cut of the state is open")

var errOvertaken = errors.New("the state that was cut has been replaced by a restored one")

// Cut is the state at one moment, which can be read while the machine goes on.
// Taking it copies nothing that grows with the entries: it is the end of every
// map's sequence, and while it is open every entry before that end that changes
// or goes is remembered as it was, until it has been read.
type Cut struct {
	machine *Machine
	index   uint64
	size    int64
	head    []byte
	others  [][]byte // records of budgets and origins
	tables  []*cutTable

	// Guarded by the machine's mutex.
	old  map[*Entry]*Value // as they were
	undo int64             // the bytes that these keep alive
	err  error             // why it cannot be read any more
}

// cutTable is the part of a cut that is about one map. Its methods are called
// with the machine's mutex held; a nil one is of a map that is not being cut.
type cutTable struct {
	cut      *Cut
	contents *contents
	record   []byte
	end      uint64   // entries above this number came later
	reached  uint64   // entries up to this number have been read
	gone     []*Entry // that were not read yet when they went
	cleared  int64    // the cost of all of them, if the map was cleared
}

// Cut returns the state of this moment. Close must be called in the end.
func (m *Machine) Cut() (*Cut, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cut != nil {
		return nil, ErrCutOpen
	}
	clock := m.clock.Load()
	c := &Cut{machine: m, index: m.index.Load(), old: make(map[*Entry]*Value),
		head: appendHead(nil, m.index.Load(), clock, m.wall, m.version, m.limit)}
	payload := snapshot.RecordSize(len(c.head))
	for member, bytes := range m.budgets {
		r := appendBudget(nil, member, bytes)
		c.others = append(c.others, r)
		payload += snapshot.RecordSize(len(r))
	}
	for name, t := range m.tables {
		contents := t.contents.Load()
		if contents == nil {
			continue
		}
		ct := &cutTable{cut: c, contents: contents, end: contents.sequence.next,
			record: appendMap(nil, contents, name)}
		contents.cut = ct
		c.tables = append(c.tables, ct)
		payload += snapshot.RecordSize(len(ct.record)) + contents.bytes +
			contents.entries.Load()*snapshot.RecordSize(entryRecord)
	}
	for id, o := range m.origins {
		if !o.forgotten(clock) {
			r := appendOrigin(nil, id, o, clock)
			c.others = append(c.others, r)
			payload += snapshot.RecordSize(len(r))
		}
	}
	c.size = payload
	m.cut = c
	return c, nil
}

// Index is the log index of the last entry in the cut.
func (c *Cut) Index() uint64 { return c.index }

// Size is the exact size of the stream that WriteTo writes.
func (c *Cut) Size() int64 { return snapshot.Size(c.size) }

// Undo is how many bytes the cut keeps alive of what has been replaced or has gone,
// counted as entries are: they are in the account of the machine no more.
func (c *Cut) Undo() int64 {
	c.machine.mu.Lock()
	defer c.machine.mu.Unlock()
	return c.undo
}

// Abort makes WriteTo fail with err.
func (c *Cut) Abort(err error) {
	c.machine.mu.Lock()
	defer c.machine.mu.Unlock()
	c.abort(err)
}

func (c *Cut) abort(err error) {
	if c.err == nil {
		c.err = err
	}
	c.release()
}

// Close lets the state go. WriteTo must have returned.
func (c *Cut) Close() {
	c.machine.mu.Lock()
	defer c.machine.mu.Unlock()
	c.release()
}

func (c *Cut) release() {
	for _, t := range c.tables {
		t.finish()
	}
	c.old, c.undo = nil, 0
	if c.machine.cut == c {
		c.machine.cut = nil
	}
}

// WriteTo writes the cut as a snapshot stream; once. The machine's mutex is
// held for a segment of entries at a time.
func (c *Cut) WriteTo(to io.Writer) (int64, error) {
	counted := &countingWriter{to: to}
	w, err := snapshot.NewWriter(counted, c.size)
	if err == nil {
		err = w.Record(c.head)
	}
	for i := 0; i < len(c.tables) && err == nil; i++ {
		err = c.tables[i].write(w)
	}
	for i := 0; i < len(c.others) && err == nil; i++ {
		err = w.Record(c.others[i])
	}
	if err == nil {
		err = w.Close()
	}
	return counted.n, err
}

// countingWriter counts what is written through it.
type countingWriter struct {
	to io.Writer
	n  int64
}

// Write implements io.Writer.
func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.n += int64(n)
	return n, err
}

// held is an entry as it was when the cut was taken.
type held struct {
	entry *Entry
	value *Value
}

func (t *cutTable) write(w *snapshot.Writer) error {
	if err := w.Record(t.record); err != nil {
		return err
	}
	var batch []held
	var entries []*Entry
	var scratch []byte
	for more := true; more; {
		var err error
		if batch, entries, more, err = t.read(batch[:0], entries[:0]); err != nil {
			return err
		}
		for _, h := range batch {
			scratch = appendEntryHead(scratch[:0], h.entry, h.value)
			if err := w.Record(scratch, h.value.Bytes()); err != nil {
				return err
			}
		}
	}
	return nil
}

// read takes the next segment's entries as they were, and in the end those
// that have gone before they were read.
func (t *cutTable) read(batch []held, entries []*Entry) (_ []held, _ []*Entry, more bool, _ error) {
	m := t.cut.machine
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.cut.err != nil {
		return nil, nil, false, t.cut.err
	}
	if t.reached < t.end {
		var reached uint64
		entries, reached, more = t.contents.sequence.after(t.reached, entries)
		for _, e := range entries {
			if e.number() <= t.end {
				batch = append(batch, held{e, t.cut.asItWas(e)})
			}
		}
		t.reached = max(reached, t.reached)
		if more {
			return batch, entries, true, nil
		}
		t.reached = t.end
	}
	for _, e := range t.gone {
		batch = append(batch, held{e, t.cut.asItWas(e)})
		t.cut.undo -= goneCost(e)
	}
	t.cut.undo -= t.cleared
	t.finish()
	return batch, entries, false, nil
}

// finish ends the reading of a map, which needs to remember nothing any more.
func (t *cutTable) finish() {
	if t.contents != nil && t.contents.cut == t {
		t.contents.cut = nil
	}
	t.contents, t.gone = nil, nil
}

// goneCost is what an entry that has gone takes beside its value.
func goneCost(e *Entry) int64 { return entryCost + entryBytes(len(e.Key())) }

func keptCost(v *Value) int64 { return allocated(valueHeader + int(v.size)) }

// asItWas is the value of an entry when the cut was taken, which is from now on
// the reader's to hold.
func (c *Cut) asItWas(e *Entry) *Value {
	v, changed := c.old[e]
	if !changed {
		return e.value.Load()
	}
	delete(c.old, e)
	c.undo -= keptCost(v)
	return v
}

// keep remembers an entry that is about to change, unless it has been read or
// came later.
func (t *cutTable) keep(e *Entry) bool {
	if t == nil || e.number() > t.end || e.number() <= t.reached || e.number() == 0 {
		return false
	}
	if _, kept := t.cut.old[e]; !kept {
		v := e.value.Load()
		t.cut.old[e] = v
		t.cut.undo += keptCost(v)
	}
	return true
}

// keepGone remembers an entry that is about to go.
func (t *cutTable) keepGone(e *Entry) {
	if t.keep(e) {
		t.gone = append(t.gone, e)
		t.cut.undo += goneCost(e)
	}
}

// keepAll remembers a map that is about to be cleared, with all that is in it.
func (t *cutTable) keepAll(cost int64) {
	if t != nil {
		t.cleared = cost
		t.cut.undo += cost
	}
}
