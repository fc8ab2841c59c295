package fsm

import (
	"errors"
	"fmt"
	"testing"

	"github.com/inelpandzic/imdgo/internal/command"
)

const (
	second = int64(1e9)
	hour   = 3600 * second
)

// sessions is the map of the tests that need only one.
var sessions = command.Target{Type: command.NewMapType(1, 1), Name: "sessions"}

// replica is a machine under test, with what it delivered. Whatever a test did
// to it, its index and its counters agree with what it holds at the end.
type replica struct {
	*Machine
	t         testing.TB
	delivered []command.Result // of the last batch
}

func newReplica(t testing.TB) *replica {
	r := &replica{t: t}
	r.Machine = New(func(_, _ uint64, results []command.Result, _ int64) {
		r.delivered = append(r.delivered, results...)
		if err := r.ledger.invariants(r.tables); err != nil {
			t.Errorf("in the middle of a batch: %v", err)
		}
	})
	t.Cleanup(func() {
		if err := r.invariants(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// apply applies a batch and returns the results of its operations.
func (r *replica) apply(stamp int64, expire *command.Threshold, parts ...command.Part) []command.Result {
	r.t.Helper()
	r.delivered = r.delivered[:0]
	if err := r.Apply(r.Index()+1, entryOf(stamp, 0, expire, parts...)); err != nil {
		r.t.Fatal(err)
	}
	return r.delivered
}

// do applies operations of an origin of their own, so that nothing is a copy.
func (r *replica) do(stamp int64, ops ...op) []command.Result {
	r.t.Helper()
	return r.apply(stamp, nil, partOf(r.Index()+1<<32, 1, 1, stamp, ops...))
}

// expect compares what an operation answered.
func expect(t testing.TB, what string, got []command.Result, code command.Code, version uint64) {
	t.Helper()
	if len(got) != 1 || got[0] != (command.Result{Code: code, Version: version}) {
		t.Errorf("%s: %+v, want code %d and version %d", what, got, code, version)
	}
}

// show is a key as a reader without a clock sees it.
func (r *replica) show(key string) string {
	_, v := r.Table(sessions.Name).Lookup(sessions.Type, key)
	if v == nil {
		return "nothing"
	}
	return fmt.Sprintf("%s@%d until %d", v.Bytes(), v.Version(), v.Deadline())
}

func (r *replica) expectShow(key, want string) {
	r.t.Helper()
	if got := r.show(key); got != want {
		r.t.Errorf("%s is %q, want %q", key, got, want)
	}
}

func (r *replica) hash() uint64 {
	_, h := r.Hash()
	return h
}

func entryOf(stamp, wall int64, expire *command.Threshold, parts ...command.Part) []byte {
	var d command.Decisions
	if expire != nil {
		d.Expire, d.Expires = *expire, true
	}
	return entryWith(stamp, wall, &d, parts...)
}

// entryWith is an entry with whatever the leader decided.
func entryWith(stamp, wall int64, decided *command.Decisions, parts ...command.Part) []byte {
	entry := command.AppendBatch(nil, stamp, wall, decided, len(parts))
	for i := range parts {
		entry = command.AppendPart(entry, &parts[i])
	}
	return entry
}

// op is an operation's bytes, with an hour's patience.
type op []byte

const patience = 3600_000

func partOf(origin, low, first uint64, base int64, ops ...op) command.Part {
	p := command.Part{Origin: origin, Low: low, First: first, Base: base, Count: len(ops)}
	for _, o := range ops {
		p.Ops = append(p.Ops, o...)
	}
	return p
}

func explicit(ns int64) command.TTL { return command.TTL{Nanoseconds: ns, Explicit: true} }

func fallback(ns int64) command.TTL { return command.TTL{Nanoseconds: ns} }

func set(key, value string, ttl command.TTL) op {
	return command.AppendSet(nil, command.Set, patience, sessions, key, ttl, []byte(value))
}

func setIfAbsent(key, value string) op {
	return command.AppendSet(nil, command.SetIfAbsent, patience, sessions, key, command.TTL{}, []byte(value))
}

func swap(key string, old uint64, value string) op {
	return command.AppendCompareAndSwap(nil, patience, sessions, key, old, command.TTL{}, []byte(value))
}

func setMany(ttl command.TTL, keysAndValues ...string) op {
	dst := command.AppendSetMany(nil, patience, sessions, ttl, len(keysAndValues)/2)
	for i := 0; i < len(keysAndValues); i += 2 {
		dst = command.AppendPair(dst, keysAndValues[i], []byte(keysAndValues[i+1]))
	}
	return dst
}

func del(keys ...string) op { return command.AppendDelete(nil, patience, sessions, keys) }

func compareAndDelete(key string, old uint64) op {
	return command.AppendCompareAndDelete(nil, patience, sessions, key, old)
}

func touch(key string, ttl int64) op {
	return command.AppendTouch(nil, patience, sessions, key, ttl)
}

func clearMap() op { return command.AppendClear(nil, patience, sessions) }

func declareTTL(ns int64) op {
	return command.AppendDeclare(nil, patience, sessions, []command.Option{{Field: command.FieldTTL, Value: uint64(ns)}})
}

func marker() op { return command.AppendMarker(nil, patience) }

// invariants recounts everything that is kept beside the entries themselves.
func (m *Machine) invariants() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, table := range m.tables {
		if c := table.contents.Load(); c != nil {
			if err := c.invariants(); err != nil {
				return fmt.Errorf("map %q: %w", name, err)
			}
		}
	}
	if err := m.ledger.invariants(m.tables); err != nil {
		return err
	}
	for id, o := range m.origins {
		if n := len(o.rows); n&(n-1) != 0 || n > command.MaxWindow {
			return fmt.Errorf("origin %d: a ring of %d", id, n)
		}
		for i, r := range o.rows {
			if r.sequence != 0 && o.at(r.sequence) != &o.rows[i] {
				return fmt.Errorf("origin %d: sequence %d at place %d of %d", id, r.sequence, i, len(o.rows))
			}
			if r.sequence >= o.low && r.notAfter > o.horizon {
				return fmt.Errorf("origin %d: sequence %d is good until %d, the horizon is %d", id, r.sequence, r.notAfter, o.horizon)
			}
		}
	}
	return nil
}

func (l *ledger) invariants(tables map[string]*Table) error {
	var used, pinned int64
	for _, table := range tables {
		if c := table.contents.Load(); c != nil {
			used += c.cost
			if c.policy == nil {
				pinned += c.cost
			}
			if c.ledger != l {
				return errors.New("a map is in another account")
			}
		}
	}
	if l.used != used || l.pinned != pinned || used > l.limit || l.limit < l.target {
		return fmt.Errorf("%d bytes are used and %d pinned, counted %d and %d; the limit is %d on its way to %d",
			used, pinned, l.used, l.pinned, l.limit, l.target)
	}
	return nil
}

func (c *contents) invariants() error {
	entries, bytes, linked, timed, cost := 0, 0, 0, 0, int64(0)
	var err error
	last := uint64(0)
	c.sequence.each(func(e *Entry) {
		key, v := e.Key(), e.value.Load()
		held, _ := c.items.get(c.items.hash(key), key)
		switch {
		case held != e:
			err = fmt.Errorf("another entry is under %q", key)
		case e.number() <= last:
			err = fmt.Errorf("%q has number %d after %d", key, e.number(), last)
		case v == nil:
			err = fmt.Errorf("%q is empty", key)
		case v.size != e.size:
			err = fmt.Errorf("%q has a value of %d bytes and says %d", key, v.size, e.size)
		case e.timed != (v.deadline != 0) || e.timed && e.slot == 0:
			err = fmt.Errorf("%q with deadline %d: it has one: %v, it is in a slot: %v", key, v.deadline, e.timed, e.slot != 0)
		case e.timed && c.deadlines.table[e.slot].number > slotOf(v.deadline):
			err = fmt.Errorf("%q with deadline %d is looked at in slot %d", key, v.deadline, c.deadlines.table[e.slot].number)
		}
		if err != nil {
			return
		}
		entries++
		last = e.number()
		bytes += len(key) + len(v.Bytes())
		cost += Cost(len(key), len(v.Bytes()))
		if e.slot != 0 {
			linked++
		}
		if e.timed {
			timed++
		}
	})
	if err != nil {
		return err
	}
	if c.entries.Load() != int64(entries) || c.bytes != int64(bytes) || c.cost != cost {
		return fmt.Errorf("counted %d entries of %d bytes that cost %d, there are %d of %d that cost %d",
			c.entries.Load(), c.bytes, c.cost, entries, bytes, cost)
	}
	if c.policy != nil && c.policy.Len() != entries {
		return fmt.Errorf("%d entries are with the policy, there are %d", c.policy.Len(), entries)
	}
	if n := c.items.maps.Load().present.Count() + len(c.items.twins.byKey); n > entries || n < entries && !c.items.filling() {
		return fmt.Errorf("%d entries are found by key, there are %d", n, entries)
	}
	if c.deadlines.timed != timed {
		return fmt.Errorf("%d entries with a deadline are counted, there are %d", c.deadlines.timed, timed)
	}
	return c.deadlines.invariants(linked, func(e *Entry) bool {
		held, _ := c.items.get(c.items.hash(e.Key()), e.Key())
		return held == e
	})
}

func (d *deadlines) invariants(linked int, held func(*Entry) bool) error {
	if len(d.slots) != len(d.order) {
		return fmt.Errorf("%d slots, %d in order", len(d.slots), len(d.order))
	}
	if err := d.tableInvariants(); err != nil {
		return err
	}
	seen := make(map[*Entry]bool)
	for i, s := range d.order {
		if int(s.place) != i || d.slots[s.number] != s || s.size() == 0 {
			return fmt.Errorf("slot %d at %d: place %d, %d entries, in the map %v", s.number, i, s.place, s.size(), d.slots[s.number] == s)
		}
		if i > 0 && d.order[(i-1)/2].number >= s.number {
			return fmt.Errorf("slot %d stands before %d", d.order[(i-1)/2].number, s.number)
		}
		if err := s.invariants(); err != nil {
			return err
		}
		for at := range s.size() {
			e := *s.at(at)
			if seen[e] || !held(e) {
				return fmt.Errorf("slot %d: %q twice %v, in the map %v", s.number, e.Key(), seen[e], held(e))
			}
			seen[e] = true
		}
	}
	if len(seen) != linked || d.linked != linked {
		return fmt.Errorf("%d entries are in slots, %d are counted, %d say so", len(seen), d.linked, linked)
	}
	return nil
}

// tableInvariants: an id is a slot's or free.
func (d *deadlines) tableInvariants() error {
	if len(d.table) > 0 && len(d.table) != 1+len(d.slots)+len(d.free) {
		return fmt.Errorf("%d slots have an id and %d ids are free, of %d", len(d.slots), len(d.free), len(d.table)-1)
	}
	for _, s := range d.slots {
		if s.id == 0 || d.table[s.id] != s {
			return fmt.Errorf("slot %d is not under its id %d", s.number, s.id)
		}
	}
	free := make(map[uint32]bool)
	for _, id := range d.free {
		if id == 0 || free[id] || d.table[id] != nil {
			return fmt.Errorf("id %d is free: twice %v, taken %v", id, free[id], d.table[id] != nil)
		}
		free[id] = true
	}
	return nil
}

// invariants: every entry knows where it is, nothing is kept beyond the last one,
// and a slot with few entries has little room.
func (s *slot) invariants() error {
	for i := range s.size() {
		if e := *s.at(i); e.slot != s.id || int(e.place) != i {
			return fmt.Errorf("slot %d: %q at %d of id %d takes itself to be at %d of %d", s.number, e.Key(), i, s.id, e.place, e.slot)
		}
	}
	room := s.tail[:cap(s.tail)]
	for i := len(s.tail); i < len(room); i++ {
		if room[i] != nil {
			return fmt.Errorf("slot %d keeps %q, which has gone", s.number, room[i].Key())
		}
	}
	if len(room) > chunkSize || len(s.full) == 0 && len(room) >= len(s.tail)+2*chunkStep {
		return fmt.Errorf("slot %d has room for %d in its last chunk and holds %d", s.number, len(room), s.size())
	}
	return nil
}
