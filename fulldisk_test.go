//go:build linux

package imdgo_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/inelpandzic/imdgo"
)

// smallDisks mounts a disk of its own for each node below a directory.
func smallDisks(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("tmpfs", path, "tmpfs", 0, "size=4m"); err != nil {
			t.Skipf("mounting a disk: %v", err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(path, 0); err != nil {
				t.Errorf("unmounting %s: %v", path, err)
			}
		})
	}
	return dir
}

const filler = "filler"

// fill leaves no room on a disk.
func fill(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, filler))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func makeRoom(t *testing.T, dir string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, filler)); err != nil {
		t.Fatal(err)
	}
}

// A leader whose disk is full is followed by another one, and what it was asked
// for meanwhile is written. When there is room again it has what the others have.
func TestTheLeadersDiskIsFull(t *testing.T) {
	dir := smallDisks(t, three...)
	synctest.Test(t, func(t *testing.T) {
		c := durable(t, dir)
		if err := c.Node("n1").Cache.Set("before", 1); err != nil {
			t.Fatal(err)
		}
		full := c.Leader().Name
		other := three[0]
		if other == full {
			other = three[1]
		}
		fill(t, filepath.Join(dir, full))
		value := strings.Repeat("x", 20_000)
		for i := range 20 {
			if err := c.Node(other).Cache.Set(fmt.Sprint(i), value); err != nil {
				t.Errorf("a write while the leader's disk is full: %v", err)
			}
		}
		if role := c.Node(full).Cache.Stats().Role; role == imdgo.Leader {
			t.Errorf("the node whose disk is full is %v", role)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := table[any](t, c, full, "").Set(ctx, "mine", value); !errors.Is(err, imdgo.ErrUnknownOutcome) {
			t.Errorf("a write on the node whose disk is full: %v", err)
		}
		makeRoom(t, filepath.Join(dir, full))
		if err := c.Converged(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.Node(full).Cache.Set("after", 1); err != nil {
			t.Errorf("a write when there is room again: %v", err)
		}
		if _, ok := c.Node(full).Cache.Get("19"); !ok {
			t.Error("what was written meanwhile is not there")
		}
	})
}

// When all disks are full nothing is acknowledged, and nothing is lost that was.
// The nodes go on when there is room again.
func TestAllDisksAreFull(t *testing.T) {
	dir := smallDisks(t, three...)
	synctest.Test(t, func(t *testing.T) {
		c := durable(t, dir)
		value := strings.Repeat("x", 20_000)
		var acknowledged []string
		for round := range 3 {
			for i := range 10 {
				key := fmt.Sprint(round, " ", i)
				if err := c.Node(three[i%3]).Cache.Set(key, value); err != nil {
					t.Fatalf("a write when there is room: %v", err)
				}
				acknowledged = append(acknowledged, key)
			}
			for _, name := range three {
				fill(t, filepath.Join(dir, name))
			}
			for i := range 6 {
				key := fmt.Sprint(round, " full ", i)
				switch err := c.Node(three[i%3]).Cache.Set(key, value); {
				case err == nil:
					acknowledged = append(acknowledged, key) // it found room that had been used
				case errors.Is(err, imdgo.ErrClosed), !errors.Is(err, imdgo.ErrUnknownOutcome) && !errors.Is(err, imdgo.ErrTimeout) && !errors.Is(err, imdgo.ErrNoLeader):
					t.Fatalf("a write while the disks are full: %v", err)
				default:
					t.Log(key, err)
				}
			}
			for _, name := range three {
				makeRoom(t, filepath.Join(dir, name))
			}
			if round == 1 {
				for _, name := range three {
					c.Kill(name)
				}
				for _, name := range three {
					c.Start(name)
				}
			}
			c.WaitReady()
			if err := c.Converged(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, key := range acknowledged {
				for _, name := range three {
					if _, ok := c.Node(name).Cache.Get(key); !ok {
						t.Errorf("%s has lost %s", name, key)
					}
				}
			}
		}
	})
}

// A node starts on a disk that is full, or says that it is; and has everything
// when there is room.
func TestStartingOnAFullDisk(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := filepath.Join(smallDisks(t, "disk"), "disk")
	quiet := imdgo.WithLogger(slog.New(slog.DiscardHandler))
	for round := range 3 {
		c, err := imdgo.New(imdgo.WithDataDir(dir), quiet)
		if err == nil {
			err = c.Ready(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range round {
			if _, ok := c.Get(fmt.Sprint(i)); !ok {
				t.Errorf("%d is lost", i)
			}
		}
		if err := errors.Join(c.Set(fmt.Sprint(round), 1), c.Close()); err != nil {
			t.Fatal(err)
		}
		fill(t, dir)
		if c, err = imdgo.New(imdgo.WithDataDir(dir), quiet); err == nil {
			err = c.Close()
		} else if errors.Is(err, unix.ENOSPC) && strings.Contains(err.Error(), dir) {
			err = nil
		}
		if err != nil {
			t.Errorf("on a full disk: %v", err)
		}
		makeRoom(t, dir)
	}
}

// nothingEnv is set in the process that TestADiskThatTakesNothing starts.
const nothingEnv = "IMDGO_NOTHING_CHILD"

// A node whose disk takes nothing at all, not even a term, ends, and says why.
// Started again it has what was acknowledged.
//
// It is run in a process of its own: the limit is for all files of a process, and
// those of the test's runner are among them.
func TestADiskThatTakesNothing(t *testing.T) {
	if os.Getenv(nothingEnv) == "" {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestADiskThatTakesNothing$", "-test.timeout=1m")
		child.Env = append(os.Environ(), nothingEnv+"=1")
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := filepath.Join(t.TempDir(), "data")
	quiet := imdgo.WithLogger(slog.New(slog.DiscardHandler))
	c, err := imdgo.New(imdgo.WithDataDir(dir), quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Set("before", 1); err != nil {
		t.Fatal(err)
	}
	// A limit on files comes with a signal, which would end the process.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGXFSZ)
	defer signal.Stop(signals)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 0, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	err = c.Set("meanwhile", 1)
	if limitErr := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); limitErr != nil {
		t.Fatal(limitErr)
	}
	if !errors.Is(err, imdgo.ErrClosed) || !strings.Contains(err.Error(), "CurrentTerm") || !strings.Contains(err.Error(), dir) {
		t.Errorf("a write: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if c, err = imdgo.New(imdgo.WithDataDir(dir), quiet); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Get("before"); !ok {
		t.Error("an acknowledged write is lost")
	}
	if _, ok := c.Get("meanwhile"); ok {
		t.Error("what was refused is there")
	}
}
