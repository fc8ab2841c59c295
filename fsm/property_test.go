package fsm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/inelpandzic/imdgo/internal/command"
)

// history makes up a log.
type history struct {
	*rand.Rand
	model   *model
	origins [4]struct{ low, next uint64 }
	past    []modelPart // to be logged again
	t       testing.TB
	leader  *Machine // asked for victims; nil: they are all made up
	tight   bool     // there are limits of all kinds
}

// newHistory makes up one with limits for every other seed.
func newHistory(seed uint64) *history {
	h := &history{Rand: rand.New(rand.NewPCG(seed, 0)), model: newModel(), tight: seed%2 == 1}
	for i := range h.origins {
		h.origins[i].low, h.origins[i].next = 1, 1
	}
	return h
}

func (h *history) batch() modelBatch {
	b := modelBatch{stamp: h.stamp(), wall: h.Int64N(1000) - 500}
	if h.IntN(3) == 0 {
		b.expire = &command.Threshold{Deadline: max(0, b.stamp+h.Int64N(3*second)-2*second), Version: h.Uint64N(h.model.version + 2)}
		if e, ok := h.someEntry(); ok && h.IntN(2) == 0 { // exactly on the border
			b.expire = &command.Threshold{Deadline: e.deadline, Version: e.version - h.Uint64N(2)}
		}
	}
	if h.tight {
		b.budgets, b.victims = h.budgets(), h.victims()
	}
	for range h.IntN(4) {
		if len(h.past) > 0 && h.IntN(4) == 0 {
			b.parts = append(b.parts, h.past[h.IntN(len(h.past))])
			continue
		}
		p := h.part()
		if h.IntN(8) > 0 { // or it is late: a copy of it will be the first one
			b.parts = append(b.parts, p)
		}
		h.past = append(h.past, p)
		if len(h.past) > 20 {
			h.past = slices.Delete(h.past, 0, 1)
		}
	}
	return b
}

// stamp is mostly a little later, sometimes the same, earlier or much later.
func (h *history) stamp() int64 {
	switch h.IntN(20) {
	case 0:
		return h.model.clock
	case 1:
		return max(0, h.model.clock-h.Int64N(second))
	case 2:
		return h.model.clock + h.Int64N(100*second)
	default:
		return h.model.clock + h.Int64N(second/2)
	}
}

func (h *history) someEntry() (modelEntry, bool) {
	for _, name := range shuffled(h.Rand, h.model.maps) {
		for _, key := range shuffled(h.Rand, h.model.maps[name].entries) {
			return h.model.maps[name].entries[key], true
		}
	}
	return modelEntry{}, false
}

func (h *history) part() modelPart {
	id := h.IntN(len(h.origins))
	o := &h.origins[id]
	if h.IntN(3) == 0 {
		o.low += h.Uint64N(o.next - o.low + 1)
	}
	switch h.IntN(60) {
	case 0:
		o.next += h.Uint64N(300) // others are under way
	case 1:
		o.low, o.next = o.next+1e9, o.next+1e9 // much has happened
	}
	p := modelPart{origin: uint64(id), low: o.low, first: o.next, base: max(0, h.model.clock-h.Int64N(2*second))}
	for range h.IntN(6) {
		p.requests = append(p.requests, h.request())
	}
	o.next += uint64(len(p.requests))
	return p
}

func (h *history) request() request {
	kinds := []command.Kind{command.Nothing, command.Set, command.Set, command.Set, command.SetIfAbsent, command.CompareAndSwap,
		command.CompareAndSwap, command.SetMany, command.Delete, command.CompareAndDelete, command.Touch, command.Touch,
		command.Clear, command.Declare, command.Marker}
	r := request{kind: kinds[h.IntN(len(kinds))]}
	if r.kind == command.Nothing {
		return r
	}
	r.patience = h.Uint64N(5000)
	if r.kind == command.Marker {
		return r
	}
	name := h.IntN(3)
	r.target = command.Target{Type: command.MapType(name), Name: []string{"", "a", "b"}[name]}
	if h.IntN(25) == 0 {
		r.target.Type++
	}
	if r.kind == command.Clear && h.IntN(3) > 0 {
		r.kind = command.Set
	}
	r.key, r.value, r.ttl = h.key(), h.value(), h.ttl()
	switch r.kind {
	case command.CompareAndSwap, command.CompareAndDelete:
		r.old = h.old(r)
	case command.Touch:
		r.ttl.Explicit = true
	case command.Declare:
		r.options = h.options()
	case command.SetMany:
		for range h.IntN(6) {
			r.pairs = append(r.pairs, [2]string{h.key(), h.value()})
		}
	case command.Delete:
		for range h.IntN(3) {
			r.keys = append(r.keys, h.key())
		}
	}
	return r
}

// old is often the version that stands there.
func (h *history) old(r request) uint64 {
	if mm := h.model.maps[r.target.Name]; mm != nil && h.IntN(3) > 0 {
		return mm.entries[r.key].version
	}
	return h.Uint64N(h.model.version + 2)
}

func (h *history) key() string { return []string{"", "a", "b", "c", "d", "e", "f", "g"}[h.IntN(8)] }

func (h *history) value() string {
	if h.tight && h.IntN(4) == 0 {
		return strings.Repeat("v", h.IntN(1500))
	}
	b := make([]byte, h.IntN(40))
	for i := range b {
		b[i] = byte(h.UintN(256))
	}
	return string(b)
}

func (h *history) ttl() command.TTL {
	ns := []int64{0, 1, tick, tick + 1, second, 3 * second, hour, math.MaxInt64 - 1, math.MaxInt64}[h.IntN(9)]
	if ns == second {
		ns += h.Int64N(second)
	}
	return command.TTL{Nanoseconds: ns, Explicit: h.IntN(2) == 0}
}

// Random histories give what the model says, on a machine that has lived through
// all of it and leads, on one that was restored on the way and has another
// arrangement of everything, and on one whose policies are of another mind. That
// holds for every step: what is accounted for is what is there, and is within the
// limit also in the middle of a batch.
func TestTheMachineIsTheModel(t *testing.T) {
	seen := make(map[command.Code]int)
	for seed := range uint64(80) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runHistory(t, newHistory(seed), 120, seen) })
	}
	for code := command.Applied; code <= command.TooLarge; code++ {
		if seen[code] < 50 {
			t.Errorf("only %d results of code %d: the histories do not test it", seen[code], code)
		}
	}
}

func runHistory(t *testing.T, h *history, batches int, seen map[command.Code]int) {
	veteran, restored, contrary := newReplica(t), newReplica(t), newReplica(t)
	h.t, h.leader = t, veteran.Machine
	for i := range batches {
		b := h.batch()
		for _, p := range b.parts {
			if p := p.part(); p.Check() != nil {
				t.Fatalf("batch %d: %v", i, p.Check())
			}
		}
		want := slices.Concat(h.model.apply(b)...)
		for _, r := range want {
			seen[r.Code]++
		}
		for name, m := range map[string]*replica{"veteran": veteran, "restored": restored, "contrary": contrary} {
			m.delivered = nil
			if err := m.Apply(uint64(i)+1, b.entry()); err != nil {
				t.Fatalf("batch %d, %s: %v", i, name, err)
			}
			if !reflect.DeepEqual(m.delivered, want) {
				t.Fatalf("batch %d, %s, %+v\nanswered %+v\nwant     %+v", i, name, b, m.delivered, want)
			}
			if err := h.model.differs(m.Machine); err != nil {
				t.Fatalf("batch %d, %s, %+v\n%v", i, name, b, err)
			}
			if err := m.invariants(); err != nil {
				t.Fatalf("batch %d, %s, %+v\n%v", i, name, b, err)
			}
		}
		if _, a := veteran.Hash(); a != restored.hash() || a != contrary.hash() {
			t.Fatalf("batch %d, %+v: the same state has two hashes", i, b)
		}
		if h.IntN(4) == 0 {
			veteran.forget(veteran.Clock())
			checkDue(t, h, veteran)
		}
		if h.IntN(10) == 0 {
			deliver := restored.deliver
			restored.Machine = h.model.machine(h.Rand)
			restored.deliver = deliver
		}
		if h.tight && h.IntN(5) == 0 {
			h.trouble(contrary.Machine)
		}
	}
}

// checkDue asks for a threshold: it covers something, and only what is due.
func checkDue(t *testing.T, h *history, m *replica) {
	t.Helper()
	now := m.Clock() + h.Int64N(4*second)
	if h.IntN(10) == 0 {
		now = math.MaxInt64 - h.Int64N(2)
	}
	before := m.hash()
	threshold, ok := m.Due(now, h.IntN(4))
	if m.hash() != before {
		t.Fatal("asking what is due changed the state")
	}
	covered, due := 0, 0
	for _, mm := range h.model.maps {
		for _, e := range mm.entries {
			if e.deadline == 0 {
				continue
			}
			if ok && threshold.Covers(e.deadline, e.version) {
				covered++
				if e.deadline > now {
					t.Fatalf("at %d, %+v covers %+v", now, threshold, e)
				}
			}
			if e.deadline/tick < now/tick {
				due++
			}
		}
	}
	if ok != (covered > 0) || !ok && due > 0 {
		t.Fatalf("at %d: %v, %+v covers %d, %d are due", now, ok, threshold, covered, due)
	}
}

// Whatever differs in the state shows in the hash.
func TestTheHashSeesEveryDifference(t *testing.T) {
	base := func() *model {
		h := newHistory(7)
		for range 40 {
			h.model.apply(h.batch())
		}
		m := h.model
		m.clock += second // which is later than every row that is not put there now
		m.tidy()
		m.limit, m.budgets = 1<<30, map[string]int64{"n1": 1 << 20, "n2": 1 << 21}
		m.maps["x"] = &modelMap{kind: 3, declared: true, ttl: 5, limits: limits{100, 1 << 20, command.LRU}, entries: map[string]modelEntry{
			"k": {version: 2, deadline: m.clock + second, value: "v"}, "l": {version: 3, value: "w"}}}
		m.origins[99] = &modelOrigin{low: 5, horizon: m.clock + 9, rows: map[uint64]modelRow{
			6: {m.clock + 9, command.Result{Code: command.Applied, Version: 3}},
			7: {m.clock + 8, command.Result{Code: command.Unmet}}}}
		return m
	}
	entry := func(change func(*modelEntry)) func(*model) {
		return func(m *model) {
			e := m.maps["x"].entries["k"]
			change(&e)
			m.maps["x"].entries["k"] = e
		}
	}
	row := func(change func(*modelRow)) func(*model) {
		return func(m *model) {
			r := m.origins[99].rows[7]
			change(&r)
			m.origins[99].rows[7] = r
		}
	}
	hashes := map[uint64]string{}
	r := rand.New(rand.NewPCG(1, 1))
	for range 3 { // the order in which it was built does not matter
		_, h := base().machine(r).Hash()
		hashes[h] = "nothing"
	}
	if len(hashes) != 1 {
		t.Fatal("one state, several hashes")
	}
	for name, change := range map[string]func(*model){
		"clock":           func(m *model) { m.clock++ },
		"wall":            func(m *model) { m.wall++ },
		"version":         func(m *model) { m.version++ },
		"entry version":   entry(func(e *modelEntry) { e.version++ }),
		"entry deadline":  entry(func(e *modelEntry) { e.deadline++ }),
		"no deadline":     entry(func(e *modelEntry) { e.deadline = 0 }),
		"entry value":     entry(func(e *modelEntry) { e.value = "u" }),
		"longer value":    entry(func(e *modelEntry) { e.value = "v\x00" }),
		"empty value":     entry(func(e *modelEntry) { e.value = "" }),
		"one entry less":  func(m *model) { delete(m.maps["x"].entries, "l") },
		"one entry more":  func(m *model) { m.maps["x"].entries["m"] = modelEntry{version: 1} },
		"keys exchanged":  func(m *model) { e := m.maps["x"].entries; e["k"], e["l"] = e["l"], e["k"] },
		"key and value":   func(m *model) { e := m.maps["x"].entries; e["lw"] = modelEntry{version: 3}; delete(e, "l") },
		"kind":            func(m *model) { m.maps["x"].kind++ },
		"declared ttl":    func(m *model) { m.maps["x"].ttl++ },
		"nothing decl.":   func(m *model) { m.maps["x"].declared = false },
		"most entries":    func(m *model) { m.maps["x"].limits.entries++ },
		"most bytes":      func(m *model) { m.maps["x"].limits.bytes++ },
		"entries, bytes":  func(m *model) { l := &m.maps["x"].limits; l.entries, l.bytes = l.bytes, l.entries },
		"policy":          func(m *model) { m.maps["x"].limits.policy = command.TwoQueue },
		"not evicted":     func(m *model) { m.maps["x"].limits.policy = command.NoEviction },
		"limit":           func(m *model) { m.limit++ },
		"budget":          func(m *model) { m.budgets["n2"]++ },
		"one budget less": func(m *model) { delete(m.budgets, "n2") },
		"whose budget":    func(m *model) { m.budgets["n3"] = m.budgets["n2"]; delete(m.budgets, "n2") },
		"budgets swapped": func(m *model) { b := m.budgets; b["n1"], b["n2"] = b["n2"], b["n1"] },
		"name":            func(m *model) { m.maps["y"] = m.maps["x"]; delete(m.maps, "x") },
		"another map":     func(m *model) { m.maps["y"] = &modelMap{} },
		"map emptied":     func(m *model) { m.maps["x"].entries = nil },
		"origin":          func(m *model) { m.origins[98] = m.origins[99]; delete(m.origins, 99) },
		"low":             func(m *model) { m.origins[99].low++ },
		"horizon":         func(m *model) { m.origins[99].horizon++ },
		"result code":     row(func(r *modelRow) { r.result.Code = command.Mismatch }),
		"result version":  row(func(r *modelRow) { r.result.Version++ }),
		"result notAfter": row(func(r *modelRow) { r.notAfter++ }),
		"one result less": func(m *model) { delete(m.origins[99].rows, 6) },
		"rows exchanged":  func(m *model) { o := m.origins[99].rows; o[6], o[7] = o[7], o[6] },
		"other sequence":  func(m *model) { o := m.origins[99].rows; o[8] = o[7]; delete(o, 7) },
	} {
		m := base()
		change(m)
		_, h := m.machine(r).Hash()
		if other, ok := hashes[h]; ok {
			t.Errorf("%s and %s have the same hash", name, other)
		}
		hashes[h] = name
	}
}
