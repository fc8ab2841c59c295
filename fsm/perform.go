package fsm

import (
	"cmp"
	"math"
	"slices"

	"github.com/inelpandzic/imdgo/internal/command"
)

var mismatch = command.Result{Code: command.Mismatch}

// perform does what an operation asks for, now. The map comes into being with
// the first operation that names it, so that a declaration is not needed and
// cannot be missed.
func (m *Machine) perform(op *command.Op) command.Result {
	table := m.table(op.Map)
	c := table.contents.Load()
	if c == nil {
		c = newContents(m, op.Type, declaredTTL{}, noLimits)
		table.contents.Store(c)
	}
	if c.kind != op.Type {
		return mismatch
	}
	switch op.Kind {
	case command.Set, command.SetIfAbsent, command.CompareAndSwap:
		return m.set(c, op)
	case command.SetMany:
		return m.setMany(c, op)
	case command.Delete:
		return m.deleteKeys(c, op)
	case command.CompareAndDelete:
		return m.compareAndDelete(c, op)
	case command.Touch:
		return m.touch(c, op)
	case command.Clear:
		return m.clear(table, c)
	default: // command.Declare: Ops lets no other kind through
		return declare(c, op)
	}
}

// written is the result of a write that took place; it counts it.
func (m *Machine) written() command.Result {
	m.version++
	return command.Result{Code: command.Applied, Version: m.version}
}

// present returns the entry of key unless it is absent at the applied clock.
// What has expired is absent to every operation of the batch, also while it
// still lies in memory.
func (m *Machine) present(c *contents, key []byte) (*Entry, *Value) {
	e := c.find(key)
	if v := m.standing(e); v != nil {
		return e, v
	}
	return nil, nil
}

// standing is what an entry holds, nil if it is absent.
func (m *Machine) standing(e *Entry) *Value {
	if e == nil {
		return nil
	}
	if v := e.value.Load(); v.presentAt(m.clock.Load()) {
		return v
	}
	return nil
}

// versionOf is the version that stands, 0 for absent.
func (m *Machine) versionOf(e *Entry) uint64 {
	if v := m.standing(e); v != nil {
		return v.version
	}
	return 0
}

func (m *Machine) set(c *contents, op *command.Op) command.Result {
	e := c.find(op.Key)
	if op.Kind != command.Set {
		// SetIfAbsent has no old version: it wants 0, nothing there.
		if stands := m.versionOf(e); stands != op.Old {
			return command.Result{Code: command.Unmet, Version: stands}
		}
	}
	if code := m.room(c, c.growth(e, op.Key, op.Value), only(e)); code != command.Applied {
		return command.Result{Code: code}
	}
	result := m.written()
	c.put(e, op.Key, op.Value, result.Version, m.deadline(c, op.TTL))
	return result
}

func (m *Machine) setMany(c *contents, op *command.Op) command.Result {
	own, code := m.roomForMany(c, op)
	if code != command.Applied {
		return command.Result{Code: code}
	}
	result := m.written()
	deadline := m.deadline(c, op.TTL)
	put := func(e *Entry, key, value []byte) { c.put(e, key, value, result.Version, deadline) }
	if len(own) > 0 {
		// What shrinks comes first: its room is what the others have counted on.
		op.Pairs(func(key, value []byte) {
			if e := c.find(key); e != nil && c.growth(e, key, value).bytes < 0 {
				put(e, key, value)
			}
		})
	}
	op.Pairs(func(key, value []byte) { put(c.find(key), key, value) })
	return result
}

// roomForMany looks at the entries that are there, which it returns, only if it
// must. What they take is set off against what comes: they may not be evicted for
// the operation, and it would never find room if it needed theirs. A key that is
// named twice counts twice.
func (m *Machine) roomForMany(c *contents, op *command.Op) ([]*Entry, command.Code) {
	var g growth
	op.Pairs(func(key, value []byte) { g.add(c.growth(nil, key, value)) })
	if c.fits(g) && g.bytes <= m.limit-m.used {
		return nil, m.room(c, g, nil)
	}
	var own []*Entry
	op.Pairs(func(key, _ []byte) {
		if e := c.find(key); e != nil {
			own = append(own, e)
			g.entries--
		}
	})
	slices.SortFunc(own, func(a, b *Entry) int { return cmp.Compare(a.number(), b.number()) })
	own = slices.Compact(own)
	for _, e := range own {
		g.bytes -= e.Cost()
	}
	return own, m.room(c, g, own)
}

// only is a list of e, or of nothing if that is nil.
func only(e *Entry) []*Entry {
	if e == nil {
		return nil
	}
	return []*Entry{e}
}

func (m *Machine) deleteKeys(c *contents, op *command.Op) command.Result {
	result := m.written()
	op.Keys(func(key []byte) {
		if e := c.find(key); e != nil {
			c.remove(e)
		}
	})
	result.Version = 0
	return result
}

func (m *Machine) compareAndDelete(c *contents, op *command.Op) command.Result {
	e, v := m.present(c, op.Key)
	if v == nil || v.version != op.Old {
		return command.Result{Code: command.Unmet, Version: m.versionOf(e)}
	}
	m.written()
	c.remove(e)
	return command.Result{Code: command.Applied}
}

// touch copies the value, because a reader must see value and deadline change
// together: with the deadline beside the value, this one would come to life
// again: an expired entry is overwritten, deadline first; a reader finds the
// old value with the new deadline.
func (m *Machine) touch(c *contents, op *command.Op) command.Result {
	e, v := m.present(c, op.Key)
	if v == nil {
		return command.Result{Code: command.Unmet}
	}
	deadline := m.deadline(c, op.TTL)
	moved := newValue(v.version, deadline, v.Bytes())
	c.cut.keep(e)
	e.value.Store(moved)
	m.copies.carry(e, v, moved)
	c.deadlines.schedule(e, deadline, m.now)
	return command.Result{Code: command.Applied, Version: v.version}
}

func (m *Machine) clear(table *Table, c *contents) command.Result {
	result := m.written()
	c.clear()
	table.contents.Store(newContents(m, c.kind, c.ttl, c.limits))
	result.Version = 0
	return result
}

func declare(c *contents, op *command.Op) command.Result {
	op.Options(func(o command.Option) {
		switch o.Field {
		case command.FieldTTL:
			c.ttl = declaredTTL{nanoseconds: int64(o.Value), declared: true}
		case command.FieldEntries:
			c.limits.entries = orNone(o.Value)
		case command.FieldBytes:
			c.limits.bytes = orNone(o.Value)
		case command.FieldPolicy:
			c.setPolicy(command.Policy(o.Value))
		}
	})
	return command.Result{Code: command.Applied}
}

// orNone is a limit, of which 0 means none.
func orNone(limit uint64) int64 {
	if limit == 0 {
		return math.MaxInt64
	}
	return int64(limit)
}

// deadline is when an entry written now with this TTL is due: the caller's own
// comes first, then the map's, then what the caller's cache has as default.
func (m *Machine) deadline(c *contents, ttl command.TTL) int64 {
	d := ttl.Nanoseconds
	if !ttl.Explicit && c.ttl.declared {
		d = c.ttl.nanoseconds
	}
	if d == 0 {
		return 0
	}
	if clock := m.clock.Load(); d <= math.MaxInt64-clock {
		return clock + d
	}
	return math.MaxInt64
}
