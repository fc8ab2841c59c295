package fsm

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/inelpandzic/imdgo/internal/command"
)

// model is what the machine is supposed to be: slow, plain maps, every rule
// written where it is used.
type model struct {
	clock, wall int64
	version     uint64
	maps        map[string]*modelMap
	origins     map[uint64]*modelOrigin
	modelRoom
}

type modelMap struct {
	kind     command.MapType
	declared bool
	ttl      int64
	limits   limits
	entries  map[string]modelEntry
	cleared  bool
}

type modelEntry struct {
	version  uint64
	deadline int64
	value    string
}

type modelOrigin struct {
	low     uint64
	horizon int64
	rows    map[uint64]modelRow
}

type modelRow struct {
	notAfter int64
	result   command.Result
}

func newModel() *model {
	return &model{maps: map[string]*modelMap{}, origins: map[uint64]*modelOrigin{}, modelRoom: newModelRoom()}
}

// request is an operation in plain Go.
type request struct {
	kind     command.Kind
	patience uint64
	target   command.Target
	key      string
	value    string
	ttl      command.TTL
	old      uint64
	pairs    [][2]string
	keys     []string
	options  []command.Option
}

type modelPart struct {
	origin, low, first uint64
	base               int64
	requests           []request
}

type modelBatch struct {
	stamp, wall int64
	budgets     []command.Budget
	expire      *command.Threshold
	victims     []modelVictim
	parts       []modelPart
}

// apply returns the results of every part.
func (m *model) apply(b modelBatch) (results [][]command.Result) {
	m.clock, m.wall = max(m.clock, b.stamp), b.wall
	for _, budget := range b.budgets {
		m.budget(budget)
	}
	if b.expire != nil {
		m.expire(*b.expire)
	}
	m.open(b.victims)
	for _, p := range b.parts {
		results = append(results, m.part(p))
	}
	m.rest()
	m.tidy()
	return results
}

// tidy drops what is no part of the state any more.
func (m *model) tidy() {
	for id, o := range m.origins {
		maps.DeleteFunc(o.rows, func(sequence uint64, r modelRow) bool {
			return sequence < o.low || r.notAfter < m.clock
		})
		if o.horizon < m.clock {
			delete(m.origins, id)
		}
	}
}

func (m *model) expire(t command.Threshold) (n int) {
	for _, mm := range m.maps {
		for key, e := range mm.entries {
			if e.deadline != 0 && (e.deadline < t.Deadline || e.deadline == t.Deadline && e.version <= t.Version) {
				delete(mm.entries, key)
				n++
			}
		}
	}
	return n
}

func (m *model) part(p modelPart) (results []command.Result) {
	m.tidy()
	o := m.origins[p.origin]
	if o == nil {
		o = &modelOrigin{rows: map[uint64]modelRow{}}
		m.origins[p.origin] = o
	}
	o.low = max(o.low, p.low)
	for i, r := range p.requests {
		results = append(results, m.once(o, p, p.first+uint64(i), r))
	}
	return results
}

func (m *model) once(o *modelOrigin, p modelPart, sequence uint64, r request) command.Result {
	notAfter := p.base + int64(r.patience)*1e6
	row, applied := o.rows[sequence]
	switch {
	case sequence < o.low:
		return command.Result{Code: command.TooLate}
	case applied:
		return row.result
	case r.kind == command.Nothing || r.kind == command.Marker:
		return command.Result{Code: command.Applied}
	case notAfter < m.clock:
		return command.Result{Code: command.TooLate}
	}
	result := m.perform(r)
	o.rows[sequence] = modelRow{notAfter, result}
	o.horizon = max(o.horizon, notAfter)
	return result
}

func (m *model) perform(r request) command.Result {
	mm := m.maps[r.target.Name]
	if mm == nil {
		mm = &modelMap{kind: r.target.Type, limits: noLimits, entries: map[string]modelEntry{}}
		m.maps[r.target.Name] = mm
	}
	if mm.kind != r.target.Type {
		return command.Result{Code: command.Mismatch}
	}
	var stands uint64
	e, there := mm.entries[r.key]
	there = there && (e.deadline == 0 || m.clock < e.deadline)
	if there {
		stands = e.version
	}
	ttl := r.ttl.Nanoseconds
	if !r.ttl.Explicit && mm.declared {
		ttl = mm.ttl
	}
	var deadline int64
	if ttl > 0 {
		deadline = math.MaxInt64
		if ttl < math.MaxInt64-m.clock {
			deadline = m.clock + ttl
		}
	}
	switch r.kind {
	case command.SetIfAbsent, command.CompareAndSwap:
		if stands != r.old {
			return command.Result{Code: command.Unmet, Version: stands}
		}
		fallthrough
	case command.Set:
		if code := m.room(mm, [2]string{r.key, r.value}); code != command.Applied {
			return command.Result{Code: code}
		}
		m.version++
		mm.entries[r.key] = modelEntry{m.version, deadline, r.value}
		return command.Result{Code: command.Applied, Version: m.version}
	case command.SetMany:
		if code := m.room(mm, r.pairs...); code != command.Applied {
			return command.Result{Code: code}
		}
		m.version++
		for _, p := range r.pairs {
			mm.entries[p[0]] = modelEntry{m.version, deadline, p[1]}
		}
		return command.Result{Code: command.Applied, Version: m.version}
	case command.Delete:
		m.version++
		for _, key := range r.keys {
			delete(mm.entries, key)
		}
		return command.Result{Code: command.Applied}
	case command.CompareAndDelete:
		if !there || stands != r.old {
			return command.Result{Code: command.Unmet, Version: stands}
		}
		m.version++
		delete(mm.entries, r.key)
		return command.Result{Code: command.Applied}
	case command.Touch:
		if !there {
			return command.Result{Code: command.Unmet}
		}
		mm.entries[r.key] = modelEntry{e.version, deadline, e.value}
		return command.Result{Code: command.Applied, Version: e.version}
	case command.Clear:
		m.version++
		mm.cleared = true
		m.maps[r.target.Name] = &modelMap{kind: mm.kind, declared: mm.declared, ttl: mm.ttl, limits: mm.limits, entries: map[string]modelEntry{}}
		return command.Result{Code: command.Applied}
	case command.Declare:
		for _, o := range r.options {
			mm.declare(o)
		}
		return command.Result{Code: command.Applied}
	}
	panic(fmt.Sprintf("kind %d", r.kind))
}

// machine is a machine in the state of the model, as a restored replica would
// be: built in a random order, with none of the history that led there.
func (m *model) machine(r *rand.Rand) *Machine {
	n := New(nil)
	n.version, n.wall = m.version, m.wall
	n.clock.Store(m.clock)
	n.limit, n.target, n.budgets = m.limit, m.target(), maps.Clone(m.budgets)
	for _, name := range shuffled(r, m.maps) {
		mm := m.maps[name]
		c := newContents(n, mm.kind, declaredTTL{mm.ttl, mm.declared}, mm.limits)
		n.table([]byte(name)).contents.Store(c)
		for _, key := range shuffled(r, mm.entries) {
			e := mm.entries[key]
			c.put(nil, []byte(key), []byte(e.value), e.version, e.deadline)
		}
	}
	for _, id := range shuffled(r, m.origins) {
		mo := m.origins[id]
		size := 64
		for sequence := range mo.rows {
			for sequence-mo.low >= uint64(size) {
				size *= 2
			}
		}
		o := &origin{low: mo.low, horizon: mo.horizon, rows: make([]row, size)}
		n.origins[id] = o
		for sequence, r := range mo.rows {
			*o.at(sequence) = row{sequence, r.notAfter, r.result}
		}
	}
	return n
}

func shuffled[K int | uint64 | string, V any](r *rand.Rand, m map[K]V) []K {
	keys := slices.Sorted(maps.Keys(m))
	r.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys
}

// differs says in what a machine is not what the model says.
func (m *model) differs(n *Machine) error {
	if n.Clock() != m.clock || n.version != m.version || n.wall != m.wall {
		return fmt.Errorf("clock %d, version %d, wall %d, want %d, %d, %d", n.Clock(), n.version, n.wall, m.clock, m.version, m.wall)
	}
	for name, mm := range m.maps {
		if err := mm.differs(n.Table(name)); err != nil {
			return fmt.Errorf("map %q: %w", name, err)
		}
	}
	if err := m.differsInRoom(n); err != nil {
		return err
	}
	for name, table := range n.tables {
		if _, exists := table.Kind(); exists && m.maps[name] == nil {
			return fmt.Errorf("map %q exists", name)
		}
	}
	return m.differsInOrigins(n)
}

func (mm *modelMap) differs(table *Table) error {
	if kind, ok := table.Kind(); !ok || kind != mm.kind {
		return fmt.Errorf("kind %v, %v, want %v", kind, ok, mm.kind)
	}
	if c := table.contents.Load(); c.ttl != (declaredTTL{mm.ttl, mm.declared}) || c.limits != mm.limits || (c.policy == nil) != mm.pinned() {
		return fmt.Errorf("declared %+v, %+v, want %+v", c.ttl, c.limits, mm)
	}
	walked, bytes := map[string]modelEntry{}, int64(0)
	table.Walk(func(e *Entry, v *Value) bool {
		walked[e.Key()] = modelEntry{v.Version(), v.Deadline(), string(v.Bytes())}
		bytes += int64(len(e.Key()) + len(v.Bytes()))
		return true
	})
	if !maps.Equal(walked, mm.entries) {
		return fmt.Errorf("holds\n%+v, want\n%+v", walked, mm.entries)
	}
	if c := table.contents.Load(); table.Len() != len(walked) || c.bytes != bytes || c.cost != mm.cost() {
		return fmt.Errorf("counts %d entries of %d bytes that cost %d, holds %d of %d that cost %d",
			table.Len(), c.bytes, c.cost, len(walked), bytes, mm.cost())
	}
	for key, want := range mm.entries {
		if _, v := table.Lookup(mm.kind, key); v == nil || v.Version() != want.version {
			return fmt.Errorf("lookup of %q finds %+v", key, v)
		}
	}
	return nil
}

func (m *model) differsInOrigins(n *Machine) error {
	live := 0
	for id, o := range n.origins {
		if o.forgotten(m.clock) {
			continue
		}
		live++
		want := m.origins[id]
		if want == nil || o.low != want.low || o.horizon != want.horizon {
			return fmt.Errorf("origin %d: low %d, horizon %d, want %+v", id, o.low, o.horizon, want)
		}
		rows := map[uint64]modelRow{}
		o.live(m.clock, func(r row) { rows[r.sequence] = modelRow{r.notAfter, r.result} })
		if !maps.Equal(rows, want.rows) {
			return fmt.Errorf("origin %d: rows\n%+v, want\n%+v", id, rows, want.rows)
		}
	}
	if live != len(m.origins) {
		return fmt.Errorf("%d origins, want %d", live, len(m.origins))
	}
	return nil
}

// bytes of a request, as the log has them.
func (r request) bytes() op {
	switch r.kind {
	case command.Set, command.SetIfAbsent:
		return command.AppendSet(nil, r.kind, r.patience, r.target, r.key, r.ttl, []byte(r.value))
	case command.CompareAndSwap:
		return command.AppendCompareAndSwap(nil, r.patience, r.target, r.key, r.old, r.ttl, []byte(r.value))
	case command.SetMany:
		dst := command.AppendSetMany(nil, r.patience, r.target, r.ttl, len(r.pairs))
		for _, p := range r.pairs {
			dst = command.AppendPair(dst, p[0], []byte(p[1]))
		}
		return dst
	case command.Delete:
		return command.AppendDelete(nil, r.patience, r.target, r.keys)
	case command.CompareAndDelete:
		return command.AppendCompareAndDelete(nil, r.patience, r.target, r.key, r.old)
	case command.Touch:
		return command.AppendTouch(nil, r.patience, r.target, r.key, r.ttl.Nanoseconds)
	case command.Clear:
		return command.AppendClear(nil, r.patience, r.target)
	case command.Declare:
		return command.AppendDeclare(nil, r.patience, r.target, r.options)
	case command.Marker:
		return command.AppendMarker(nil, r.patience)
	default:
		return command.AppendNothing(nil)
	}
}

func (p modelPart) part() command.Part {
	var ops []op
	for _, r := range p.requests {
		ops = append(ops, r.bytes())
	}
	return partOf(p.origin, p.low, p.first, p.base, ops...)
}

func (b modelBatch) entry() []byte {
	var parts []command.Part
	for _, p := range b.parts {
		parts = append(parts, p.part())
	}
	d := command.Decisions{Budgets: b.budgets}
	if b.expire != nil {
		d.Expire, d.Expires = *b.expire, true
	}
	for _, v := range b.victims {
		if v.alone {
			d.Victims.Done()
		}
		d.Victims.Add(v.table, v.key, v.version)
	}
	d.Victims.Done()
	return entryWith(b.stamp, b.wall, &d, parts...)
}
