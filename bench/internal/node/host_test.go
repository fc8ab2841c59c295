package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo/bench/internal/load"
	"github.com/inelpandzic/imdgo/bench/internal/process"
	"github.com/inelpandzic/imdgo/bench/internal/system"
)

// memory is a node that is a map, and has as much as this outside.
type memory struct {
	system.Node
	outside process.Usage
	closed  bool

	mu      sync.Mutex // guards all below
	entries map[string][]byte
	fails   int // so many writes more
}

func (m *memory) Set(_ context.Context, _ int, key string, value []byte, _ time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails > 0 {
		m.fails--
		return errors.New("not now")
	}
	m.entries[key] = value
	return nil
}

func (m *memory) SetMany(ctx context.Context, caller int, keys []string, value []byte, ttl time.Duration) error {
	for _, key := range keys {
		if err := m.Set(ctx, caller, key, value, ttl); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Get(_ context.Context, _ int, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entries[key], nil
}

func (m *memory) Outside(context.Context) (process.Usage, error) { return m.outside, nil }
func (m *memory) Close() error                                   { m.closed = true; return nil }

func hosting(m *memory) *Host {
	m.entries = make(map[string][]byte)
	h := NewHost()
	h.nodes[1] = m
	return h
}

func TestWatcherSeesWhatTheSeriesWrites(t *testing.T) {
	h := hosting(new(memory))
	args := SeriesArgs{Node: 1, Key: "k", Count: 20, Every: time.Millisecond}
	var spans []Span
	var writer sync.WaitGroup
	writer.Go(func() {
		var err error
		if spans, err = h.series(args); err != nil {
			t.Error(err)
		}
	})
	seen, err := h.watch(args)
	writer.Wait()
	if err != nil || len(seen) != 20 || len(spans) != 20 {
		t.Fatalf("%d seen of %d, %v", len(seen), len(spans), err)
	}
	for i, s := range spans {
		if seen[i] < s.Start || s.End < s.Start || i > 0 && seen[i] < seen[i-1] {
			t.Errorf("write %d: %v, seen at %d", i, s, seen[i])
		}
	}
}

func TestAttemptsGoOnUntilHalted(t *testing.T) {
	h := hosting(&memory{fails: 5})
	done := make(chan []int64)
	go func() {
		ends, err := h.attempts(AttemptsArgs{Node: 1, Callers: 3, Patience: time.Second})
		if err != nil {
			t.Error(err)
		}
		done <- ends
	}()
	if _, err := h.watchFor(load.Key(2010)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time changes nothing
		if _, err := h.haltAttempts(process.None{}); err != nil {
			t.Fatal(err)
		}
	}
	ends := <-done
	if len(ends) < 1 {
		t.Error("no write was acknowledged")
	}
	for i := range ends {
		if i > 0 && ends[i] < ends[i-1] {
			t.Error("the acknowledgements are in no order")
		}
	}
}

// watchFor returns when there is an entry under key.
func (h *Host) watchFor(key string) ([]byte, error) {
	for begin := time.Now(); time.Since(begin) < 10*time.Second; time.Sleep(time.Millisecond) {
		if value, err := h.nodes[1].Get(context.Background(), 0, key); value != nil || err != nil {
			return value, err
		}
	}
	return nil, errors.New("it does not come")
}

func TestFillWritesEachKeyOnce(t *testing.T) {
	m := &memory{fails: 2}
	h := hosting(m)
	if _, err := h.fill(FillArgs{Node: 1, From: 150, To: 1234}); err != nil {
		t.Fatal(err)
	}
	if len(m.entries) != 1084 || m.entries[load.Key(150)] == nil || m.entries[load.Key(1233)] == nil {
		t.Errorf("%d entries", len(m.entries))
	}
}

func TestUsageCountsWhatIsOutside(t *testing.T) {
	h := hosting(&memory{outside: process.Usage{CPU: time.Hour, RSS: 1 << 50}})
	u, err := h.usage(true)
	if err != nil || u.CPU < time.Hour || u.RSS < 1<<50 || u.Heap <= 0 {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestCloseEndsNodesAndRemovesTheirDirectories(t *testing.T) {
	m := new(memory)
	h := hosting(m)
	dir := filepath.Join(t.TempDir(), "node")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	h.dirs = []string{dir}
	if err := h.Close(); err != nil || !m.closed {
		t.Errorf("%v, closed: %v", err, m.closed)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory: %v", err)
	}
}

func TestNodesElsewhereAreRefused(t *testing.T) {
	h := hosting(new(memory))
	if _, err := h.load(LoadArgs{Node: 2}); err == nil {
		t.Error("no error")
	}
	if _, err := h.open(OpenArgs{System: "oracle"}); err == nil {
		t.Error("no error")
	}
}
