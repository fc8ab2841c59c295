package fsm

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/inelpandzic/imdgo/internal/command"
)

// Deliver is told what became of the operations of a part: results[i] is that
// of sequence first+i, at the cluster's time stamp. It is called while the
// batch is being applied, on the goroutine that applies, after the part's
// operations can be read: it must not block, not call the machine, and not keep
// results, which are used again.
type Deliver func(origin, first uint64, results []command.Result, stamp int64)

// Machine is the state.
type Machine struct {
	deliver Deliver
	copies  *copies

	mu      sync.Mutex // guards all below, and the deadlines of every table
	tables  map[string]*Table
	origins map[uint64]*origin
	*ledger
	wall    int64
	results []command.Result // used again for every part
	scratch []*Entry         // likewise, for the indexes that are being filled anew
	cut     *Cut             // that is open, or nil
	offer   offer            // of the present batch
	demand  demand

	suppliers suppliers // used again for every offer

	index       atomic.Uint64
	clock       atomic.Int64
	expirations atomic.Uint64
	evictions   atomic.Uint64
	resets      atomic.Uint64
}

// New returns an empty machine. deliver may be nil.
func New(deliver Deliver) *Machine {
	return &Machine{
		deliver: deliver,
		copies:  &copies{limit: math.MaxInt64},
		tables:  make(map[string]*Table),
		origins: make(map[uint64]*origin),
		ledger:  newLedger(),
		demand:  demand{ratio: firstRatio},
	}
}

// Apply applies the log entry at index. An error means that the entry is not
// one this release can read: the node must stop, since to skip it would make
// its replica another one.
func (m *Machine) Apply(index uint64, entry []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	batch, err := command.ReadBatch(entry)
	if err != nil {
		return fmt.Errorf("applying log entry %d: %w", index, err)
	}
	m.advance(&batch)
	if err := m.decided(&batch.Decided); err != nil {
		return fmt.Errorf("applying log entry %d: %w", index, err)
	}
	var part command.Part
	for batch.Next(&part) {
		if err := m.applyPart(&part); err != nil {
			return fmt.Errorf("applying log entry %d: %w", index, err)
		}
	}
	if err := batch.Err(); err != nil {
		return fmt.Errorf("applying log entry %d: %w", index, err)
	}
	m.finish()
	m.index.Store(index)
	return nil
}

// decided carries out what the leader decided before it comes to what others
// have asked for.
func (m *Machine) decided(d *command.Decisions) error {
	for _, b := range d.Budgets {
		m.budget(b)
	}
	if d.Expires {
		m.expire(d.Expire)
	}
	return m.offer.open(m, &d.Victims)
}

// finish does what is done with every batch.
func (m *Machine) finish() {
	m.offer.rest(m)
	m.demand.learn()
	for _, table := range m.tables {
		if c := table.contents.Load(); c != nil {
			c.demand.learn()
			c.arrivals.learn()
			m.scratch = c.items.step(&c.sequence, m.scratch)
		}
	}
}

// advance moves the clock. It never goes back: a new leader stamps at least
// what it has applied, and a stamp from before is simply not later.
func (m *Machine) advance(batch *command.Batch) {
	if batch.Stamp > m.clock.Load() {
		m.clock.Store(batch.Stamp)
	}
	m.now = m.clock.Load()
	m.wall = batch.Wall
}

var errCount = fmt.Errorf("%w: not as many operations as announced", command.ErrMalformed)

func (m *Machine) applyPart(p *command.Part) error {
	clock := m.clock.Load()
	o := m.origins[p.Origin]
	if o == nil {
		m.forget(clock)
		o = new(origin)
		m.origins[p.Origin] = o
	}
	o.enter(p, clock)
	m.results = m.results[:0]
	sequence := p.First
	ops, op := command.ReadOps(p.Ops), command.Op{}
	for ops.Next(&op) {
		if len(m.results) == p.Count {
			return errCount // the table of results has room for no more
		}
		m.results = append(m.results, m.once(o, p, sequence, &op))
		sequence++
	}
	if err := ops.Err(); err != nil {
		return err
	}
	if len(m.results) != p.Count {
		return errCount
	}
	if m.deliver != nil {
		m.deliver(p.Origin, p.First, m.results, clock)
	}
	return nil
}

// once applies an operation unless that has been done, or may no longer be.
//
// The schedule it is for: a leader logs a part and dies; the origin hands the
// same part to the next leader, which logs it again. Both copies are applied,
// the second one finds the result of the first.
func (m *Machine) once(o *origin, p *command.Part, sequence uint64, op *command.Op) command.Result {
	if sequence < o.low {
		return command.Result{Code: command.TooLate} // nobody is waiting for it any more
	}
	if result, ok := o.find(sequence, m.clock.Load()); ok {
		return result
	}
	switch op.Kind {
	case command.Nothing, command.Marker:
		return command.Result{Code: command.Applied}
	}
	notAfter := p.NotAfter(op.Patience)
	if notAfter < m.clock.Load() {
		return command.Result{Code: command.TooLate}
	}
	result := m.perform(op)
	o.keep(sequence, notAfter, result)
	return result
}

// forget drops the origins that count as forgotten, when a new one comes.
func (m *Machine) forget(clock int64) {
	for id, o := range m.origins {
		if o.forgotten(clock) {
			delete(m.origins, id)
		}
	}
}

// expire removes what the threshold covers, from every map.
func (m *Machine) expire(t command.Threshold) {
	for _, table := range m.tables {
		c := table.contents.Load()
		if c == nil {
			continue
		}
		before := c.entries.Load()
		c.deadlines.covered(t, c.remove)
		m.expirations.Add(uint64(before - c.entries.Load()))
	}
}

// Due finds a threshold for an expire command at now: the earliest entries
// that are due, about most of them in a map and at least one. False means that
// nothing is.
// Only slots that are wholly past count, see [deadlines].
func (m *Machine) Due(now int64, most int) (command.Threshold, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var least command.Threshold
	found := false
	for _, table := range m.tables {
		c := table.contents.Load()
		if c == nil {
			continue
		}
		t, ok := c.deadlines.due(now, most)
		if ok && (!found || least.Covers(t.Deadline, t.Version)) {
			least, found = t, true
		}
	}
	return least, found
}

// HasDeadlines reports whether any entry has a deadline, and so whether the
// cluster's clock matters while nothing is written.
func (m *Machine) HasDeadlines() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, table := range m.tables {
		if c := table.contents.Load(); c != nil && c.deadlines.timed > 0 {
			return true
		}
	}
	return false
}

// NextDue is the moment from which on [Machine.Due] may find something if nothing
// is written until then; false means that no entry has a deadline.
func (m *Machine) NextDue() (at int64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, table := range m.tables {
		if c := table.contents.Load(); c != nil && c.deadlines.timed > 0 {
			if first := c.deadlines.order[0].last(); !ok || first < at {
				at, ok = first, true
			}
		}
	}
	return at, ok
}

// Refilling reports whether a map's index is being made anew, which goes on
// with every batch that is applied.
func (m *Machine) Refilling() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, table := range m.tables {
		if c := table.contents.Load(); c != nil && c.items.filling() {
			return true
		}
	}
	return false
}

// Table returns the map of this name, which need not exist. It stays the same
// one until the machine is no longer used.
func (m *Machine) Table(name string) *Table {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.table([]byte(name))
}

func (m *Machine) table(name []byte) *Table {
	if t, ok := m.tables[string(name)]; ok {
		return t
	}
	t := &Table{machine: m, name: string(name)}
	m.tables[t.name] = t
	return t
}

// Reset empties the machine, for a node that begins another life or makes room
// for a state that is on its way. Tables stay who they are. Nothing that is a
// node's own holds on to the entries afterwards: there may be no reader for long
// whose copy would be the occasion to let go of the others.
func (m *Machine) Reset() {
	m.resets.Add(1)
	m.Adopt(NewBuilder())
	m.copies.trim()
}

// Resets is how often the machine has been emptied. It is counted before that is
// begun, so whoever reads the same number before and after has read a state that
// was there.
func (m *Machine) Resets() uint64 { return m.resets.Load() }

// Index is the log index of the last entry applied.
func (m *Machine) Index() uint64 { return m.index.Load() }

// Clock is the applied clock: the largest stamp that has been applied, in
// nanoseconds of the cluster's time.
func (m *Machine) Clock() int64 { return m.clock.Load() }

// Wall is the leader's wall clock at the last batch that was applied, in
// nanoseconds. Nothing in the state is decided by it.
func (m *Machine) Wall() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wall
}

// Expirations is how many entries have left because their deadline passed.
func (m *Machine) Expirations() uint64 { return m.expirations.Load() }

// Evictions is how many entries have left to make room.
func (m *Machine) Evictions() uint64 { return m.evictions.Load() }
