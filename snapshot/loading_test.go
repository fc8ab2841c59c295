package snapshot_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/snapshot"
)

// persisted takes a snapshot up to an index.
func persisted(t *testing.T, f *snapshot.Files, index uint64) (id string) {
	t.Helper()
	voters := raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a:1"}, {ID: "b", Address: "b:1"}}}
	sink, err := f.Create(1, index, 1, voters, 1, &raft.InmemTransport{})
	if err == nil {
		err = snapshot.Persist(sink, bytes.NewBuffer(streamOf(t, "the state")))
	}
	if err != nil {
		t.Fatal(err)
	}
	return sink.ID()
}

func replace(t *testing.T, path, was, is string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, bytes.Replace(b, []byte(was), []byte(is), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A snapshot whose description has changed, or of another cluster, is none; nor
// is one that is missing overlooked.
func TestFilesLoadRefuses(t *testing.T) {
	for _, test := range []struct {
		what   string
		damage func(t *testing.T, c *snapshot.FilesConfig, path string)
		log    snapshot.Log
		quote  string // "": accepted
	}{
		{"as it was", func(*testing.T, *snapshot.FilesConfig, string) {}, snapshot.Log{}, ""},
		{"a voter less", func(t *testing.T, _ *snapshot.FilesConfig, path string) {
			replace(t, filepath.Join(path, "meta.json"), `"Suffrage":0`, `"Suffrage":1`)
		}, snapshot.Log{}, "meta.json"},
		{"another voter", func(t *testing.T, _ *snapshot.FilesConfig, path string) {
			replace(t, filepath.Join(path, "meta.json"), `"b:1"`, `"c:1"`)
		}, snapshot.Log{}, "meta.json"},
		{"another cluster's", func(_ *testing.T, c *snapshot.FilesConfig, _ string) {
			c.Cluster = func() uint64 { return 8 }
		}, snapshot.Log{}, "cluster"},
		{"missing, with a log that begins later", func(t *testing.T, _ *snapshot.FilesConfig, path string) {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}, snapshot.Log{First: 7, Last: 9}, "snapshots"},
		{"missing, with an empty log", func(t *testing.T, _ *snapshot.FilesConfig, path string) {
			if err := os.RemoveAll(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
		}, snapshot.Log{Reached: 5}, "snapshots"},
		{"missing, with the whole log", func(t *testing.T, _ *snapshot.FilesConfig, path string) {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}, snapshot.Log{First: 1, Last: 9, Reached: 5}, ""},
	} {
		dir := t.TempDir()
		f := filesIn(t, dir)
		f.Started()
		id := persisted(t, f, 5)
		c := filesConfig(dir)
		test.damage(t, &c, filepath.Join(dir, "snapshots", id))
		f, err := snapshot.NewFiles(c)
		if err != nil {
			t.Fatal(err)
		}
		switch _, err := f.Load(test.log); {
		case test.quote == "" && err != nil:
			t.Errorf("%s: %v", test.what, err)
		case test.quote != "" && (!errors.Is(err, snapshot.ErrDamaged) || !strings.Contains(err.Error(), test.quote)):
			t.Errorf("%s: %v", test.what, err)
		}
	}
}

// What is said to be reached is on disk, and what could not be said is no snapshot.
func TestFilesSayWhatTheyHaveReached(t *testing.T) {
	dir := t.TempDir()
	c := filesConfig(dir)
	full := errors.New("no space")
	var reached []uint64
	c.Reached = func(index uint64) error {
		if list, err := filepath.Glob(filepath.Join(dir, "snapshots", "1-*", "state.bin")); err != nil || len(list) == 0 {
			t.Errorf("%d is said to be reached by %v", index, list)
		}
		reached = append(reached, index)
		return full
	}
	f, err := snapshot.NewFiles(c)
	if err != nil {
		t.Fatal(err)
	}
	f.Started()
	sink := create(t, f, 7)
	if err := snapshot.Persist(sink, bytes.NewBuffer(streamOf(t, "the state"))); !errors.Is(err, full) {
		t.Errorf("a snapshot that is not known of: %v", err)
	}
	if len(reached) != 1 || reached[0] != 7 || f.Newest().Index != 0 {
		t.Errorf("reached %v, newest %v", reached, f.Newest())
	}
}

// Raft removes what an old snapshot's description names, which would be all of
// them if it named nothing.
func TestFilesAreNotRemovedByADamagedName(t *testing.T) {
	dir := t.TempDir()
	f := filesIn(t, dir)
	f.Started()
	id := persisted(t, f, 5)
	persisted(t, f, 6)
	replace(t, filepath.Join(dir, "snapshots", id, "meta.json"), `"ID":"`+id, `"ID":"`)
	persisted(t, f, 7)
	if n, err := filesIn(t, dir).Load(snapshot.Log{}); err != nil || n.Index != 7 {
		t.Errorf("the newest is %v, %v", n, err)
	}
}
