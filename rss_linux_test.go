package imdgo_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo"
	"github.com/inelpandzic/imdgo/internal/memory"
)

var rssFor = flag.Duration("rss", 0,
	"`how long` TestResidentMemory writes, with this also to three nodes, in a cgroup where that is permitted; otherwise one node, until it has written 4 times its budget")

// rssEnv tells the test binary to be a node whose memory is looked at: its
// budget, how many bytes a second it writes, and its address and the members if it
// is not alone.
const rssEnv = "IMDGO_RSS_CHILD"

// TestResidentChild is not a test: it is the process that TestResidentMemory
// starts. It writes values of 16 bytes to 64 KiB, and some of a mebibyte, says how
// many bytes that were, and ends when its input does.
func TestResidentChild(t *testing.T) {
	spec := strings.Fields(os.Getenv(rssEnv))
	if len(spec) < 2 {
		t.Skip("it is for child processes")
	}
	budget, err := strconv.ParseInt(spec[0], 10, 64)
	ok(t, err)
	rate, err := strconv.ParseInt(spec[1], 10, 64)
	ok(t, err)
	opts := []imdgo.Option{imdgo.WithMemoryLimit(budget), imdgo.WithDecodedLimit(0), imdgo.WithTimeout(time.Minute)}
	if len(spec) > 2 {
		opts = append(opts, imdgo.WithBindAddr(spec[2]), imdgo.WithMembers(spec[2:]...))
	}
	c, err := imdgo.New(opts...)
	ok(t, err)
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = bufio.NewReader(os.Stdin).ReadByte() // the input ends
		cancel()
	}()
	ok(t, c.Ready(ctx))
	var written, allowed atomic.Int64
	var writing sync.WaitGroup
	for i := range 16 {
		m, err := imdgo.OpenMap[uint64, []byte](c, fmt.Sprint("m", i%3))
		ok(t, err)
		random := rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(i)))
		writing.Go(func() { writeMixed(t, ctx, m, random, &written, &allowed) })
	}
	for began := time.Now(); ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
		allowed.Store(int64(time.Since(began).Seconds() * float64(rate)))
		s := c.Stats()
		fmt.Println("written", written.Load(), "accounted", s.AccountedBytes, "evicted", s.Evictions)
	}
	writing.Wait()
	<-ended
}

func writeMixed(t *testing.T, ctx context.Context, m *imdgo.Map[uint64, []byte], random *rand.Rand, written, allowed *atomic.Int64) {
	for ctx.Err() == nil {
		for written.Load() > allowed.Load() && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		value := make([]byte, 16<<random.IntN(13))
		if random.IntN(200) == 0 {
			value = make([]byte, 1<<20-16)
		}
		if err := m.Set(ctx, random.Uint64()%1_000_000, value, imdgo.TTL(time.Hour)); err != nil && ctx.Err() == nil {
			t.Error(err)
			return
		}
		written.Add(int64(len(value)))
	}
}

// A process with GOMEMLIMIT = 1.10 × budget + memory.Fixed keeps all of its memory
// below that, while it is written to. Not counted are the pages of
// the program's file, which the system takes back when it needs them.
func TestResidentMemory(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("it writes half a gigabyte, and the race detector takes more memory than that")
	}
	t.Run("one node", func(t *testing.T) { resident(t, 1, 128<<20, 64, *rssFor) })
	if *rssFor > 0 {
		t.Run("three nodes", func(t *testing.T) { resident(t, 3, 256<<20, 16, *rssFor) })
	}
}

// resident has nodes write so many times the budget per minute.
func resident(t *testing.T, count int, budget, times int64, length time.Duration) {
	limit := memory.Needs(budget)
	var addrs []string
	for range count {
		addrs = append(addrs, anyPort(t, "127.0.0.1"))
	}
	var nodes []*residentNode
	for i := range count {
		spec := fmt.Sprint(budget, budget*times/60/int64(count))
		if count > 1 {
			spec += " " + strings.Join(append(addrs[i:i+1:i+1], addrs...), " ")
		}
		nodes = append(nodes, startResident(t, spec, limit, length > 0))
	}
	began, total := time.Now(), int64(0)
	for late := began.Add(length + 60*time.Second); time.Now().Before(late); {
		total = 0
		for _, n := range nodes {
			total += n.written.Load()
			n.look(t)
		}
		if time.Since(began) >= length && total >= 4*budget {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	rate := float64(total) / float64(budget) / time.Since(began).Minutes()
	if rate < 4 {
		t.Errorf("only %.1f times the budget per minute was written", rate)
	}
	for i, n := range nodes {
		t.Logf("node %d: budget %d MiB, %.0f times of it written per minute; resident at most %.1f MiB and %.1f of files, GOMEMLIMIT is %.1f; %v",
			i, budget>>20, rate, inMiB(n.most), inMiB(n.files), inMiB(limit), n.last.Load())
		if n.most > limit {
			t.Errorf("node %d: %.1f MiB were resident, GOMEMLIMIT is %.1f", i, inMiB(n.most), inMiB(limit))
		}
	}
}

func inMiB(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// residentNode is a process with a node.
type residentNode struct {
	status      string // its file
	written     atomic.Int64
	last        atomic.Value // what it said last
	most, files int64        // of resident memory, without files and in files
}

// startResident starts one, in a cgroup with the limit that GOMEMLIMIT is nine
// tenths of if it is to be in one.
func startResident(t *testing.T, spec string, limit int64, grouped bool) *residentNode {
	cmd := exec.Command(os.Args[0], "-test.run=^TestResidentChild$")
	cmd.Env = append(os.Environ(), rssEnv+"="+spec, "GOGC=100", fmt.Sprint("GOMEMLIMIT=", limit))
	in, err := cmd.StdinPipe()
	ok(t, err)
	out, err := cmd.StdoutPipe()
	ok(t, err)
	cmd.Stderr = cmd.Stdout
	ok(t, cmd.Start())
	pid := cmd.Process.Pid
	n := &residentNode{status: fmt.Sprintf("/proc/%d/status", pid)}
	said := make(chan struct{})
	go func() {
		defer close(said)
		n.listen(t, bufio.NewScanner(out))
	}()
	leave := func() {}
	t.Cleanup(func() {
		_ = in.Close()
		timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer timer.Stop()
		<-said
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d: %v, after %v", pid, err, n.last.Load())
		}
		leave()
	})
	if grouped {
		leave = confine(t, pid, limit*10/9)
	}
	return n
}

func (n *residentNode) listen(t *testing.T, lines *bufio.Scanner) {
	for lines.Scan() {
		var written int64
		if _, err := fmt.Sscanf(lines.Text(), "written %d", &written); err == nil {
			n.written.Store(written)
			n.last.Store(lines.Text())
		} else if lines.Text() != "PASS" {
			t.Log(lines.Text())
		}
	}
}

// look takes note of what the process has resident now.
func (n *residentNode) look(t *testing.T) {
	status, err := os.ReadFile(n.status)
	if err != nil {
		t.Fatalf("the process is gone, after %v: %v", n.last.Load(), err)
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "RssAnon: %d kB", &kib); err == nil {
			n.most = max(n.most, kib<<10)
		} else if _, err := fmt.Sscanf(line, "RssFile: %d kB", &kib); err == nil {
			n.files = max(n.files, kib<<10)
		}
	}
}

// confine puts a process into a cgroup of its own with so many bytes of memory,
// below that of the test, if the system lets it; leave removes the cgroup when the
// process has ended.
func confine(t *testing.T, pid int, limit int64) (leave func()) {
	own, err := os.ReadFile("/proc/self/cgroup")
	ok(t, err)
	dir, file := "", ""
	for line := range strings.Lines(string(own)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(parts) < 3:
		case parts[1] == "memory":
			dir, file = filepath.Join("/sys/fs/cgroup/memory", parts[2]), "memory.limit_in_bytes"
		case parts[1] == "" && dir == "":
			dir, file = filepath.Join("/sys/fs/cgroup", parts[2]), "memory.max"
		}
	}
	dir = filepath.Join(dir, fmt.Sprint("imdgo-test-", pid))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Logf("without a cgroup: %v", err)
		return func() {}
	}
	leave = func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, file), fmt.Append(nil, limit), 0); err != nil {
		t.Logf("without a cgroup: %v", err) // of version 2, whose parent has processes
		return leave
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), fmt.Append(nil, pid), 0); err != nil {
		t.Logf("without a cgroup: %v", err)
		return leave
	}
	t.Logf("process %d is in a cgroup with %.1f MiB", pid, inMiB(limit))
	return leave
}
