package imdgo_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/inelpandzic/imdgo"
	"github.com/inelpandzic/imdgo/imdgotest"
)

// grown makes a directory of one node with two snapshots and a log.
func grown(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "grown")
	c, err := imdgo.New(imdgo.WithDataDir(dir), imdgo.WithLogLimit(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := 0; len(snapshotsIn(t, dir)) < 2; i++ {
		for j := range 50 {
			if err := c.Set(fmt.Sprint(j%10), make([]byte, 10_000)); err != nil {
				t.Fatal(err)
			}
		}
		if i == 100 {
			t.Fatal("no snapshots are taken")
		}
	}
	if err := c.Set("last", 1); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// snapshotsIn are the directories of the snapshots, the newest last.
func snapshotsIn(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "snapshots", "*-*-*[0-9]"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func overwrite(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func garbage([]byte) []byte { return []byte(strings.Repeat("nothing of ours\n", 1000)) }

func half(b []byte) []byte { return b[:len(b)/2] }

func flipped(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[at%len(b)] ^= 0x40
		return b
	}
}

// New refuses a damaged directory with an error that names what is damaged, and
// leaves nothing behind; or it has everything all the same.
func TestDamagedDirectory(t *testing.T) {
	whole := grown(t)
	change := func(name string, how func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) { overwrite(t, filepath.Join(dir, name), how) }
	}
	remove := func(names ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, name := range names {
				if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	snapshots := func(n int, name string, how func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			all := snapshotsIn(t, dir)
			for _, s := range all[len(all)-n:] {
				overwrite(t, filepath.Join(s, name), how)
			}
		}
	}
	none := func([]byte) []byte { return nil }
	for _, test := range []struct {
		name   string
		damage func(*testing.T, string)
		quote  string // "": nothing is lost
	}{
		{"none", func(*testing.T, string) {}, ""},
		{"identity is garbage", change("identity", garbage), "identity"},
		{"identity is empty", change("identity", none), "identity"},
		{"identity is missing", remove("identity"), "identity"},
		{"identity of another format", change("identity", func(b []byte) []byte {
			return []byte(strings.Replace(string(b), `"format": 1`, `"format": 2`, 1))
		}), "identity"},
		{"identity of another node", change("identity", func(b []byte) []byte {
			return resum([]byte(strings.Replace(string(b), "local:6701", "other:6701", 1)))
		}), "other:6701"},
		{"identity without its cluster", change("identity", func(b []byte) []byte {
			return []byte(strings.Replace(string(b), `"cluster"`, `"clustes"`, 1))
		}), "identity"},
		{"identity of another life", change("identity", func(b []byte) []byte {
			from := strings.Index(string(b), `"incarnation": "`) + 16
			copy(b[from:], "0123456789abcdef")
			return resum(b)
		}), "raft.db"},
		{"raft.db is garbage", change("raft.db", garbage), "raft.db"},
		{"raft.db begins with garbage", change("raft.db", func(b []byte) []byte { return append(garbage(nil)[:4096], b[4096:]...) }), "raft.db"},
		{"raft.db is empty", change("raft.db", none), "raft.db"},
		{"raft.db is cut off", change("raft.db", half), "raft.db"},
		{"raft.db is missing", remove("raft.db"), "raft.db"},
		{"the witness is missing", remove("raft.db.witness"), "raft.db.witness"},
		{"the witness is garbage", change("raft.db.witness", garbage), "raft.db.witness"},
		{"the log has another name", change("raft.db", func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("logs"), []byte("logt")) }), "raft.db"},
		{"raft.db is of another cluster", change("identity", func(b []byte) []byte {
			from := strings.Index(string(b), `"cluster": "`) + 12
			copy(b[from:], "0123456789abcdef")
			return resum(b)
		}), "raft.db"},
		{"raft.db is a directory", func(t *testing.T, dir string) {
			remove("raft.db")(t, dir)
			if err := os.Mkdir(filepath.Join(dir, "raft.db"), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "raft.db"},
		{"the newest snapshot's state is garbage", snapshots(1, "state.bin", garbage), ""},
		{"the newest snapshot's state is cut off", snapshots(1, "state.bin", half), ""},
		{"a bit of the newest snapshot has changed", snapshots(1, "state.bin", flipped(5000)), ""},
		{"the newest snapshot's description is garbage", snapshots(1, "meta.json", garbage), ""},
		{"both snapshots are damaged", snapshots(2, "state.bin", flipped(100)), "state"},
		{"a bit of the newest snapshot's description has changed", snapshots(1, "meta.json", flipped(200)), ""},
		{"both snapshots have another voter", snapshots(2, "meta.json", func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte("local:6701"), []byte("other:6701"))
		}), "snapshots"},
		{"both snapshots' descriptions are garbage", snapshots(2, "meta.json", none), "snapshots"},
		{"the snapshots are missing", remove("snapshots"), "snapshots"},
		{"something is left over", func(t *testing.T, dir string) {
			if err := os.Mkdir(filepath.Join(dir, "snapshots", "1-2-3.tmp"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "identity.next"), []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, ""},
		{"everything is missing", remove("identity", "raft.db", "snapshots"), "new"},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			dir := filepath.Join(t.TempDir(), "data")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			test.damage(t, dir)
			c, err := imdgo.New(imdgo.WithDataDir(dir))
			if err == nil {
				defer c.Close()
			}
			switch {
			case err != nil && (test.quote == "" || test.quote == "new"):
				t.Errorf("New: %v", err)
			case err != nil:
				if !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), test.quote) {
					t.Errorf("the error does not name %s and %q: %v", dir, test.quote, err)
				}
			case test.quote == "new":
			case test.quote != "":
				t.Errorf("it is accepted")
			default:
				if err := c.Ready(t.Context()); err != nil {
					t.Error(err)
				}
				if v, ok := c.Get("last"); !ok || v != int64(1) || c.Count() != 11 {
					t.Errorf("the last write is %v, %v; %d entries", v, ok, c.Count())
				}
			}
		})
	}
}

// A directory that is damaged while its node uses it ends the node when it comes
// upon that, with an error that says what it is about, and nothing panics.
func TestDamageToARunningNode(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := filepath.Join(t.TempDir(), "data")
	c, err := imdgo.New(imdgo.WithDataDir(dir), imdgo.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range 100 {
		if err := c.Set(fmt.Sprint(i), make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, "raft.db"), os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt(bytes.Repeat([]byte("nothing of ours\n"), 20_000), 2*4096)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	// What is written last may have come after the damage, with all that a
	// further write needs: then the damage is found when the file is opened.
	if err := c.Set("after", 1); err != nil && (!errors.Is(err, imdgo.ErrClosed) || !strings.Contains(err.Error(), "raft.db")) {
		t.Errorf("a write: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
	if _, err := imdgo.New(imdgo.WithDataDir(dir)); err == nil || !strings.Contains(err.Error(), "raft.db") {
		t.Errorf("opening it again: %v", err)
	}
}

// What cannot be a data directory, or is somebody else's.
func TestUnusableDirectory(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bind := anyPort(t, "127.0.0.1")
	for _, path := range []string{file, filepath.Join(file, "below")} {
		if _, err := imdgo.New(imdgo.WithDataDir(path), imdgo.WithBindAddr(bind)); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", path, err)
		}
		expectFree(t, bind)
	}
	used := filepath.Join(dir, "used")
	c, err := imdgo.New(imdgo.WithDataDir(used), imdgo.WithBindAddr(bind))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := imdgo.New(imdgo.WithDataDir(used)); err == nil || !strings.Contains(err.Error(), used) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a directory in use: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := imdgo.New(imdgo.WithDataDir(used)); err == nil || !strings.Contains(err.Error(), bind) || !strings.Contains(err.Error(), "local:") {
		t.Errorf("a directory of another node: %v", err)
	}
}

// A log that has lost its votes never votes again as who it was.
func TestNoAmnesia(t *testing.T) {
	dir := t.TempDir()
	c := imdgotest.NewCluster(t, 3, imdgotest.Durable(dir))
	if err := c.Node("n1").Cache.Set("a", 1); err != nil {
		t.Fatal(err)
	}
	c.Stop("n3")
	if err := os.Remove(filepath.Join(dir, "n3", "raft.db")); err != nil {
		t.Fatal(err)
	}
	_, err := imdgo.New(imdgo.WithDataDir(filepath.Join(dir, "n3")), imdgo.WithNetwork(c.Net().Node("n3")),
		imdgo.WithBindAddr("n3:6701"), imdgo.WithMembers("n1:6701", "n2:6701", "n3:6701"))
	if err == nil || !strings.Contains(err.Error(), "raft.db") {
		t.Errorf("a node without its votes: %v", err)
	}
}

// When a majority has lost its directories the rest cannot go on: it begins
// another life with them, and so does its directory.
func TestTheRestBeginsAnew(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 3, imdgotest.Durable(dir))
		if err := c.Node("n1").Cache.Set("a", 1); err != nil {
			t.Fatal(err)
		}
		former := c.Node("n3").Cache.Stats().NodeID
		for _, name := range three {
			c.Stop(name)
			if name != "n3" {
				if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 2 {
			for _, name := range three {
				c.Start(name)
			}
			c.WaitReady()
			if err := c.Node("n3").Cache.Set("b", 1); err != nil {
				t.Fatal(err)
			}
			if now := c.Node("n3").Cache.Stats().NodeID; now == former {
				t.Errorf("%s is back", now)
			}
			for _, name := range three {
				c.Stop(name)
			}
		}
	})
}

// resum gives an identity that was changed on purpose the checksum that it
// would have been written with.
func resum(b []byte) []byte {
	var id struct {
		Format                               int
		Name, Incarnation, Cluster, Checksum string
	}
	if err := json.Unmarshal(b, &id); err != nil {
		panic(err)
	}
	text := fmt.Sprintf("%d %q %q %q", id.Format, id.Name, id.Incarnation, id.Cluster)
	sum := fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(text)))
	return []byte(strings.Replace(string(b), id.Checksum, sum, 1))
}
