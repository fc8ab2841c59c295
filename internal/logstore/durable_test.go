package logstore

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

var (
	_ raft.LogStore          = (*Durable)(nil)
	_ raft.MonotonicLogStore = (*Durable)(nil)
	_ raft.StableStore       = (*Durable)(nil)
)

const owner = 0xabc

// opened opens a file in a directory, and closes it with the test.
func opened(t testing.TB, dir string, isNew bool) *Durable {
	t.Helper()
	d, err := OpenDurable(Durability{Path: filepath.Join(dir, "raft.db"), Owner: owner, New: isNew, Limit: math.MaxInt64})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func reopened(t testing.TB, d *Durable, dir string) *Durable {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return opened(t, dir, false)
}

// holds compares a log with the entries that it should hold.
func (d *Durable) holds(want []*raft.Log) error {
	var first, last uint64
	var bytes int64
	if len(want) > 0 {
		first, last = want[0].Index, want[len(want)-1].Index
	}
	if got, err := d.FirstIndex(); err != nil || got != first {
		return fmt.Errorf("first %d, %v, want %d", got, err, first)
	}
	if got, err := d.LastIndex(); err != nil || got != last {
		return fmt.Errorf("last %d, %v, want %d", got, err, last)
	}
	for i, w := range want {
		if got := d.BytesAfter(w.Index - 1); got != d.Bytes()-bytes {
			return fmt.Errorf("%d of %d bytes after entry %d, want %d", got, d.Bytes(), w.Index-1, d.Bytes()-bytes)
		}
		bytes += onDisk(w)
		var log raft.Log
		if err := d.GetLog(w.Index, &log); err != nil {
			return fmt.Errorf("entry %d: %w", w.Index, err)
		}
		if log.Index != w.Index || log.Term != w.Term || string(log.Data) != string(w.Data) || string(log.Extensions) != string(w.Extensions) {
			return fmt.Errorf("entry %d is %+v", w.Index, log)
		}
		after := d.BytesAfter(w.Index)
		if tail := d.Tail(after); tail != uint64(max(len(want)-1-i, 1)) {
			return fmt.Errorf("a tail of %d entries for the %d bytes after entry %d of %d to %d", tail, after, w.Index, first, last)
		}
	}
	if d.Bytes() != bytes || d.BytesAfter(last) != 0 || d.BytesAfter(0) != bytes {
		return fmt.Errorf("%d bytes, want %d", d.Bytes(), bytes)
	}
	for _, index := range []uint64{0, first - 1, last + 1, math.MaxUint64} {
		if index >= first && index <= last && len(want) > 0 {
			continue
		}
		if err := d.GetLog(index, new(raft.Log)); !errors.Is(err, raft.ErrLogNotFound) {
			return fmt.Errorf("entry %d: error %v", index, err)
		}
	}
	return nil
}

// Random use gives what a slice would, also after the file has been opened anew.
func TestTheFileIsASlice(t *testing.T) {
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 0))
		dir := t.TempDir()
		d := opened(t, dir, true)
		var want []*raft.Log
		next := 1 + random.Uint64N(1000)
		for step := range 60 {
			what := ""
			switch n := uint64(len(want)); {
			case random.IntN(10) == 0:
				what = "opening"
				d = reopened(t, d, dir)
			case n == 0 || random.IntN(3) > 0:
				if n == 0 && random.IntN(2) == 0 {
					next += random.Uint64N(1000) // a snapshot was restored
				}
				var logs []*raft.Log
				for range random.IntN(50) {
					logs = append(logs, entry(next, random.IntN(50)))
					next++
				}
				what = fmt.Sprintf("storing %d", len(logs))
				if err := d.StoreLogs(logs); err != nil {
					t.Fatal(err)
				}
				want = append(want, logs...)
			case random.IntN(2) == 0:
				k := 1 + random.Uint64N(n)
				first := want[0].Index
				pin := first + random.Uint64N(n)
				what = fmt.Sprintf("deleting %d to %d of %d, %d pinned", first, first+k-1, n, pin)
				d.Pin(pin)
				if err := d.DeleteRange(first-random.Uint64N(min(3, first+1)), first+k-1); err != nil {
					t.Fatal(err)
				}
				d.Unpin()
				if k < n {
					k = min(k, pin-first+1)
				}
				want = want[k:]
			default:
				k := random.Uint64N(n)
				lowest, highest := want[k].Index, next-1+random.Uint64N(3)
				what = fmt.Sprintf("deleting %d to %d", lowest, highest)
				if err := d.DeleteRange(lowest, highest); err != nil {
					t.Fatal(err)
				}
				want, next = want[:k], lowest
			}
			if err := d.holds(want); err != nil {
				t.Fatalf("seed %d, step %d, after %s: %v", seed, step, what, err)
			}
		}
	}
}

// Trimming a long head is done in parts.
func TestALongHeadIsTrimmed(t *testing.T) {
	dir := t.TempDir()
	d := opened(t, dir, true)
	var logs []*raft.Log
	for i := range uint64(3 * deleteMost) {
		logs = append(logs, entry(i+1, 3))
	}
	if err := d.StoreLogs(logs); err != nil {
		t.Fatal(err)
	}
	const keep = 77
	if err := d.DeleteRange(1, uint64(len(logs)-keep)); err != nil {
		t.Fatal(err)
	}
	if err := reopened(t, d, dir).holds(logs[len(logs)-keep:]); err != nil {
		t.Error(err)
	}
}

func TestOverIsCalled(t *testing.T) {
	calls := 0
	d, err := OpenDurable(Durability{Path: filepath.Join(t.TempDir(), "raft.db"), New: true, Limit: 1000, Over: func() { calls++ }})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for i := range uint64(10) {
		if err := d.StoreLog(entry(i+1, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if over := d.Bytes() / (d.Bytes() / 10); calls == 0 || int64(calls) >= over {
		t.Errorf("called %d times", calls)
	}
	if d.StoreLog(entry(20, 1)) == nil || d.DeleteRange(3, 4) == nil {
		t.Error("a gap is accepted")
	}
}

// Values last, and what is not there has the error that raft looks for.
func TestValues(t *testing.T) {
	dir := t.TempDir()
	d := opened(t, dir, true)
	if err := errors.Join(d.SetUint64([]byte(termKey), 7), d.Set([]byte(voteKey), []byte("somebody"))); err != nil {
		t.Fatal(err)
	}
	d = reopened(t, d, dir)
	if term, err := d.GetUint64([]byte(termKey)); err != nil || term != 7 {
		t.Errorf("term %d, %v", term, err)
	}
	if vote, err := d.Get([]byte(voteKey)); err != nil || string(vote) != "somebody" {
		t.Errorf("vote %q, %v", vote, err)
	}
	if _, err := d.GetUint64([]byte(voteTermKey)); err == nil || err.Error() != "not found" {
		t.Errorf("what is not there: %v", err)
	}
}

// A term that cannot be written ends the node, not the process.
func TestATermThatCannotBeWritten(t *testing.T) {
	var failed error
	d, err := OpenDurable(Durability{Path: filepath.Join(t.TempDir(), "raft.db"), New: true, Failed: func(err error) { failed = err }})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.SetUint64([]byte(termKey), 1); err != nil || failed == nil {
		t.Errorf("error %v, reported %v", err, failed)
	}
	if err := d.Set([]byte(voteKey), nil); err == nil {
		t.Error("a vote that could not be written is given")
	}
}

func TestAFileOfSomebodyElse(t *testing.T) {
	dir := t.TempDir()
	d := opened(t, dir, true)
	path := filepath.Join(dir, "raft.db")
	if _, err := OpenDurable(Durability{Path: path, Owner: owner}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file in use: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDurable(Durability{Path: path, Owner: owner + 1}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file of another owner: %v", err)
	}
	if _, err := OpenDurable(Durability{Path: path + "2", Owner: owner}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is missing: %v", err)
	}
}

// A file of which any bytes have changed is refused, or says what it said
// before: nothing panics, and nothing is forgotten. Of bbolt's own pages some
// are out of use, and some bits mean nothing.
func TestDamagedFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "raft.db")
	d := opened(t, dir, true)
	var logs []*raft.Log
	for i := range uint64(200) {
		logs = append(logs, entry(i+1, 100))
	}
	for i := 0; i < len(logs); i += 40 {
		if err := errors.Join(d.StoreLogs(logs[i:i+40]), d.SetUint64([]byte(termKey), uint64(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	random := rand.New(rand.NewPCG(1, 2))
	try := func(what string, must bool, damaged []byte) {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := OpenDurable(Durability{Path: path, Owner: owner, Limit: math.MaxInt64})
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("%s: the error does not name the file: %v", what, err)
			}
			return
		}
		defer d.Close()
		if must {
			t.Errorf("%s is accepted", what)
		}
		if err := d.holds(logs); err != nil {
			t.Errorf("%s is accepted, but %v", what, err)
		}
		if term, err := d.GetUint64([]byte(termKey)); err != nil || term != 160 {
			t.Errorf("%s is accepted, but the term is %d, %v", what, term, err)
		}
	}
	try("an empty file", true, nil)
	try("text", true, []byte(strings.Repeat("nothing of ours\n", 4096)))
	for _, n := range []int{1, page - 1, page, 2 * page, 4*page + 17, len(whole) / 2} {
		try(fmt.Sprintf("a file cut off at %d of %d", n, len(whole)), n < len(whole)/4, whole[:n])
	}
	for at := range 2 {
		damaged := []byte(string(whole))
		for i := range page {
			damaged[at*page+i] = byte(random.Uint32())
		}
		try(fmt.Sprintf("garbage in page %d", at), true, damaged)
	}
	for i := range 300 {
		damaged := []byte(string(whole))
		at := random.IntN(len(whole))
		n := 1 + random.IntN(16)
		for j := at; j < min(at+n, len(whole)); j++ {
			damaged[j] = byte(random.Uint32())
		}
		try(fmt.Sprintf("damage %d at %d, page %d + %d, %d bytes", i, at, at/page, at%page, n), false, damaged)
	}
}

// BenchmarkDurable shows what an entry costs that has to be on disk.
func BenchmarkDurable(b *testing.B) {
	for _, bytes := range []int{128, 16 << 10, 256 << 10} {
		b.Run(fmt.Sprint(bytes), func(b *testing.B) {
			d := opened(b, b.TempDir(), true)
			index := uint64(0)
			for b.Loop() {
				index++
				if err := d.StoreLog(entry(index, bytes)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
