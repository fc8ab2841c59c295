package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// instance is one process of the service.
type instance struct {
	name string
	args []string // the command line
	url  string
	log  string // the file with its standard error, over all its lives
	cmd  *exec.Cmd
	gone chan struct{} // closed when the process has ended
}

// build makes the program, under the race detector if the test is.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "catalog")
	args := []string{"build", "-buildvcs=false", "-o", program}
	if raceDetector {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("building the service: %v\n%s", err, out)
	}
	return program
}

// three returns three instances that are to be one cluster, not started yet.
func three(t *testing.T, storeDelay time.Duration) []*instance {
	t.Helper()
	program, addrs, logs := build(t), freeAddrs(t, 6), t.TempDir()
	nodes, fronts := addrs[:3], addrs[3:]
	all := make([]*instance, 3)
	for i := range all {
		name := fmt.Sprintf("instance %d", i+1)
		all[i] = &instance{name: name, url: "http://" + fronts[i], log: filepath.Join(logs, name), args: []string{program,
			"-http", fronts[i], "-node", nodes[i], "-members", strings.Join(nodes, ","), "-store", storeDelay.String()}}
		t.Cleanup(func() { all[i].showLog(t) })
	}
	return all
}

// freeAddrs returns loopback addresses that nobody listens on. They are below
// the ports that systems hand out for outgoing connections: one of those could
// take the place of an instance that is down, or even connect to itself there.
func freeAddrs(t *testing.T, n int) []string {
	t.Helper()
	var addrs []string
	for tries := 0; len(addrs) < n; tries++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 15000+rand.IntN(15000)))
		if err != nil {
			if tries > 1000 {
				t.Fatal(err)
			}
			continue
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// start starts the process, also once more after it has ended.
func (in *instance) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(in.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the child has its own
	cmd, gone := exec.Command(in.args[0], in.args[1:]...), make(chan struct{})
	cmd.Stderr = log
	tie(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.cmd, in.gone = cmd, gone
	go func() {
		defer close(gone)
		_ = cmd.Wait() // how it ended is in ProcessState
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended long ago
		<-gone
	})
}

// kill ends the process without a chance to say goodbye.
func (in *instance) kill(t *testing.T) {
	t.Helper()
	in.signal(t, syscall.SIGKILL)
	<-in.gone
}

func (in *instance) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := in.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("%s: %v", in.name, err)
	}
}

// showLog fails the test if the race detector has found something, and shows
// the log of an instance if the test has failed.
func (in *instance) showLog(t *testing.T) {
	log, err := os.ReadFile(in.log)
	if err != nil {
		t.Error(err)
	}
	if bytes.Contains(log, []byte("DATA RACE")) {
		t.Errorf("%s has a data race", in.name)
	}
	if t.Failed() {
		t.Logf("%s:\n%s", in.name, log[max(0, len(log)-32<<10):])
	}
}

// client is for all instances. Its timeout is several times that of the service.
var client = &http.Client{Timeout: 5 * cacheTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}

// do sends a request. The status is 0 if there was no answer.
func (in *instance) do(ctx context.Context, method, path string, body any) (status int, answer []byte, err error) {
	sent, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, in.url+path, bytes.NewReader(sent))
	if err != nil {
		return 0, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

func (in *instance) get(ctx context.Context, id string) (Product, error) {
	var p Product
	err := in.decode(ctx, http.MethodGet, "/products/"+id, nil, &p)
	return p, err
}

func (in *instance) put(ctx context.Context, id string, p Product) error {
	return in.decode(ctx, http.MethodPut, "/products/"+id, p, new(Product))
}

func (in *instance) changePrice(ctx context.Context, id string, by int) error {
	return in.decode(ctx, http.MethodPost, "/products/"+id+"/price", map[string]int{"by": by}, new(Product))
}

func (in *instance) stats(ctx context.Context) (stats, error) {
	var s stats
	err := in.decode(ctx, http.MethodGet, "/stats", nil, &s)
	return s, err
}

// decode sends a request that is to be answered with 200 and JSON.
func (in *instance) decode(ctx context.Context, method, path string, body, into any) error {
	status, answer, err := in.do(ctx, method, path, body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d: %s", status, bytes.TrimSpace(answer))
	}
	if err == nil {
		err = json.Unmarshal(answer, into)
	}
	if err != nil {
		return fmt.Errorf("%s: %s %s: %w", in.name, method, path, err)
	}
	return nil
}

// storeReads returns how often the instance has asked its store.
func (in *instance) storeReads(t *testing.T) int64 {
	t.Helper()
	s, err := in.stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.StoreReads
}
