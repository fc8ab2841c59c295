package fsm

import (
	"math"
	"testing"

	"github.com/inelpandzic/imdgo/internal/command"
)

var noTTL = command.TTL{}

func TestConditionalWrites(t *testing.T) {
	r := newReplica(t)
	expect(t, "absent, if absent", r.do(1, setIfAbsent("k", "1")), command.Applied, 1)
	expect(t, "present, if absent", r.do(1, setIfAbsent("k", "2")), command.Unmet, 1)
	expect(t, "swap another version", r.do(1, swap("k", 7, "2")), command.Unmet, 1)
	expect(t, "swap for nothing", r.do(1, swap("k", 0, "2")), command.Unmet, 1)
	expect(t, "swap", r.do(1, swap("k", 1, "2")), command.Applied, 2)
	expect(t, "swap what is not there", r.do(1, swap("l", 1, "2")), command.Unmet, 0)
	expect(t, "swap nothing", r.do(1, swap("l", 0, "1")), command.Applied, 3)
	expect(t, "delete another version", r.do(1, compareAndDelete("k", 1)), command.Unmet, 2)
	expect(t, "delete what is not there by version 0", r.do(1, compareAndDelete("m", 0)), command.Unmet, 0)
	expect(t, "delete", r.do(1, compareAndDelete("k", 2)), command.Applied, 0)
	expect(t, "set", r.do(1, set("k", "3", noTTL)), command.Applied, 5)
	r.expectShow("k", "3@5 until 0")
}

// What has expired by the batch's stamp is absent to every operation of the
// batch, also while it lies in memory and no command has removed it.
func TestAnExpiredEntryIsAbsentToConditionalOperations(t *testing.T) {
	setUp := func() *replica {
		r := newReplica(t)
		r.do(second, set("k", "old", explicit(second)))
		return r
	}
	expired := 2 * second
	r := setUp()
	expect(t, "if absent, a moment before", r.do(expired-1, setIfAbsent("k", "new")), command.Unmet, 1)
	expect(t, "if absent", r.do(expired, setIfAbsent("k", "new")), command.Applied, 2)
	r.expectShow("k", "new@2 until 0")
	if r.Table(sessions.Name).Len() != 1 {
		t.Error("the expired entry is still counted beside the new one")
	}
	r = setUp()
	expect(t, "swap its version", r.do(expired, swap("k", 1, "new")), command.Unmet, 0)
	expect(t, "delete its version", r.do(expired, compareAndDelete("k", 1)), command.Unmet, 0)
	expect(t, "touch", r.do(expired, touch("k", hour)), command.Unmet, 0)
	if r.Table(sessions.Name).Len() != 1 {
		t.Error("it has gone without a command")
	}
	expect(t, "swap nothing", r.do(expired, swap("k", 0, "new")), command.Applied, 2)
	r = setUp()
	expect(t, "plain delete", r.do(expired, del("k")), command.Applied, 0)
	r.expectShow("k", "nothing")
}

func TestTouchMovesTheDeadlineAndLeavesTheVersion(t *testing.T) {
	r := newReplica(t)
	r.do(0, set("k", "v", explicit(second)))
	expect(t, "touch", r.do(1, touch("k", hour)), command.Applied, 1)
	r.expectShow("k", "v@1 until 3600000000001")
	expect(t, "touch for ever", r.do(2, touch("k", 0)), command.Applied, 1)
	r.expectShow("k", "v@1 until 0")
	expect(t, "touch to earlier", r.do(3, touch("k", 7)), command.Applied, 1)
	r.expectShow("k", "v@1 until 10")
	expect(t, "touch nothing", r.do(3, touch("l", 7)), command.Unmet, 0)
	expect(t, "the next version", r.do(3, set("k", "w", noTTL)), command.Applied, 2)
}

func TestSetManyIsOneWrite(t *testing.T) {
	r := newReplica(t)
	expect(t, "set many", r.do(0, setMany(explicit(5), "a", "1", "b", "2", "a", "3")), command.Applied, 1)
	r.expectShow("a", "3@1 until 5")
	r.expectShow("b", "2@1 until 5")
	if table := r.Table(sessions.Name); table.Len() != 2 || r.Account().Used != 2*Cost(1, 1) {
		t.Errorf("%d entries, %+v", table.Len(), r.Account())
	}
}

func TestTheCallersOwnTTLComesFirstThenTheMapsThenTheDefault(t *testing.T) {
	r := newReplica(t)
	set := func(ttl command.TTL) {
		t.Helper()
		r.do(100, set("k", "v", ttl))
	}
	deadline := func(want int64) {
		t.Helper()
		if _, v := r.Table(sessions.Name).Lookup(sessions.Type, "k"); v.Deadline() != want {
			t.Errorf("deadline %d, want %d", v.Deadline(), want)
		}
	}
	set(fallback(5))
	deadline(105)
	r.do(100, declareTTL(7))
	deadline(105) // what is there stays as it is
	set(fallback(5))
	deadline(107)
	set(explicit(9))
	deadline(109)
	set(explicit(0))
	deadline(0)
	r.do(100, touch("k", 3))
	deadline(103)
	r.do(100, declareTTL(0))
	set(fallback(5))
	deadline(0)
	r.do(100, declareTTL(8), clearMap())
	set(fallback(5))
	deadline(108) // a cleared map keeps what was declared
}

func TestADeadlineBeyondTheEndOfTimeIsTheEndOfTime(t *testing.T) {
	r := newReplica(t)
	for _, ttl := range []int64{math.MaxInt64 - hour, math.MaxInt64 - hour + 1, math.MaxInt64} {
		r.do(hour, set("k", "v", explicit(ttl)))
		if _, v := r.Table(sessions.Name).Lookup(sessions.Type, "k"); v.Deadline() != math.MaxInt64 {
			t.Errorf("TTL %d: deadline %d", ttl, v.Deadline())
		}
		r.do(hour, touch("k", ttl))
	}
	r.do(hour, set("l", "v", explicit(math.MaxInt64-hour-1)))
	if _, ok := r.Due(math.MaxInt64-2, 9); ok {
		t.Error("something is due before the end")
	}
	threshold, ok := r.Due(math.MaxInt64, 9)
	if !ok {
		t.Fatal("nothing is due at the end")
	}
	r.apply(math.MaxInt64, &threshold)
	if n := r.Account().Entries; n != 0 {
		t.Errorf("%d entries outlive time", n)
	}
}

func TestAMapOfAnotherTypeIsAMismatch(t *testing.T) {
	r := newReplica(t)
	r.do(0, set("k", "v", noTTL))
	other := command.Target{Type: sessions.Type + 1, Name: sessions.Name}
	before := r.version
	for _, o := range []op{
		command.AppendSet(nil, command.Set, patience, other, "k", noTTL, []byte("w")),
		command.AppendDelete(nil, patience, other, []string{"k"}),
		command.AppendClear(nil, patience, other),
		command.AppendDeclare(nil, patience, other, []command.Option{{Field: command.FieldTTL, Value: 1}}),
	} {
		expect(t, "on another type", r.do(0, o), command.Mismatch, 0)
	}
	if r.version != before {
		t.Error("a mismatch counts as a write")
	}
	r.expectShow("k", "v@1 until 0")
	if _, v := r.Table(sessions.Name).Lookup(other.Type, "k"); v != nil {
		t.Error("a reader of another type finds something")
	}
}

func TestClearEmptiesOneMap(t *testing.T) {
	r := newReplica(t)
	other := command.Target{Name: "other"}
	r.do(0, setMany(explicit(5), "a", "1", "b", "2"), command.AppendSet(nil, command.Set, patience, other, "k", noTTL, []byte("v")))
	expect(t, "clear", r.do(0, clearMap()), command.Applied, 0)
	if a := r.Account(); a.Entries != 1 || a.Used != Cost(1, 1) {
		t.Errorf("%+v is left", a)
	}
	if r.HasDeadlines() {
		t.Error("deadlines are left")
	}
	expect(t, "the next version", r.do(0, set("a", "1", noTTL)), command.Applied, 4)
}

// A reader may ask for a map before it exists, and holds on to the same one.
func TestATableIsTheSameOneBeforeAndAfter(t *testing.T) {
	r := newReplica(t)
	before := r.hash()
	table := r.Table(sessions.Name)
	if _, exists := table.Kind(); exists || table.Len() != 0 || table.Name() != sessions.Name {
		t.Error("a map that nobody has written to exists")
	}
	if e, v := table.Lookup(sessions.Type, "k"); e != nil || v != nil {
		t.Error("it holds something")
	}
	table.Walk(func(*Entry, *Value) bool { t.Error("it holds something"); return true })
	if r.hash() != before {
		t.Error("asking for it changed the state")
	}
	r.do(0, set("k", "v", noTTL))
	if kind, exists := table.Kind(); !exists || kind != sessions.Type || table.Len() != 1 {
		t.Error("the table is not the one that was written to")
	}
	if r.Table(sessions.Name) != table {
		t.Error("there are two")
	}
}

func TestWalkEndsWhenItIsTold(t *testing.T) {
	r := newReplica(t)
	r.do(0, setMany(noTTL, "a", "1", "b", "2", "c", "3"))
	n := 0
	r.Table(sessions.Name).Walk(func(*Entry, *Value) bool { n++; return n < 2 })
	if n != 2 {
		t.Errorf("%d entries", n)
	}
}

func TestResetIsANewMachine(t *testing.T) {
	r := newReplica(t)
	empty := r.hash()
	table := r.Table(sessions.Name)
	for range 2 {
		p := partOf(alice, 1, 1, 0, set("k", "v", explicit(second)), declareTTL(5))
		if err := r.Apply(9, entryOf(7, 8, nil, p)); err != nil {
			t.Fatal(err)
		}
		r.expectShow("k", "v@1 until 1000000007")
		r.Reset()
		if r.hash() != empty || r.Index() != 0 || r.Clock() != 0 || r.HasDeadlines() || table.Len() != 0 {
			t.Error("something is left")
		}
		if r.Table(sessions.Name) != table {
			t.Error("the table is another one")
		}
	}
}

// The buffer of a batch is used again, and a live value must not pin it.
func TestNothingAliasesTheBatch(t *testing.T) {
	r := newReplica(t)
	p := partOf(alice, 1, 1, 0, set("key", "value", explicit(5)), setMany(noTTL, "a", "1", "b", "2"), touch("a", 9), declareTTL(4))
	entry := entryOf(1, 1, nil, p)
	if err := r.Apply(1, entry); err != nil {
		t.Fatal(err)
	}
	before := r.hash()
	for i := range entry {
		entry[i] = 0xff
	}
	if r.hash() != before {
		t.Error("the state changed with the buffer")
	}
	r.expectShow("key", "value@1 until 6")
	r.expectShow("a", "1@2 until 10")
	r.expectShow("b", "2@2 until 0")
	for name := range r.tables {
		if name != sessions.Name {
			t.Errorf("a map has become %q", name)
		}
	}
}
