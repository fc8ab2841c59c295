package logstore

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

// damagesEnv is how many damages TestDamagedFiles tries, where that is to be
// more than its default.
const damagesEnv = "IMDGO_DAMAGES"

// history is a file at two moments, and what it held at the later one.
type history struct {
	former, whole, witness []byte
	logs                   []*raft.Log
}

var values = map[string]string{voteTermKey: "\x00\x00\x00\x00\x00\x00\x00\x09", voteKey: "somebody", termKey: "\x00\x00\x00\x00\x00\x00\x00\x09"}

// lived makes a file with branches, entries larger than a page, and free pages.
func lived(t *testing.T, dir string) history {
	t.Helper()
	d := opened(t, dir, true)
	path := filepath.Join(dir, "raft.db")
	random := rand.New(rand.NewPCG(7, 7))
	var h history
	store := func(n int) {
		var logs []*raft.Log
		for range n {
			bytes := 1 + random.IntN(200)
			if random.IntN(20) == 0 {
				bytes = 10_000
			}
			logs = append(logs, entry(uint64(len(h.logs)+len(logs)+1), bytes))
		}
		if err := d.StoreLogs(logs); err != nil {
			t.Fatal(err)
		}
		h.logs = append(h.logs, logs...)
	}
	read := func(path string) []byte {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for range 20 {
		store(30)
	}
	if err := d.DeleteRange(1, 200); err != nil {
		t.Fatal(err)
	}
	h.former = read(path)
	for key, value := range values {
		if err := d.Set([]byte(key), []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	store(3)
	if err := errors.Join(d.DeleteRange(201, 400), d.Reach(300), d.Close()); err != nil {
		t.Fatal(err)
	}
	h.logs = h.logs[400:]
	h.whole, h.witness = read(path), read(path+witnessSuffix)
	return h
}

// damage changes a copy of the file in one way of many.
func (h history) damage(random *rand.Rand) (what string, file []byte) {
	file = bytes.Clone(h.whole)
	page := os.Getpagesize()
	pages := len(file) / page
	n := random.IntN(pages)
	at := file[n*page : (n+1)*page]
	where := random.IntN(page)
	switch random.IntN(4) {
	case 0:
		where = random.IntN(boltPageHead)
	case 1:
		where = random.IntN(256) // where the first elements are
	}
	switch random.IntN(10) {
	case 0:
		clear(at)
		return fmt.Sprintf("page %d is zero", n), file
	case 1:
		for i := range at {
			at[i] = byte(random.Uint32())
		}
		return fmt.Sprintf("page %d is garbage", n), file
	case 2:
		other := random.IntN(pages)
		copy(at, h.whole[other*page:])
		return fmt.Sprintf("page %d is page %d", n, other), file
	case 3:
		end := random.IntN(len(file))
		return fmt.Sprintf("cut off at %d", end), file[:end]
	case 4:
		for i := where; i < min(page, where+1+random.IntN(16)); i++ {
			at[i] = byte(random.Uint32())
		}
		return fmt.Sprintf("garbage at page %d + %d", n, where), file
	default:
		bit := random.IntN(8)
		at[where] ^= 1 << bit
		return fmt.Sprintf("bit %d at page %d + %d", bit, n, where), file
	}
}

// A file that has been damaged is refused, by an error that names it, or holds
// everything, and can be gone on with. Of bbolt's own pages some are out of
// use, and some bits mean nothing.
func TestDamagedFiles(t *testing.T) {
	dir := t.TempDir()
	h := lived(t, dir)
	damages, err := strconv.Atoi(os.Getenv(damagesEnv))
	if err != nil {
		damages = 60
	}
	random := rand.New(rand.NewPCG(1, 2))
	outcomes := map[string]int{}
	for i := range damages {
		what, file := h.damage(random)
		outcome := h.try(t, dir, what, file)
		if bytes.Equal(file, h.whole) {
			outcome = "unchanged" // one page was the other
		}
		outcomes[outcome]++
		if t.Failed() && i > 1000 {
			break
		}
	}
	t.Logf("of %d: %v", damages, outcomes)
	if outcomes["refused"] == 0 || outcomes["whole"] == 0 {
		t.Errorf("not all outcomes there can be: %v", outcomes)
	}
}

// try opens a file, and says whether it is refused.
func (h history) try(t *testing.T, dir, what string, file []byte) (outcome string) {
	t.Helper()
	path := filepath.Join(dir, "raft.db")
	if err := errors.Join(os.WriteFile(path, file, 0o600), os.WriteFile(path+witnessSuffix, h.witness, 0o600)); err != nil {
		t.Fatal(err)
	}
	d, err := OpenDurable(at(t, dir, false))
	if err != nil {
		if !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "another process") {
			t.Errorf("%s: the error is not about the file: %v", what, err)
		}
		return "refused"
	}
	defer d.Close()
	if err := h.isIn(d); err != nil {
		t.Errorf("%s is accepted, but %v", what, err)
		return "wrong"
	}
	want := h.logs
	for range 3 { // free pages are used now
		next := []*raft.Log{entry(want[len(want)-1].Index+1, 3000), entry(want[len(want)-1].Index+2, 20_000)}
		if err := errors.Join(d.StoreLogs(next), d.DeleteRange(want[0].Index, want[30].Index)); err != nil {
			t.Errorf("%s is accepted, but %v", what, err)
			return "wrong"
		}
		want = append(want[31:len(want):len(want)], next...)
	}
	d = reopened(t, d, dir)
	defer d.Close()
	if err := d.holds(want); err != nil {
		t.Errorf("%s is accepted, but later %v", what, err)
		return "wrong"
	}
	return "whole"
}

// isIn reports what a file lacks.
func (h history) isIn(d *Durable) error {
	for key, want := range values {
		if is, err := d.Get([]byte(key)); err != nil || string(is) != want {
			return fmt.Errorf("%s is %q, %w", key, is, err)
		}
	}
	if index, err := d.Reached(); err != nil || index != 300 {
		return fmt.Errorf("snapshots have reached %d, %w", index, err)
	}
	return d.holds(h.logs)
}

// What the disk said it has and lost, and an old copy.
func TestFormerFiles(t *testing.T) {
	dir := t.TempDir()
	h := lived(t, dir)
	if outcome := h.try(t, dir, "an old copy", h.former); outcome != "refused" {
		t.Errorf("an old copy: %s", outcome)
	}
	page := os.Getpagesize()
	outcomes := map[string]int{}
	for n := range len(h.former) / page {
		file := bytes.Clone(h.whole)
		copy(file[n*page:(n+1)*page], h.former[n*page:])
		if !bytes.Equal(file, h.whole) {
			outcomes[h.try(t, dir, fmt.Sprintf("page %d as it was", n), file)]++
		}
	}
	if outcomes["refused"] == 0 {
		t.Errorf("%v", outcomes)
	}
	t.Log(outcomes)
}

// The witness may lack one of its slots, and be older than the log.
func TestDamagedWitness(t *testing.T) {
	dir := t.TempDir()
	h := lived(t, dir)
	for _, test := range []struct {
		what    string
		witness []byte
		refused bool
	}{
		{"whole", h.witness, false},
		{"a slot is zero", append(make([]byte, witnessSize), h.witness[witnessSize:]...), false},
		{"a slot is missing", h.witness[:witnessSlot], false},
		{"both are zero", make([]byte, len(h.witness)), true},
		{"empty", nil, true},
	} {
		h.witness = test.witness
		if outcome := h.try(t, dir, test.what, h.whole); (outcome == "refused") != test.refused {
			t.Errorf("%s: %s", test.what, outcome)
		}
	}
	if err := os.Remove(filepath.Join(dir, "raft.db"+witnessSuffix)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDurable(at(t, dir, false)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a witness: %v", err)
	}
}

// A file that is damaged while it is open ends the node, and nothing panics or
// hangs: not reading, where raft is given an entry that does nothing, and not
// writing, where bbolt may panic in the middle of a transaction.
func TestDamageWhileOpen(t *testing.T) {
	dir := t.TempDir()
	h := lived(t, dir)
	page := os.Getpagesize()
	for name, spoil := range map[string]func(f *os.File) error{
		"garbage": func(f *os.File) error {
			_, err := f.WriteAt(bytes.Repeat([]byte("nothing of ours\n"), (len(h.whole)-2*page)/16), int64(2*page))
			return err
		},
		"cut off":     func(f *os.File) error { return f.Truncate(int64(2 * page)) },
		"an old copy": func(f *os.File) error { _, err := f.WriteAt(h.former, 0); return err },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, "raft.db")
			if err := errors.Join(os.WriteFile(path, h.whole, 0o600), os.WriteFile(path+witnessSuffix, h.witness, 0o600)); err != nil {
				t.Fatal(err)
			}
			var failed []error
			c := at(t, dir, false)
			c.Failed = func(err error) { failed = append(failed, err) }
			d, err := OpenDurable(c)
			if err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err == nil {
				err = errors.Join(spoil(f), f.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
			next := h.logs[len(h.logs)-1].Index + 1
			if err := d.StoreLogs([]*raft.Log{entry(next, 9000)}); err == nil {
				err = d.StoreLogs([]*raft.Log{entry(next+1, 9000)})
				if err == nil {
					t.Error("entries are stored")
				}
			}
			for _, want := range h.logs {
				var log raft.Log
				if err := d.GetLog(want.Index, &log); err != nil || log.Index != want.Index {
					t.Fatalf("entry %d: %v, %v", want.Index, log.Index, err)
				}
				if log.Type == raft.LogNoop && len(failed) == 0 {
					t.Fatalf("entry %d has been replaced, and the node goes on", want.Index)
				}
			}
			if len(failed) == 0 || !strings.Contains(failed[0].Error(), path) {
				t.Errorf("the node hears %v", failed)
			}
			if err := d.Set([]byte(voteKey), []byte("x")); err == nil {
				t.Error("a vote is given")
			}
			if err := d.SetUint64([]byte(termKey), 10); err != nil {
				t.Errorf("raft would panic: %v", err)
			}
			_ = d.Close() // it may say that it is damaged
			if _, err := OpenDurable(at(t, dir, false)); err == nil || strings.Contains(err.Error(), "another process") {
				t.Errorf("opening it again: %v", err)
			}
		})
	}
}
