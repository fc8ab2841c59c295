//go:build unix

package imdgo_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo"
	"github.com/inelpandzic/imdgo/imdgotest"
)

// childEnv tells the test binary to be a process with a node: its directory,
// its address and the members.
const childEnv = "IMDGO_DATADIR_CHILD"

// TestChildProcess is not a test: it is the process that TestProcessesAreKilled
// starts. It writes, and says what has been acknowledged, until it is killed.
func TestChildProcess(t *testing.T) {
	spec := strings.Fields(os.Getenv(childEnv))
	if len(spec) < 2 {
		t.Skip("it is for child processes")
	}
	c, err := imdgo.New(imdgo.WithDataDir(spec[0]), imdgo.WithBindAddr(spec[1]), imdgo.WithMembers(spec[1:]...), imdgo.WithLogLimit(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := 0; ; i++ {
		key := fmt.Sprint(spec[1], " ", i)
		if err := c.Set(key, strings.Repeat("x", 5000), imdgo.TTL(time.Hour)); err != nil {
			t.Fatal(err)
		}
		fmt.Println("acknowledged", key)
	}
}

// Three processes are killed in the middle of writing, all at once: every write
// that was acknowledged is there when nodes start in their directories.
func TestProcessesAreKilled(t *testing.T) {
	addrs := []string{anyPort(t, "127.0.0.1"), anyPort(t, "127.0.0.1"), anyPort(t, "127.0.0.1")}
	dir := t.TempDir()
	var mu sync.Mutex // guards acknowledged
	var acknowledged []string
	enough := make(chan struct{})
	var children []*exec.Cmd
	var reading sync.WaitGroup
	for i, addr := range addrs {
		cmd := exec.Command(os.Args[0], "-test.run=^TestChildProcess$")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s %s", childEnv, filepath.Join(dir, fmt.Sprint(i)), addr, addrs[(i+1)%3], addrs[(i+2)%3]))
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		children = append(children, cmd)
		reading.Go(func() {
			for lines := bufio.NewScanner(out); lines.Scan(); {
				key, ok := strings.CutPrefix(lines.Text(), "acknowledged ")
				if !ok {
					continue
				}
				mu.Lock()
				if acknowledged = append(acknowledged, key); len(acknowledged) == 600 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(30 * time.Second):
		t.Error("the processes do not write")
	}
	for _, cmd := range children {
		_ = cmd.Process.Kill()
	}
	reading.Wait()
	for _, cmd := range children {
		_ = cmd.Wait() // it was killed
	}
	nodes := make([]*imdgo.Cache, 3)
	for i, addr := range addrs {
		c, err := imdgo.New(imdgo.WithDataDir(filepath.Join(dir, fmt.Sprint(i))), imdgo.WithBindAddr(addr), imdgo.WithMembers(addrs...))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		nodes[i] = c
	}
	for i, c := range nodes {
		if err := c.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		imdgotest.Eventually(t, 5*time.Second, func() error {
			for _, key := range acknowledged {
				if _, ok := c.Get(key); !ok {
					return fmt.Errorf("node %d has lost %s, of %d", i, key, len(acknowledged))
				}
			}
			return nil
		})
	}
	imdgotest.Eventually(t, 5*time.Second, func() error {
		index, hash := nodes[0].StateHash()
		for _, c := range nodes[1:] {
			if i, h := c.StateHash(); i != index || h != hash {
				return fmt.Errorf("%016x at %d and %016x at %d", hash, index, h, i)
			}
		}
		return nil
	})
}
