package logstore

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"weak"

	"github.com/hashicorp/raft"
)

var (
	_ raft.LogStore          = (*Ring)(nil)
	_ raft.MonotonicLogStore = (*Ring)(nil)
)

func entry(index uint64, size int) *raft.Log {
	return &raft.Log{Index: index, Term: index / 10, Data: bytes.Repeat([]byte{byte(index)}, size), Extensions: make([]byte, size%3)}
}

// differs compares a ring with the entries that it should hold.
func differs(r *Ring, want []*raft.Log) error {
	var first, last uint64
	var size int64
	if len(want) > 0 {
		first, last = want[0].Index, want[len(want)-1].Index
	}
	if got, err := r.FirstIndex(); err != nil || got != first {
		return fmt.Errorf("first %d, %v, want %d", got, err, first)
	}
	if got, err := r.LastIndex(); err != nil || got != last {
		return fmt.Errorf("last %d, %v, want %d", got, err, last)
	}
	for _, w := range want {
		size += int64(cap(w.Data)+cap(w.Extensions)) + entryOverhead
		var log raft.Log
		if err := r.GetLog(w.Index, &log); err != nil {
			return fmt.Errorf("entry %d: %w", w.Index, err)
		}
		if log.Index != w.Index || log.Term != w.Term || !bytes.Equal(log.Data, w.Data) {
			return fmt.Errorf("entry %d is %+v", w.Index, log)
		}
	}
	if r.Bytes() != size {
		return fmt.Errorf("%d bytes, want %d", r.Bytes(), size)
	}
	for _, index := range []uint64{0, first - 1, last + 1, first + uint64(len(r.slots)), math.MaxUint64} {
		if index >= first && index <= last && len(want) > 0 {
			continue
		}
		if err := r.GetLog(index, new(raft.Log)); !errors.Is(err, raft.ErrLogNotFound) {
			return fmt.Errorf("entry %d: error %v", index, err)
		}
	}
	return r.invariants(len(want))
}

// invariants: the ring is neither too small nor far too large, and holds
// nothing outside of what it says.
func (r *Ring) invariants(n int) error {
	length := len(r.slots)
	if length&(length-1) != 0 || length < smallest || n > length || length > smallest && n <= length/8 {
		return fmt.Errorf("%d entries in a ring of %d", n, length)
	}
	used := 0
	for i := range r.slots {
		if r.slots[i].Index != 0 {
			used++
		}
	}
	if used != n {
		return fmt.Errorf("%d entries are held, want %d", used, n)
	}
	return nil
}

// Random use gives what a slice would, while the ring grows and shrinks, and
// wherever in it the log begins.
func TestTheRingIsASlice(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		r := NewRing(math.MaxInt64, nil)
		var want []*raft.Log
		next := 1 + random.Uint64N(1000)
		for step := range 300 {
			what := ""
			switch n := uint64(len(want)); {
			case n == 0 || random.IntN(3) > 0:
				if n == 0 && random.IntN(2) == 0 {
					next += random.Uint64N(1000) // a snapshot was restored
				}
				var logs []*raft.Log
				for range random.IntN(150) {
					logs = append(logs, entry(next, random.IntN(50)))
					next++
				}
				what = fmt.Sprintf("storing %d", len(logs))
				if err := r.StoreLogs(logs); err != nil {
					t.Fatal(err)
				}
				want = append(want, logs...)
			case random.IntN(2) == 0: // the head, after a snapshot; sometimes it is long gone
				first, k := want[0].Index, 1+random.Uint64N(n)
				if random.IntN(4) > 0 {
					k = min(k, 200)
				}
				lowest := first - random.Uint64N(min(3, first+1))
				what = fmt.Sprintf("deleting %d to %d", lowest, first+k-1)
				if err := r.DeleteRange(lowest, first+k-1); err != nil {
					t.Fatal(err)
				}
				want = want[k:]
			default: // the tail, overruled by a new leader
				k := random.Uint64N(n)
				if random.IntN(4) > 0 {
					k = max(k, n-min(n, 50))
				}
				lowest, highest := want[k].Index, next-1+random.Uint64N(3)
				what = fmt.Sprintf("deleting %d to %d", lowest, highest)
				if err := r.DeleteRange(lowest, highest); err != nil {
					t.Fatal(err)
				}
				want, next = want[:k], lowest
			}
			if err := differs(r, want); err != nil {
				t.Fatalf("seed %d, step %d, after %s: %v", seed, step, what, err)
			}
		}
	}
}

func TestTheRingGrowsAndShrinks(t *testing.T) {
	r := NewRing(math.MaxInt64, nil)
	const n = 10_000
	for i := range uint64(n) {
		if err := r.StoreLog(entry(i+1, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.slots) != 16384 {
		t.Errorf("a ring of %d for %d entries", len(r.slots), n)
	}
	if err := r.DeleteRange(1, n-1); err != nil {
		t.Fatal(err)
	}
	if len(r.slots) != smallest {
		t.Errorf("a ring of %d for one entry", len(r.slots))
	}
	if err := differs(r, []*raft.Log{entry(n, 1)}); err != nil {
		t.Error(err)
	}
}

func TestAnEmptyRing(t *testing.T) {
	r := NewRing(math.MaxInt64, nil)
	for range 2 {
		if err := differs(r, nil); err != nil {
			t.Error(err)
		}
		if err := r.DeleteRange(0, math.MaxUint64); err != nil {
			t.Error(err)
		}
		if err := r.StoreLogs(nil); err != nil {
			t.Error(err)
		}
		if err := r.StoreLog(entry(77, 1)); err != nil { // it may begin anywhere
			t.Error(err)
		}
		if err := r.DeleteRange(77, 77); err != nil {
			t.Error(err)
		}
	}
	if !r.IsMonotonic() {
		t.Error("not monotonic")
	}
}

func TestEntriesFollowEachOther(t *testing.T) {
	r := NewRing(math.MaxInt64, nil)
	stored := []*raft.Log{entry(5, 1), entry(6, 1), entry(7, 1), entry(8, 1)}
	if err := r.StoreLogs(stored); err != nil {
		t.Fatal(err)
	}
	for _, index := range []uint64{0, 1, 5, 8, 10} {
		if r.StoreLog(entry(index, 1)) == nil {
			t.Errorf("entry %d after 8 is accepted", index)
		}
	}
	if r.DeleteRange(6, 7) == nil {
		t.Error("a gap is accepted")
	}
	for _, outside := range [][2]uint64{{1, 4}, {9, 20}, {7, 6}} {
		if err := r.DeleteRange(outside[0], outside[1]); err != nil {
			t.Errorf("deleting %v: %v", outside, err)
		}
	}
	if err := differs(r, stored); err != nil {
		t.Error(err)
	}
}

// raft's log entry is part of a future, which holds the response of the state
// machine: the ring must not keep that alive.
func TestTheFutureIsLetGo(t *testing.T) {
	type future struct {
		log      raft.Log
		response any
	}
	r := NewRing(math.MaxInt64, nil)
	store := func() weak.Pointer[future] {
		f := &future{log: *entry(1, 100), response: "what applying it answered"}
		if err := r.StoreLogs([]*raft.Log{&f.log}); err != nil || f.response == nil {
			t.Fatal(err)
		}
		return weak.Make(f)
	}
	f := store()
	runtime.GC()
	if f.Value() != nil {
		t.Error("the future is kept")
	}
	if err := differs(r, []*raft.Log{entry(1, 100)}); err != nil {
		t.Error(err)
	}
}

// What is deleted is let go too.
func TestDeletedDataIsLetGo(t *testing.T) {
	r := NewRing(math.MaxInt64, nil)
	store := func() weak.Pointer[[100]byte] {
		data := new([100]byte)
		if err := r.StoreLogs([]*raft.Log{{Index: 1, Data: data[:]}, entry(2, 1)}); err != nil {
			t.Fatal(err)
		}
		return weak.Make(data)
	}
	data := store()
	if err := r.DeleteRange(1, 1); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	if data.Value() != nil {
		t.Error("the data is kept")
	}
	runtime.KeepAlive(r)
}

// raft reads for its followers while it appends and trims.
func TestReadersBesideAppends(t *testing.T) {
	r := NewRing(math.MaxInt64, nil)
	var done atomic.Bool
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for !done.Load() {
				first, _ := r.FirstIndex()
				last, _ := r.LastIndex()
				for index := first; index <= last; index += 17 {
					var log raft.Log
					switch err := r.GetLog(index, &log); {
					case errors.Is(err, raft.ErrLogNotFound): // trimmed meanwhile
					case err != nil || log.Index != index || len(log.Data) != int(index%50):
						t.Errorf("entry %d: %+v, error %v", index, log, err)
						return
					}
				}
				_ = r.Bytes()
			}
		})
	}
	for i := range uint64(20_000) {
		if err := r.StoreLog(entry(i+1, int((i+1)%50))); err != nil {
			t.Error(err)
		}
		if i%1000 == 999 {
			if err := r.DeleteRange(1, i-uint64(len(r.slots))/3%i); err != nil {
				t.Error(err)
			}
		}
	}
	done.Store(true)
	readers.Wait()
}
