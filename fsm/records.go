package fsm

import (
	"encoding/binary"
	"fmt"

	"github.com/inelpandzic/imdgo/internal/command"
	"github.com/inelpandzic/imdgo/snapshot"
)

// The records of a snapshot. The first byte says which; numbers are big endian
// and of fixed size, so that the size of a stream follows from counts that the
// machine keeps anyway.
//
//	head    index clock wall version limit
//	map     type declared ttl entries bytes policy name
//	entry   version deadline key-length key value     of the map before it
//	origin  id low horizon row*                       row = sequence notAfter code version
//	budget  bytes member
const (
	recordHead = iota + 1
	recordMap
	recordEntry
	recordOrigin
	recordBudget
)

const (
	headRecord   = 1 + 5*8
	mapRecord    = 1 + 1 + 1 + 3*8 + 1 // and the name
	entryRecord  = 1 + 8 + 8 + 4       // and key and value
	originRecord = 1 + 8 + 8 + 8       // and the rows
	rowSize      = 8 + 8 + 1 + 8
	budgetRecord = 1 + 8 // and the member
)

func appendHead(b []byte, index uint64, clock, wall int64, version uint64, limit int64) []byte {
	b = binary.BigEndian.AppendUint64(append(b, recordHead), index)
	b = binary.BigEndian.AppendUint64(b, uint64(clock))
	b = binary.BigEndian.AppendUint64(b, uint64(wall))
	b = binary.BigEndian.AppendUint64(b, version)
	return binary.BigEndian.AppendUint64(b, uint64(limit))
}

func appendMap(b []byte, c *contents, name string) []byte {
	b = append(b, recordMap, byte(c.kind), byte(number(c.ttl.declared)))
	b = binary.BigEndian.AppendUint64(b, uint64(c.ttl.nanoseconds))
	b = binary.BigEndian.AppendUint64(b, uint64(c.limits.entries))
	b = binary.BigEndian.AppendUint64(b, uint64(c.limits.bytes))
	return append(append(b, byte(c.limits.policy)), name...)
}

func appendBudget(b []byte, member string, bytes int64) []byte {
	return append(binary.BigEndian.AppendUint64(append(b, recordBudget), uint64(bytes)), member...)
}

// appendEntryHead is all of an entry's record but the value.
func appendEntryHead(b []byte, e *Entry, v *Value) []byte {
	b = binary.BigEndian.AppendUint64(append(b, recordEntry), v.version)
	b = binary.BigEndian.AppendUint64(b, uint64(v.deadline))
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Key())))
	return append(b, e.Key()...)
}

func appendOrigin(b []byte, id uint64, o *origin, clock int64) []byte {
	b = binary.BigEndian.AppendUint64(append(b, recordOrigin), id)
	b = binary.BigEndian.AppendUint64(b, o.low)
	b = binary.BigEndian.AppendUint64(b, uint64(o.horizon))
	o.live(clock, func(r row) {
		b = binary.BigEndian.AppendUint64(b, r.sequence)
		b = binary.BigEndian.AppendUint64(b, uint64(r.notAfter))
		b = append(b, byte(r.result.Code))
		b = binary.BigEndian.AppendUint64(b, r.result.Version)
	})
	return b
}

// Builder makes a state out of records, beside the one that is in use.
type Builder struct {
	machine *Machine
	table   *contents // that entries are of
	begun   bool
}

// NewBuilder returns one that has built the empty state.
func NewBuilder() *Builder { return &Builder{machine: New(nil)} }

// Record adds a record. An error wraps snapshot.ErrDamaged.
func (b *Builder) Record(r []byte) error {
	if len(r) == 0 {
		return malformed("an empty record")
	}
	kind := r[0]
	if first := kind == recordHead; first == b.begun {
		return malformed("a record of kind %d where the head was expected, or again", kind)
	}
	switch {
	case kind == recordHead && len(r) == headRecord:
		return b.head(r[1:])
	case kind == recordMap && len(r) >= mapRecord:
		return b.openMap(r[1:])
	case kind == recordEntry && len(r) >= entryRecord:
		return b.entry(r[1:])
	case kind == recordOrigin && len(r) >= originRecord && (len(r)-originRecord)%rowSize == 0:
		return b.origin(r[1:])
	case kind == recordBudget && len(r) > budgetRecord:
		return b.budget(r[1:])
	}
	return malformed("a record of kind %d with %d bytes", kind, len(r))
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", snapshot.ErrDamaged, fmt.Errorf(format, args...))
}

func (b *Builder) head(r []byte) error {
	m := b.machine
	m.index.Store(binary.BigEndian.Uint64(r))
	m.clock.Store(int64(binary.BigEndian.Uint64(r[8:])))
	m.now = m.clock.Load()
	m.wall = int64(binary.BigEndian.Uint64(r[16:]))
	m.version = binary.BigEndian.Uint64(r[24:])
	m.limit = int64(binary.BigEndian.Uint64(r[32:]))
	b.begun = true
	if m.limit <= 0 {
		return malformed("a limit of %d bytes", m.limit)
	}
	return nil
}

// budget leaves the limit as it was: what it had come down to may be above the
// smallest budget.
func (b *Builder) budget(r []byte) error {
	bytes, member := int64(binary.BigEndian.Uint64(r)), string(r[8:])
	if b.machine.budgets[member] != 0 || bytes <= 0 || len(member) > command.MaxName {
		return malformed("a budget of %d bytes for %q, or twice", bytes, member)
	}
	b.machine.budgets[member] = bytes
	_, b.machine.target = b.machine.smallest()
	return nil
}

func (b *Builder) openMap(r []byte) error {
	name, limits := r[27:], limits{
		entries: int64(binary.BigEndian.Uint64(r[10:])),
		bytes:   int64(binary.BigEndian.Uint64(r[18:])),
		policy:  command.Policy(r[26]),
	}
	if len(name) > command.MaxName || r[1] > 1 {
		return malformed("a map with a name of %d bytes", len(name))
	}
	if limits.entries <= 0 || limits.bytes <= 0 || !limits.policy.Valid() {
		return malformed("a map with limits of %d entries and %d bytes, policy %d", limits.entries, limits.bytes, limits.policy)
	}
	table := b.machine.table(name)
	if table.contents.Load() != nil {
		return malformed("map %q twice", name)
	}
	ttl := declaredTTL{nanoseconds: int64(binary.BigEndian.Uint64(r[2:])), declared: r[1] == 1}
	b.table = newContents(b.machine, command.MapType(r[0]), ttl, limits)
	table.contents.Store(b.table)
	return nil
}

func (b *Builder) entry(r []byte) error {
	version, deadline := binary.BigEndian.Uint64(r), int64(binary.BigEndian.Uint64(r[8:]))
	n := binary.BigEndian.Uint32(r[16:])
	r = r[20:]
	if b.table == nil || n > command.MaxKey || int(n) > len(r) || deadline < 0 || version > b.machine.version {
		return malformed("an entry with a key of %d bytes, version %d and deadline %d", n, version, deadline)
	}
	if !b.table.restore(alias(r[:n]), newValue(version, deadline, r[n:])) {
		return malformed("an entry twice")
	}
	if m := b.machine; m.used > m.limit {
		return malformed("entries that take %d bytes, where the limit is %d", m.used, m.limit)
	}
	return nil
}

func (b *Builder) origin(r []byte) error {
	id, o := binary.BigEndian.Uint64(r), new(origin)
	low, horizon := binary.BigEndian.Uint64(r[8:]), int64(binary.BigEndian.Uint64(r[16:]))
	r = r[24:]
	if b.machine.origins[id] != nil || len(r)/rowSize > command.MaxWindow {
		return malformed("origin %016x with %d rows, or twice", id, len(r)/rowSize)
	}
	o.restore(low, horizon, len(r)/rowSize, func(i int) row {
		r := r[i*rowSize:]
		return row{
			sequence: binary.BigEndian.Uint64(r),
			notAfter: int64(binary.BigEndian.Uint64(r[8:])),
			result:   command.Result{Code: command.Code(r[16]), Version: binary.BigEndian.Uint64(r[17:])},
		}
	})
	b.machine.origins[id] = o
	return nil
}

// Account is what the entries take that have been built so far, and what they may
// take where the state comes from.
func (b *Builder) Account() Account {
	return Account{Used: b.machine.used, Limit: b.machine.limit}
}

// adoptedBy is c as contents of m, which has what is decoded of all maps.
func (c *contents) adoptedBy(m *Machine) *contents {
	if c != nil {
		c.copies = m.copies
	}
	return c
}

// Adopt makes the state that b has built the machine's, in place of its own.
// Tables stay who they are; a reader finds the one state or the other. b must
// not be used any more.
func (m *Machine) Adopt(b *Builder) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cut != nil {
		m.cut.abort(errOvertaken)
	}
	for name, t := range m.tables {
		if former := t.contents.Load(); former != nil {
			former.cleared.Store(true)
			m.copies.stale.Store(true)
		}
		var c *contents
		if from := b.machine.tables[name]; from != nil {
			c = from.contents.Load()
		}
		t.contents.Store(c.adoptedBy(m))
	}
	for name, from := range b.machine.tables {
		if m.tables[name] == nil {
			m.table([]byte(name)).contents.Store(from.contents.Load().adoptedBy(m))
		}
	}
	m.origins, m.ledger, m.wall = b.machine.origins, b.machine.ledger, b.machine.wall
	m.index.Store(b.machine.index.Load())
	m.clock.Store(b.machine.clock.Load())
}
