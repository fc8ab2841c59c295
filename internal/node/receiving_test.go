package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/fsm"
	"github.com/inelpandzic/imdgo/internal/command"
	"github.com/inelpandzic/imdgo/internal/logstore"
	"github.com/inelpandzic/imdgo/snapshot"
)

// receiver is a replica whose log has the entries 1 to 10 of term 2, of which 1 to 5
// have been applied. Each sets keys of its own, 100 kB.
type receiver struct {
	*testing.T
	*replica
	raft logStore // as raft sees it
}

func newReceiver(t *testing.T, budget int64) *receiver {
	r := &replica{machine: fsm.New(nil), clock: newClusterClock(SystemClock{}), log: logstore.NewRing(1<<30, func() {}),
		ctx: t.Context(), term: func() uint64 { return 5 }, restored: func() {}, reconfigured: func() {},
		failed: func(err error) { t.Error(err) }, budget: budget, logger: hclog.NewNullLogger()}
	b := &receiver{t, r, attentive{r.log, r}}
	for i := range uint64(10) {
		if err := b.raft.StoreLog(entryAt(i + 1)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(5) {
		b.Apply(entryAt(i + 1))
	}
	return b
}

func entryAt(index uint64) *raft.Log {
	p := command.Part{Low: 1, First: 1, Count: 1, Origin: index, Base: 1}
	p.Ops = command.AppendSet(p.Ops, command.Set, 1, command.Target{Name: "m"}, fmt.Sprint(index), command.TTL{}, make([]byte, 100_000))
	return &raft.Log{Index: index, Term: 2, Type: raft.LogCommand, Data: encode([]submission{{part: p}}, int64(index), 0, nil)}
}

// sent is the stream of a state with so many of the entries.
func sent(t *testing.T, entries uint64) []byte {
	t.Helper()
	m := fsm.New(nil)
	for i := range entries {
		if err := m.Apply(i+1, entryAt(i+1).Data); err != nil {
			t.Fatal(err)
		}
	}
	cut, err := m.Cut()
	if err != nil {
		t.Fatal(err)
	}
	defer cut.Close()
	var stream bytes.Buffer
	if _, err := cut.WriteTo(&stream); err != nil {
		t.Fatal(err)
	}
	return stream.Bytes()
}

func (b *receiver) comes(index, term uint64) snapshot.Incoming {
	return b.receive(&raft.SnapshotMeta{Index: index, Term: term})
}

// half has half of a state come that takes the former's place.
func (b *receiver) half() snapshot.Incoming {
	b.Helper()
	in, stream := b.comes(500, 3), sent(b.T, 8)
	if _, err := in.Write(stream[:len(stream)/2]); err != nil {
		b.Fatal(err)
	}
	if !b.emptied.Load() || b.machine.Index() != 0 || b.machine.Account().Entries != 0 {
		b.Fatalf("the former state is still there: %+v", b.machine.Account())
	}
	return in
}

// theOne is a store that has what was received.
type theOne struct {
	raft.SnapshotStore
	in snapshot.Incoming
}

func (o theOne) Received() (snapshot.Incoming, bool) { return o.in, true }

// The schedule: raft has queued entries when the state begins to come, and applies
// them while it does; then the transfer breaks off; then another one comes to its end.
func TestNothingIsDoneWithAStateThatIsNotThere(t *testing.T) {
	b := newReceiver(t, 1_000_000)
	broken := b.half()
	if _, waiting := b.waiting(); waiting {
		t.Error("it waits for a state while one is coming")
	}
	broken.Cancel()
	if last, waiting := b.waiting(); !waiting || last.index != 10 || last.term != 2 {
		t.Errorf("it waits for a state: %v, at %+v", waiting, last)
	}
	b.Apply(entryAt(6))
	b.StoreConfiguration(7, raft.Configuration{})
	if b.machine.Index() != 0 || b.machine.Account().Used != 0 || b.at.index != 5 {
		t.Errorf("what was queued has been applied to nothing: %+v", b.at)
	}
	if _, err := b.cut(); !errors.Is(err, errEmptied) {
		t.Errorf("cutting it: %v", err)
	}
	if _, err := b.Snapshot(); !errors.Is(err, errEmptied) {
		t.Errorf("a snapshot of it: %v", err)
	}

	in, stream := b.comes(500, 3), sent(t, 8)
	if _, err := in.Write(stream); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	b.store = theOne{in: in}
	if err := b.Restore(io.NopCloser(nil)); err != nil {
		t.Fatal(err)
	}
	if b.emptied.Load() || b.machine.Account().Entries != 8 || b.at.index != 500 {
		t.Errorf("after all of it has come: %+v at %+v", b.machine.Account(), b.at)
	}
	b.Apply(entryAt(501))
	if b.machine.Index() != 501 {
		t.Error("nothing is applied any more")
	}
}

// The schedule: both states fit, an entry makes the former one larger, and with it the
// stamp of that entry would be gone before this node has taken note of it.
func TestTheStampOfTheEntryThatHadTheStateDroppedIsHeard(t *testing.T) {
	b := newReceiver(t, 1_000_000)
	if _, err := b.comes(500, 3).Write(sent(t, 4)); err != nil {
		t.Fatal(err)
	}
	b.votes = true
	if b.emptied.Load() {
		t.Fatal("the former state was dropped before")
	}
	b.Apply(entryAt(6))
	if !b.emptied.Load() || b.at.index != 6 {
		t.Fatalf("it was dropped: %v, at %+v", b.emptied.Load(), b.at)
	}
	if a := b.clock.anchor.Load(); a == nil || a.stamp != 6 {
		t.Errorf("the clock goes by %+v", a)
	}
}

// What this node has promised must stay as it is: raft removes the log for a state.
func TestWhileThereIsNoStateTheLogDoesNotChange(t *testing.T) {
	b := newReceiver(t, 1_000_000)
	b.half().Cancel()
	for what, err := range map[string]error{"adding": b.raft.StoreLog(entryAt(11)), "removing": b.raft.DeleteRange(8, 10)} {
		if !errors.Is(err, errEmptied) {
			t.Errorf("%s entries: %v", what, err)
		}
	}
	stream := sent(t, 8)
	for _, older := range []position{{index: 9, term: 2}, {index: 600, term: 1}} {
		in := b.comes(older.index, older.term)
		if _, err := in.Write(stream); !errors.Is(err, errEmptied) {
			t.Errorf("a state of %+v: %v", older, err)
		}
		in.Cancel()
	}
	for _, newer := range []position{{index: 10, term: 2}, {index: 600, term: 2}, {index: 9, term: 3}} {
		in := b.comes(newer.index, newer.term)
		if _, err := in.Write(stream); err != nil {
			t.Errorf("a state of %+v: %v", newer, err)
		}
		in.Cancel()
	}
}

func TestWhatIsRefusedWhileThereIsNoState(t *testing.T) {
	b := newReceiver(t, 1_000_000)
	probe := appending(func(*raft.AppendEntriesRequest) {})
	whole := appending(func(q *raft.AppendEntriesRequest) { q.PrevLogEntry, q.PrevLogTerm = 0, 0 })
	if _, refused := b.refusal(probe); refused {
		t.Error("an append is refused while there is a state")
	}
	b.half().Cancel()
	for q, soon := range map[*raft.AppendEntriesRequest]bool{probe: true, whole: false} {
		answer, refused := b.refusal(q)
		if !refused {
			t.Fatal("an append goes to raft")
		}
		a := answer.Response.(*raft.AppendEntriesResponse)
		if a.Success || a.LastLog != 0 || a.Term != 5 || a.NoRetryBackoff != soon {
			t.Errorf("after entry %d: %+v", q.PrevLogEntry, a)
		}
	}
	beat := appending(func(q *raft.AppendEntriesRequest) {
		q.PrevLogEntry, q.PrevLogTerm, q.LeaderCommitIndex, q.Entries = 0, 0, 0, nil
	})
	for _, q := range []any{beat, new(raft.RequestVoteRequest), new(raft.RequestPreVoteRequest), new(raft.InstallSnapshotRequest)} {
		if _, refused := b.refusal(q); refused {
			t.Errorf("%T does not go to raft", q)
		}
	}
}

func TestWhenTheFormerStateStays(t *testing.T) {
	for name, test := range map[string]struct {
		budget      int64
		index, term uint64
		drops       bool
	}{
		"there is room for both":    {2_000_000, 500, 3, false},
		"there is none":             {1_000_000, 500, 3, true},
		"a tail that nobody has":    {1_000_000, 500, 1, false},
		"only a few entries behind": {1_000_000, 10 + leadLeast - 1, 3, false},
		"just enough":               {1_000_000, 10 + leadLeast, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newReceiver(t, test.budget)
			in := b.comes(test.index, test.term)
			if _, err := in.Write(sent(t, 8)); err != nil {
				t.Fatal(err)
			}
			if b.emptied.Load() != test.drops {
				t.Errorf("it was dropped: %v", b.emptied.Load())
			}
			_, coming, receiving := b.account()
			if !receiving || coming.Used < 800_000 {
				t.Errorf("what has come counts %d bytes", coming.Used)
			}
		})
	}
}

// The size in the stream's head is the least that the state takes. Small entries take
// several times as much, and that is noticed as they come.
func TestWhatComesIsWeighedAsItComes(t *testing.T) {
	b := newReceiver(t, 1_000_000)
	m := fsm.New(nil)
	for i := range uint64(50) {
		p := command.Part{Low: 1, First: 1, Count: 100, Origin: i + 1, Base: 1}
		for j := range 100 {
			p.Ops = command.AppendSet(p.Ops, command.Set, 1, command.Target{Name: "m"}, fmt.Sprint(i, j), command.TTL{}, nil)
		}
		if err := m.Apply(i+1, encode([]submission{{part: p}}, 1, 0, nil)); err != nil {
			t.Fatal(err)
		}
	}
	cut, err := m.Cut()
	if err != nil {
		t.Fatal(err)
	}
	defer cut.Close()
	if former, needs := b.machine.Account().Used, m.Account().Used; former+cut.Size() > b.budget || former+needs <= b.budget {
		t.Fatalf("%d bytes beside %d, with a stream of %d", needs, former, cut.Size())
	}
	in := b.comes(500, 3)
	began := false
	_, err = cut.WriteTo(writes(func(p []byte) (int, error) {
		n, err := in.Write(p)
		began = began || !b.emptied.Load()
		if used, coming, _ := b.account(); used.Used+coming.Used > b.budget {
			t.Errorf("both take %d bytes of %d", used.Used+coming.Used, b.budget)
		}
		return n, err
	}))
	if err != nil || !began || !b.emptied.Load() {
		t.Errorf("%v; it was there at first: %v; it was dropped: %v", err, began, b.emptied.Load())
	}
}

type writes func([]byte) (int, error)

func (w writes) Write(p []byte) (int, error) { return w(p) }
