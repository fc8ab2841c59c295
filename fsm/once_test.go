package fsm

import (
	"errors"
	"testing"

	"github.com/inelpandzic/imdgo/internal/command"
)

const (
	alice = 0xa11ce
	bob   = 0xb0b
)

// brief is an operation that may be applied for so many milliseconds.
func brief(patience uint64, key, value string) op {
	return command.AppendSet(nil, command.Set, patience, sessions, key, command.TTL{}, []byte(value))
}

// A leader logs alice's part and dies before she hears of it. She hands the
// same part to the next leader, which logs it again, after a write of bob's.
func TestACopyIsAnsweredAndNotApplied(t *testing.T) {
	r := newReplica(t)
	p := partOf(alice, 1, 1, 0, set("k", "alice", command.TTL{}), setIfAbsent("k", "x"), swap("k", 1, "alice's second"))
	first := append([]command.Result(nil), r.apply(1, nil, p)...)
	r.apply(2, nil, partOf(bob, 1, 1, 0, set("k", "bob", command.TTL{})))
	again := r.apply(3, nil, p)
	want := []command.Result{{Code: command.Applied, Version: 1}, {Code: command.Unmet, Version: 1}, {Code: command.Applied, Version: 2}}
	for i := range want {
		if first[i] != want[i] || again[i] != want[i] {
			t.Errorf("operation %d answered %+v, its copy %+v, want %+v", i, first[i], again[i], want[i])
		}
	}
	r.expectShow("k", "bob@3 until 0")
}

// Both copies are even in one batch.
func TestACopyInTheSameBatchIsNotApplied(t *testing.T) {
	r := newReplica(t)
	p := partOf(alice, 1, 1, 0, set("k", "v", command.TTL{}))
	if got := r.apply(1, nil, p, p); len(got) != 2 || got[0] != got[1] {
		t.Errorf("answers %+v", got)
	}
	r.expectShow("k", "v@1 until 0")
}

// Alice has had her answer and says so with her next part. A copy of the first
// one that comes later is for nobody.
func TestALateCopyAfterLowMovedOnIsRefused(t *testing.T) {
	r := newReplica(t)
	old := partOf(alice, 1, 1, 0, set("k", "old", command.TTL{}))
	r.apply(1, nil, old)
	r.apply(2, nil, partOf(alice, 2, 2, 0, set("k", "new", command.TTL{})))
	expect(t, "the late copy", r.apply(3, nil, old), command.TooLate, 0)
	r.expectShow("k", "new@2 until 0")
}

// Alice gave up on a part that never got into the log, and moved on. It does
// get there, by a path that was slow.
func TestALateOriginalAfterLowMovedOnIsRefused(t *testing.T) {
	r := newReplica(t)
	r.apply(1, nil, partOf(alice, 2, 2, 0, set("k", "new", command.TTL{})))
	expect(t, "the late part", r.apply(2, nil, partOf(alice, 1, 1, 0, set("k", "old", command.TTL{}))), command.TooLate, 0)
	r.expectShow("k", "new@1 until 0")
}

// A part reaches the log before one that alice sent earlier: both are wanted.
func TestPartsMayOvertakeEachOther(t *testing.T) {
	r := newReplica(t)
	expect(t, "the later", r.apply(1, nil, partOf(alice, 1, 100, 0, set("b", "2", command.TTL{}))), command.Applied, 1)
	expect(t, "the earlier", r.apply(2, nil, partOf(alice, 1, 1, 0, set("a", "1", command.TTL{}))), command.Applied, 2)
	expect(t, "the later again", r.apply(3, nil, partOf(alice, 1, 100, 0, set("b", "2", command.TTL{}))), command.Applied, 1)
}

// The clock passes a part's notAfter while it waits. It is not applied then, at
// the moment itself it still is, and a copy of what was applied in time is not
// applied again.
func TestNotAfter(t *testing.T) {
	r := newReplica(t)
	onTime := partOf(alice, 1, 1, second, brief(1000, "k", "on time"))
	expect(t, "at its last moment", r.apply(2*second, nil, onTime), command.Applied, 1)
	expect(t, "a copy at that moment", r.apply(2*second, nil, onTime), command.Applied, 1)
	late := partOf(alice, 1, 2, second, brief(1000, "k", "late"))
	expect(t, "a moment later", r.apply(2*second+1, nil, late), command.TooLate, 0)
	expect(t, "a copy a moment later", r.apply(2*second+1, nil, onTime), command.TooLate, 0)
	r.expectShow("k", "on time@1 until 0")
}

// A stamp may be older than the clock, when a leader changed: the clock decides.
func TestTheClockNeverGoesBack(t *testing.T) {
	r := newReplica(t)
	r.apply(5*second, nil)
	expect(t, "too late by the clock", r.apply(second, nil, partOf(alice, 1, 1, 0, brief(2000, "k", "v"))), command.TooLate, 0)
	if r.Clock() != 5*second {
		t.Errorf("clock %d", r.Clock())
	}
}

// What is outstanding grows from one to as many as there may be: every result
// stays, and what has been answered makes room.
func TestTheWindowGrows(t *testing.T) {
	r := newReplica(t)
	sequence := uint64(1)
	for sequence < command.MaxWindow {
		n := min(sequence, 4096, command.MaxWindow-sequence)
		ops := make([]op, n)
		for i := range ops {
			ops[i] = set("k", "v", command.TTL{})
		}
		r.apply(1, nil, partOf(alice, 1, sequence, 0, ops...))
		sequence += n
	}
	for _, s := range []uint64{1, 2, 63, 64, 65, 4096, 4097, command.MaxWindow - 1} {
		expect(t, "an old one", r.apply(2, nil, partOf(alice, 1, s, 0, set("k", "v", command.TTL{}))), command.Applied, s)
	}
	if err := r.invariants(); err != nil {
		t.Error(err)
	}
	next := uint64(command.MaxWindow)
	expect(t, "after all answers", r.apply(3, nil, partOf(alice, next, next, 0, set("k", "v", command.TTL{}))), command.Applied, next)
	expect(t, "one below", r.apply(3, nil, partOf(alice, 1, next-1, 0, set("k", "v", command.TTL{}))), command.TooLate, 0)
}

// Whether a forgotten origin has been looked at or not, the state is the same,
// and it takes up no memory once somebody new comes.
func TestForgettingIsTheSameWheneverItHappens(t *testing.T) {
	seen, unseen := newReplica(t), newReplica(t)
	for _, r := range []*replica{seen, unseen} {
		r.apply(0, nil, partOf(alice, 1, 1, 0, brief(1000, "a", "1")), partOf(bob, 1, 1, 0, brief(5000, "b", "1")))
		r.apply(3*second, nil)
	}
	seen.forget(seen.Clock())
	if len(seen.origins) != 1 || len(unseen.origins) != 2 {
		t.Fatalf("%d and %d origins", len(seen.origins), len(unseen.origins))
	}
	if seen.hash() != unseen.hash() {
		t.Error("a record that nobody looked at shows in the hash")
	}
	// Alice comes back, also with a lower sequence than before.
	for _, r := range []*replica{seen, unseen} {
		expect(t, "alice again", r.apply(3*second, nil, partOf(alice, 0, 1, 3*second, brief(1, "a", "2"))), command.Applied, 3)
	}
	if seen.hash() != unseen.hash() {
		t.Error("a new record of a forgotten origin remembers the old one")
	}
	unseen.apply(10*second, nil, partOf(99, 1, 1, 10*second, marker()))
	if len(unseen.origins) != 1 {
		t.Errorf("%d origins when all but the new one are forgotten", len(unseen.origins))
	}
}

// A result whose notAfter has passed is no part of the state any more, so it
// must not answer either, while its origin is still remembered: a replica that
// was restored would not have it.
func TestAResultAnswersNoLongerThanItIsState(t *testing.T) {
	r := newReplica(t)
	old := partOf(alice, 1, 1, 0, brief(1000, "a", "1"))
	r.apply(0, nil, old, partOf(alice, 1, 2, 0, brief(60_000, "b", "1")))
	before := r.hash()
	r.apply(2*second, nil)
	if r.hash() == before {
		t.Error("the hash does not see the clock")
	}
	expect(t, "a copy", r.apply(2*second, nil, old), command.TooLate, 0)
	expect(t, "a copy of the patient one", r.apply(2*second, nil, partOf(alice, 1, 2, 0, brief(60_000, "b", "1"))), command.Applied, 2)
}

// Nothing and Marker keep their place in the sequence and leave no trace.
func TestMarkersAreNotKept(t *testing.T) {
	r := newReplica(t)
	got := r.apply(1, nil, partOf(alice, 1, 1, 0, marker(), command.AppendNothing(nil), set("k", "v", command.TTL{})))
	if len(got) != 3 || got[0].Code != command.Applied || got[1].Code != command.Applied || got[2].Version != 1 {
		t.Errorf("answers %+v", got)
	}
	kept := 0
	r.origins[alice].live(r.Clock(), func(row) { kept++ })
	if kept != 1 {
		t.Errorf("%d results are kept", kept)
	}
}

// A part that announces another number of operations than it has must not get
// past the table of results.
func TestACountThatIsWrongIsAnError(t *testing.T) {
	for _, count := range []int{0, 1, 3} {
		p := partOf(alice, 1, 1, 0, marker(), marker())
		p.Count = count
		if err := New(nil).Apply(1, entryOf(0, 0, nil, p)); !errors.Is(err, command.ErrMalformed) {
			t.Errorf("two operations announced as %d: error %v", count, err)
		}
	}
}

func TestDeliverNamesThePart(t *testing.T) {
	type delivery struct {
		origin, first uint64
		n             int
		stamp         int64
	}
	var got []delivery
	m := New(func(origin, first uint64, results []command.Result, stamp int64) {
		got = append(got, delivery{origin, first, len(results), stamp})
	})
	entry := entryOf(7, 0, nil, partOf(alice, 1, 5, 0, marker(), marker()), partOf(bob, 2, 3, 0, marker()))
	if err := m.Apply(12, entry); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0] != (delivery{alice, 5, 2, 7}) || got[1] != (delivery{bob, 3, 1, 7}) {
		t.Errorf("delivered %+v", got)
	}
	if m.Index() != 12 {
		t.Errorf("index %d", m.Index())
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	valid := entryOf(1, 0, nil, partOf(alice, 1, 1, 0, marker()))
	for name, entry := range map[string][]byte{
		"format":     append([]byte{command.Format + 1}, valid[1:]...),
		"empty":      nil,
		"cut":        valid[:len(valid)-1],
		"more bytes": append(append([]byte(nil), valid...), 0),
		"operation":  entryOf(1, 0, nil, partOf(alice, 1, 1, 0, op{200, 0})),
	} {
		m := New(nil)
		if err := m.Apply(5, entry); !errors.Is(err, command.ErrMalformed) {
			t.Errorf("%s: error %v", name, err)
		}
		if m.Index() != 0 {
			t.Errorf("%s: counts as applied", name)
		}
	}
}
