package logstore

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
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

const owner, cluster = 0xabc, 0xdef

// at describes the file in a directory, whose node must not be ended.
func at(t testing.TB, dir string, isNew bool) Durability {
	return Durability{Path: filepath.Join(dir, "raft.db"), Owner: owner, Cluster: cluster, New: isNew, Limit: math.MaxInt64,
		Over: func() {}, Failed: func(err error) { t.Errorf("the node has ended: %v", err) }, Outlast: func() bool { return true }}
}

// opened opens a file in a directory, and closes it with the test.
func opened(t testing.TB, dir string, isNew bool) *Durable {
	t.Helper()
	d, err := OpenDurable(at(t, dir, isNew))
	if err == nil && isNew {
		err = d.Join(cluster)
	}
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
	c := at(t, t.TempDir(), true)
	c.Limit, c.Over = 1000, func() { calls++ }
	d, err := OpenDurable(c)
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
	c := at(t, t.TempDir(), true)
	c.Failed = func(err error) { failed = err }
	d, err := OpenDurable(c)
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
	if _, err := OpenDurable(at(t, dir, false)); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file in use: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Durability){
		"of another owner":   func(c *Durability) { c.Owner++ },
		"of another cluster": func(c *Durability) { c.Cluster++ },
		"that is missing":    func(c *Durability) { c.Path += "2" },
	} {
		c := at(t, dir, false)
		change(&c)
		if _, err := OpenDurable(c); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("a file %s: %v", name, err)
		}
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
