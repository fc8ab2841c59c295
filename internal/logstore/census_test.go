package logstore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

// each changes a file's pages of a kind, those that are out of use as well.
func each(file []byte, kind uint16, change func(p []byte)) []byte {
	page := os.Getpagesize()
	for n := 2; n < len(file)/page; n++ {
		p := file[n*page : (n+1)*page]
		if order.Uint64(p) == uint64(n) && order.Uint16(p[8:]) == kind {
			change(p)
		}
	}
	return file
}

func fewer(p []byte) {
	if count := order.Uint16(p[10:]); count > 1 {
		order.PutUint16(p[10:], count-1)
	}
}

// What bbolt would not notice, and lose something by sooner or later.
func TestTheCensusFinds(t *testing.T) {
	dir := t.TempDir()
	h := lived(t, dir)
	page := os.Getpagesize()
	for _, test := range []struct {
		what   string
		change func(file []byte) []byte
		quote  string
	}{
		{"leaves with one entry less", func(b []byte) []byte { return each(b, boltLeaf, fewer) }, ""},
		{"branches with one page less", func(b []byte) []byte { return each(b, boltBranch, fewer) }, ""},
		{"a free page less", func(b []byte) []byte { return each(b, boltFreelist, fewer) }, "neither free nor in use"},
		{"a free page that is in use", func(b []byte) []byte {
			return each(b, boltFreelist, func(p []byte) { order.PutUint64(p[boltPageHead:], order.Uint64(p)) })
		}, "twice"},
		{"a free page that is not there", func(b []byte) []byte {
			return each(b, boltFreelist, func(p []byte) { order.PutUint64(p[boltPageHead:], 1<<40) })
		}, "list of free pages"},
		{"a branch that names another first key", func(b []byte) []byte {
			return each(b, boltBranch, func(p []byte) {
				head := p[boltPageHead+16:]
				head[order.Uint32(head)+7]--
			})
		}, "does not begin with the key"},
		{"a key from elsewhere", func(b []byte) []byte {
			return each(b, boltLeaf, func(p []byte) { p[boltPageHead+4]++ })
		}, "is not where it belongs"},
		{"a vote under another name", func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte(voteTermKey), []byte("LastVoteTesm"))
		}, "raft's values"},
		{"a log under another name", func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("logs"), []byte("logt")) }, "bucket"},
		{"a head of long ago", func(b []byte) []byte { return append(bytes.Clone(h.former[:page]), b[page:]...) }, "do not follow"},
	} {
		path := filepath.Join(dir, "raft.db")
		if err := os.WriteFile(path, test.change(bytes.Clone(h.whole)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := checkFile(path); test.quote != "" && (err == nil || !strings.Contains(err.Error(), test.quote)) {
			t.Errorf("%s: %v", test.what, err)
		}
		if _, err := OpenDurable(at(t, dir, false)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s is accepted: %v", test.what, err)
		}
	}
}

// A log that bbolt has in good order, and that is not the one that was written.
func TestTheSealIsBroken(t *testing.T) {
	const n = 20
	for what, spoil := range map[string]func(d *Durable) error{
		"the last entry is missing": func(d *Durable) error { return d.store.DeleteRange(n, n) },
		"all entries are missing":   func(d *Durable) error { return d.store.DeleteRange(1, n) },
		"there is no seal":          func(d *Durable) error { return d.store.DeleteRange(sealIndex, sealIndex) },
		"there is one more": func(d *Durable) error {
			log, _ := sealed(entry(n+1, 10), d.sum)
			return d.store.StoreLog(log)
		},
		"a former entry is in between": func(d *Durable) error {
			log, _ := sealed(entry(n/2, 10), 1234)
			return d.store.StoreLog(log)
		},
		"a former entry is the last": func(d *Durable) error {
			var before raft.Log
			_, sum, err := d.read(n-1, &before)
			log, _ := sealed(entry(n, 11), sum)
			return errors.Join(err, d.store.StoreLog(log))
		},
	} {
		dir := t.TempDir()
		d := opened(t, dir, true)
		for i := range uint64(n) {
			if err := d.StoreLog(entry(i+1, 10)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(spoil(d), d.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenDurable(at(t, dir, false)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A crash while a tail is removed leaves it there, or not.
func TestACrashWhileATailIsRemoved(t *testing.T) {
	for _, last := range []uint64{0, 5, 19} {
		for _, removed := range []bool{false, true} {
			dir := t.TempDir()
			d := opened(t, dir, true)
			var logs []*raft.Log
			for i := range uint64(20) {
				logs = append(logs, entry(i+1, 10))
			}
			if err := d.StoreLogs(logs); err != nil {
				t.Fatal(err)
			}
			if removed {
				if err := d.DeleteRange(last+1, 20); err != nil {
					t.Fatal(err)
				}
				logs = logs[:last]
			} else {
				to := end{last, 0}
				if last > 0 {
					var log raft.Log
					_, to.sum, _ = d.read(last, &log)
				}
				if err := d.store.StoreLog(seal{end{20, d.sum}, to}.entry()); err != nil {
					t.Fatal(err)
				}
			}
			d = reopened(t, d, dir)
			if err := d.holds(logs); err != nil {
				t.Error(fmt.Errorf("removing all after %d: %w", last, err))
			}
			next := entry(uint64(len(logs)+1), 10)
			if err := d.StoreLog(next); err != nil {
				t.Fatal(err)
			}
			if err := reopened(t, d, dir).holds(append(logs, next)); err != nil {
				t.Error(err)
			}
		}
	}
}
