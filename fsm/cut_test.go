package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo/internal/command"
	"github.com/inelpandzic/imdgo/snapshot"
)

// restored is a machine with the state of a stream.
func restored(t testing.TB, stream []byte) *replica {
	t.Helper()
	b := NewBuilder()
	d := snapshot.NewDecoder(b.Record)
	_, err := d.Write(stream)
	if err := errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	r := newReplica(t)
	r.Adopt(b)
	return r
}

// meanwhile writes a cut to a buffer, and calls do before every piece: what
// happens in the middle of a transfer.
type meanwhile struct {
	bytes.Buffer
	do func()
}

func (m *meanwhile) Write(b []byte) (int, error) {
	m.do()
	return m.Buffer.Write(b)
}

// Whatever is applied while a cut is read, it is the state of its moment.
func TestACutIsTheStateOfItsMoment(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h, m := newHistory(seed), newReplica(t)
			apply := func(n int) {
				for range n {
					b := h.batch()
					h.model.apply(b)
					if err := m.Apply(m.Index()+1, b.entry()); err != nil {
						t.Fatal(err)
					}
				}
			}
			for range 12 {
				apply(h.IntN(20))
				index, hash := m.Hash()
				cut, err := m.Cut()
				if err != nil {
					t.Fatal(err)
				}
				w := &meanwhile{do: func() { apply(h.IntN(5)) }}
				apply(h.IntN(20))
				n, err := cut.WriteTo(w)
				if err != nil || n != cut.Size() || n != int64(w.Len()) {
					t.Fatalf("%d bytes of %d, %v", n, cut.Size(), err)
				}
				if cut.Undo() != 0 {
					t.Errorf("%d bytes are still held", cut.Undo())
				}
				cut.Close()
				if i, got := restored(t, w.Bytes()).Hash(); i != index || got != hash {
					t.Fatalf("a cut at %d with hash %x was restored as %d, %x", index, hash, i, got)
				}
			}
		})
	}
}

// A restored replica goes on like the others.
func TestARestoredReplicaGoesOn(t *testing.T) {
	h, m := newHistory(7), newReplica(t)
	other := newReplica(t)
	for i := range 400 {
		b := h.batch()
		want := slices.Concat(h.model.apply(b)...)
		for _, r := range []*replica{m, other} {
			r.delivered = nil
			if err := r.Apply(uint64(i+1), b.entry()); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(r.delivered, want) {
				t.Fatalf("batch %d: %v, want %v", i, r.delivered, want)
			}
		}
		if i%37 == 0 {
			var stream bytes.Buffer
			cut, err := m.Cut()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := cut.WriteTo(&stream); err != nil {
				t.Fatal(err)
			}
			cut.Close()
			other = restored(t, stream.Bytes())
		}
	}
	if m.hash() != other.hash() {
		t.Error("the replicas differ")
	}
}

// entriesAcross is enough for several segments.
const entriesAcross = 5 * segmentSize

func TestACutOfManySegments(t *testing.T) {
	m, random := newReplica(t), rand.New(rand.NewPCG(1, 2))
	fill(m, entriesAcross, func(i int) int64 { return int64(i%3) * hour })
	_, hash := m.Hash()
	cut, err := m.Cut()
	if err != nil {
		t.Fatal(err)
	}
	keys := func() string { return fmt.Sprint("key", random.IntN(entriesAcross)) }
	w := &meanwhile{do: func() {
		for range 200 {
			m.do(m.Clock(), set(keys(), "changed", command.TTL{}), del(keys()), set(keys()+"new", "new", command.TTL{}))
		}
	}}
	if _, err := cut.WriteTo(w); err != nil {
		t.Fatal(err)
	}
	cut.Close()
	if got := restored(t, w.Bytes()).hash(); got != hash {
		t.Error("the cut is not the state of its moment")
	}
}

func TestOneCutAtATime(t *testing.T) {
	m := newReplica(t)
	m.do(1, set("k", "v", command.TTL{}))
	first, err := m.Cut()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Cut(); !errors.Is(err, ErrCutOpen) {
		t.Errorf("a second cut: %v", err)
	}
	first.Close()
	first.Close()
	second, err := m.Cut()
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	given := errors.New("too much to keep")
	second.Abort(given)
	if _, err := second.WriteTo(io.Discard); !errors.Is(err, given) {
		t.Errorf("an aborted cut: %v", err)
	}
}

func TestARestoredStateOvertakesAnOpenCut(t *testing.T) {
	m := newReplica(t)
	m.do(1, set("k", "v", command.TTL{}))
	cut, err := m.Cut()
	if err != nil {
		t.Fatal(err)
	}
	defer cut.Close()
	m.Reset()
	if _, err := cut.WriteTo(io.Discard); !errors.Is(err, errOvertaken) {
		t.Errorf("%v", err)
	}
	m.do(1, set("k", "v", command.TTL{}))
}

// What is held for a cut is let go of as it is read, and all of it at the end.
func TestWhatACutHolds(t *testing.T) {
	m := newReplica(t)
	fill(m, 100, func(int) int64 { return 0 })
	cut, err := m.Cut()
	if err != nil {
		t.Fatal(err)
	}
	m.do(m.Clock(), set("key1", "x", command.TTL{}), set("key1", "y", command.TTL{}), del("key2"), set("new", "z", command.TTL{}))
	e, v := m.Table(sessions.Name).Lookup(sessions.Type, "key3")
	want := 2*Cost(4, int(v.size)) - entryCost - entryBytes(4) // of one, the value only
	if e == nil || cut.Undo() != want {
		t.Errorf("%d bytes are held for two entries of %d, want %d", cut.Undo(), v.size, want)
	}
	rest := m.Account().Used // and what came since, which is little
	m.do(m.Clock(), clearMap(), set("key1", "x", command.TTL{}))
	if got := cut.Undo() - want; got != rest {
		t.Errorf("%d bytes more are held for a map of %d that was cleared", got, rest)
	}
	cut.Close()
	if m.Machine.cut != nil || m.Table(sessions.Name).contents.Load().cut != nil {
		t.Error("the machine still keeps for a cut that was closed")
	}
}

func TestRecordsThatMakeNoSense(t *testing.T) {
	head := appendHead(nil, 1, 2, 3, 4, 1<<20)
	table := appendMap(nil, &contents{kind: 1, limits: noLimits}, "m")
	entry := appendEntryHead(nil, newEntry("k"), newValue(4, 0, nil))
	from := appendOrigin(nil, 1, &origin{low: 1, horizon: 9, rows: []row{{1, 9, command.Result{Code: 1}}}}, 0)
	for name, records := range map[string][][]byte{
		"nothing before the head":     {table},
		"two heads":                   {head, head},
		"an empty one":                {head, {}},
		"an unknown one":              {head, {99}},
		"a head cut off":              {head[:10]},
		"an entry of no map":          {head, entry},
		"an entry cut off":            {head, table, entry[:len(entry)-1]},
		"an entry twice":              {head, table, entry, entry},
		"a map twice":                 {head, table, table},
		"a map with half a head":      {head, table[:5]},
		"an origin twice":             {head, from, from},
		"a budget twice":              {head, appendBudget(nil, "n", 5), appendBudget(nil, "n", 5)},
		"a budget of nothing":         {head, appendBudget(nil, "n", 0)},
		"a budget of nobody":          {head, appendBudget(nil, "", 5)},
		"more than the limit":         {appendHead(nil, 1, 2, 3, 4, Cost(1, 0)-1), table, entry},
		"a limit of nothing":          {appendHead(nil, 1, 2, 3, 4, 0)},
		"a map of no entries":         {head, appendMap(nil, &contents{limits: limits{bytes: 1}}, "m")},
		"a policy nobody knows":       {head, appendMap(nil, &contents{limits: limits{1, 1, 99}}, "m")},
		"an origin with half a row":   {head, from[:len(from)-1]},
		"a version that is not yet":   {head, table, appendEntryHead(nil, newEntry("k"), newValue(5, 0, nil))},
		"a deadline before all times": {head, table, appendEntryHead(nil, newEntry("k"), newValue(4, -1, nil))},
	} {
		b := NewBuilder()
		var err error
		for _, r := range records {
			if err = b.Record(r); err != nil {
				break
			}
		}
		if !errors.Is(err, snapshot.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzBuilder(f *testing.F) {
	f.Add(appendMap(nil, &contents{kind: 1, limits: noLimits}, "m"), appendEntryHead(nil, newEntry("k"), newValue(4, 0, nil)))
	f.Add(appendOrigin(nil, 1, &origin{low: 1, horizon: 9, rows: []row{{1, 9, command.Result{Code: 1}}}}, 0), []byte{recordMap})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		build := NewBuilder()
		if err := errors.Join(build.Record(appendHead(nil, 1, 2, 3, 4, math.MaxInt64)), build.Record(a), build.Record(b)); err != nil {
			return
		}
		m := newReplica(t)
		m.Adopt(build)
		m.do(m.Clock()+1, set("k", "v", command.TTL{}))
	})
}

func TestAnsweredKnowsWhatTheTableKnows(t *testing.T) {
	m := newReplica(t)
	p := partOf(5, 1, 1, 1, set("a", "1", command.TTL{}), set("b", "2", command.TTL{}))
	m.apply(1, nil, p)
	if got, ok := m.Answered(5, 1, 2); !ok || got[1].Version != 2 || got[1].Code != command.Applied {
		t.Errorf("%v, %v", got, ok)
	}
	for _, c := range [][3]uint64{{5, 1, 3}, {5, 3, 1}, {6, 1, 1}} {
		if _, ok := m.Answered(c[0], c[1], int(c[2])); ok {
			t.Errorf("it knows %v", c)
		}
	}
}

// The sequence against a list.
func TestASequenceIsAList(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		var s sequence
		var list []*Entry
		for range 6000 {
			grow := random.IntN(10) < 6
			if len(list) == 0 || grow {
				e := new(Entry)
				s.add(e)
				list = append(list, e)
				continue
			}
			for range min(len(list), 1+random.IntN(8)) {
				i := random.IntN(len(list))
				s.remove(list[i])
				list = slices.Delete(list, i, i+1)
			}
		}
		var got, some []*Entry
		for number, more := uint64(0), true; more; {
			some, number, more = s.after(number, some[:0])
			got = append(got, some...)
		}
		if !slices.Equal(got, list) {
			t.Fatalf("seed %d: %d entries, want %d", seed, len(got), len(list))
		}
		places := 0
		for _, g := range s.segments {
			places += len(g.entries)
		}
		if most := 8*len(list) + 2*segmentSize; places > most {
			t.Errorf("seed %d: %d places for %d entries", seed, places, len(list))
		}
	}
}

// BenchmarkCut shows what taking a cut costs those who apply: the longest time
// that the machine's mutex was held, with that many entries.
func BenchmarkCut(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000, 5_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := filled(b, n, 0, 0)
			var longest time.Duration
			for b.Loop() {
				begin := time.Now()
				cut, err := m.Cut()
				longest = max(longest, time.Since(begin))
				if err != nil {
					b.Fatal(err)
				}
				cut.Close()
			}
			b.ReportMetric(float64(longest.Microseconds()), "µs-longest")
		})
	}
}

// BenchmarkTransfer writes a cut and restores it.
func BenchmarkTransfer(b *testing.B) {
	const n = 1_000_000
	m := filled(b, n, 0, 0)
	for b.Loop() {
		cut, err := m.Cut()
		if err != nil {
			b.Fatal(err)
		}
		build := NewBuilder()
		d := snapshot.NewDecoder(build.Record)
		_, err = cut.WriteTo(d)
		cut.Close()
		if err := errors.Join(err, d.Close()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/entry")
}
