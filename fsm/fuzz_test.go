package fsm

import (
	"testing"

	"github.com/inelpandzic/imdgo/internal/command"
)

// Whatever the leader lets into the log, every replica can apply, and in the
// same way.
func FuzzApply(f *testing.F) {
	for _, o := range []op{
		set("k", "v", explicit(5)), setIfAbsent("k", "w"), swap("k", 1, "w"), setMany(explicit(9), "k", "1", "l", "2", "k", "3"),
		del("k", "l"), compareAndDelete("k", 1), touch("k", 7), clearMap(), declareTTL(3), marker(), command.AppendNothing(nil),
	} {
		f.Add(uint64(1), uint64(1), int64(0), int64(1), int64(second), uint64(4), []byte(o))
		f.Add(uint64(1), uint64(9), second, second, int64(0), uint64(0), append(append([]byte(nil), o...), o...))
	}
	f.Fuzz(func(t *testing.T, low, first uint64, base, stamp, expire int64, version uint64, ops []byte) {
		p := command.Part{Origin: alice, Low: low, First: first, Base: base, Ops: ops}
		reader, decoded := command.ReadOps(ops), command.Op{}
		for reader.Next(&decoded) {
			p.Count++
		}
		if p.Check() != nil {
			return
		}
		a, b := newReplica(t), newReplica(t)
		threshold := &command.Threshold{Deadline: expire &^ (-1 << 63), Version: version}
		for _, r := range []*replica{a, b} {
			r.do(1, setMany(explicit(4), "k", "v", "l", "w"))
			if got := r.apply(stamp&^(-1<<63), threshold, p, p); len(got) != 2*p.Count {
				t.Fatalf("%d answers to %d operations", len(got), 2*p.Count)
			}
			if err := r.invariants(); err != nil {
				t.Fatal(err)
			}
		}
		if a.hash() != b.hash() {
			t.Fatal("two machines, two hashes")
		}
	})
}

// Whatever else turns up as an entry is applied or is an error, never a panic.
func FuzzApplyEntry(f *testing.F) {
	p := partOf(alice, 1, 1, 0, set("k", "v", explicit(5)), setMany(explicit(9), "k", "1", "l", "2"), declareTTL(3))
	f.Add(entryOf(5, 6, &command.Threshold{Deadline: 1, Version: 1}, p, p))
	p.Count = 0
	f.Add(entryOf(5, 6, nil, p))
	f.Fuzz(func(t *testing.T, entry []byte) {
		m := New(nil)
		_ = m.Apply(1, entry)
		_ = m.Apply(2, entry)
		if err := m.invariants(); err != nil {
			t.Fatal(err)
		}
	})
}
