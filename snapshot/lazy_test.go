package snapshot_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/snapshot"
)

// state is a cut that writes what it is told.
type state struct {
	index   uint64
	bytes   []byte
	aborted atomic.Bool
	closed  int
}

func (s *state) Meta() (uint64, uint64, raft.Configuration, uint64) {
	return s.index, 3, raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a"}}}, 2
}
func (s *state) Size() int64                        { return int64(len(s.bytes)) }
func (s *state) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, bytes.NewReader(s.bytes)) }
func (s *state) Abort(err error)                    { s.aborted.Store(err != nil) }
func (s *state) Close()                             { s.closed++ }

// arriving collects a stream; it is whole if it ends with an exclamation mark.
type arriving struct {
	bytes.Buffer
	meta      raft.SnapshotMeta
	cancelled int
}

func (a *arriving) Cancel() { a.cancelled++ }

func (a *arriving) Close() error {
	if !bytes.HasSuffix(a.Bytes(), []byte("!")) {
		return snapshot.ErrDamaged
	}
	return nil
}

type lazyBench struct {
	*snapshot.Lazy
	state   *state
	stalled atomic.Int32
	came    *arriving // the last one
}

func newLazyBench() *lazyBench {
	b := &lazyBench{state: &state{index: 10, bytes: []byte("state of ten!")}}
	b.Lazy = snapshot.NewLazy(func() (snapshot.Cut, error) {
		if b.state == nil {
			return nil, errors.New("no cut now")
		}
		return b.state, nil
	}, func(m *raft.SnapshotMeta) snapshot.Incoming {
		b.came = &arriving{meta: *m}
		return b.came
	},
		func() { b.stalled.Add(1) }, 10*time.Second)
	return b
}

// cancelled checks how often what came last was told that nothing becomes of it.
func (b *lazyBench) cancelled(t *testing.T, want int) {
	t.Helper()
	if b.came.cancelled != want {
		t.Errorf("what came was cancelled %d times, want %d", b.came.cancelled, want)
	}
}

func (b *lazyBench) create(t *testing.T, index uint64) raft.SnapshotSink {
	t.Helper()
	sink, err := b.Create(1, index, 2, raft.Configuration{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

func (b *lazyBench) latest(t *testing.T) *raft.SnapshotMeta {
	t.Helper()
	list, err := b.List()
	if err != nil || len(list) > 1 {
		t.Fatal(list, err)
	}
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

func TestAMarkIsOpenedAsTheStateOfThatMoment(t *testing.T) {
	b := newLazyBench()
	if b.latest(t) != nil {
		t.Fatal("there is one before the first")
	}
	if err := snapshot.Mark(b.create(t, 5)); err != nil {
		t.Fatal(err)
	}
	mark := b.latest(t)
	if mark.Index != 5 || mark.Term != 2 {
		t.Errorf("%+v", mark)
	}
	meta, r, err := b.Open(mark.ID)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || string(got) != "state of ten!" || meta.Index != 10 || meta.Term != 3 || meta.ConfigurationIndex != 2 ||
		len(meta.Configuration.Servers) != 1 || meta.Size != int64(len(got)) {
		t.Errorf("%q, %v, %+v", got, err, meta)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil || b.state.closed != 1 {
		t.Errorf("%v, closed %d times", err, b.state.closed)
	}
	if _, _, err := b.Open("another"); !errors.Is(err, snapshot.ErrUnknown) {
		t.Errorf("one that is not there: %v", err)
	}
	b.state = nil
	if _, _, err := b.Open(mark.ID); err == nil {
		t.Error("opened without a cut")
	}
}

func TestASnapshotIsReceivedWholeOrNotAtAll(t *testing.T) {
	b := newLazyBench()
	for _, cut := range []string{"", "half of i"} {
		sink := b.create(t, 7)
		if _, err := io.WriteString(sink, cut); err != nil {
			t.Fatal(err)
		}
		if err := sink.Close(); !errors.Is(err, snapshot.ErrDamaged) || b.latest(t) != nil {
			t.Errorf("%q: %v, and there is %v", cut, err, b.latest(t))
		}
		b.cancelled(t, 1)
	}
	cancelled := b.create(t, 7)
	_, err := io.WriteString(cancelled, "all of it!")
	if err := errors.Join(err, cancelled.Cancel()); err != nil || b.latest(t) != nil {
		t.Errorf("%v, and there is %v", err, b.latest(t))
	}
	b.cancelled(t, 1)
	sink := b.create(t, 7)
	_, err = io.WriteString(sink, "all of it!")
	if err := errors.Join(err, sink.Close()); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.Received(); ok {
		t.Error("received before raft has opened it")
	}
	meta, r, err := b.Open(sink.ID())
	if err != nil || meta.Index != 7 || meta.Size != int64(len("all of it!")) {
		t.Fatalf("%+v, %v", meta, err)
	}
	in, ok := b.Received()
	if !ok || in.(*arriving).String() != "all of it!" || in.(*arriving).meta.Index != 7 {
		t.Errorf("%v, %v", in, ok)
	}
	b.cancelled(t, 0)
	if _, again := b.Received(); again {
		t.Error("received twice")
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	// From then on it is sent on, as whatever the state has become.
	if meta, r, err := b.Open(sink.ID()); err != nil || meta.Index != 10 || r.Close() != nil {
		t.Errorf("%+v, %v", meta, err)
	}
}

func TestOnlyASinkOfTheStoreCanBeMarked(t *testing.T) {
	sink, err := raft.NewDiscardSnapshotStore().Create(1, 1, 1, raft.Configuration{}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := snapshot.Mark(sink); err == nil {
		t.Error("marked a sink of another store")
	}
}

func TestATransferThatStandsStillIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newLazyBench()
		sink := b.create(t, 7)
		for range 3 {
			if _, err := io.WriteString(sink, "some"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(9 * time.Second) // of the bubble
		}
		if b.stalled.Load() != 0 {
			t.Fatal("ended although bytes came")
		}
		time.Sleep(2 * time.Second)
		if b.stalled.Load() != 1 {
			t.Error("it still stands")
		}
		if err := sink.Cancel(); err != nil {
			t.Error(err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b := newLazyBench()
		b.state.bytes = bytes.Repeat([]byte("x"), 1<<20)
		if err := snapshot.Mark(b.create(t, 5)); err != nil {
			t.Fatal(err)
		}
		_, r, err := b.Open(b.latest(t).ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Second)
		if _, err := io.ReadAll(r); err == nil || !b.state.aborted.Load() {
			t.Errorf("read on after standing still: %v, aborted %v", err, b.state.aborted.Load())
		}
		if err := r.Close(); err != nil || b.state.closed != 1 {
			t.Errorf("%v, closed %d times", err, b.state.closed)
		}
	})
}

func ExampleLazy() {
	meta := func(l *snapshot.Lazy) []uint64 {
		var indexes []uint64
		list, _ := l.List()
		for _, m := range list {
			indexes = append(indexes, m.Index)
		}
		return indexes
	}
	b := newLazyBench()
	sink, _ := b.Create(1, 5, 2, raft.Configuration{}, 1, nil) // raft takes a snapshot at 5
	_ = snapshot.Mark(sink)
	fmt.Println(meta(b.Lazy))
	_, r, _ := b.Open(sink.ID()) // a follower needs it, when the state is at 10
	all, _ := io.ReadAll(r)
	fmt.Println(string(all), r.Close())
	// Output:
	// [5]
	// state of ten! <nil>
}
