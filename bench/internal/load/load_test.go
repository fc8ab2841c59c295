package load

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo/bench/internal/system"
)

func TestWhatCallersBringIsAllInOneHistogram(t *testing.T) {
	all := newHistogram()
	var callers sync.WaitGroup
	for i := range 3 {
		callers.Go(func() {
			mine := handful{to: all}
			for n := range 1000 {
				mine.Record(time.Duration(i*1000+n+1) * time.Microsecond)
			}
			mine.Bring()
		})
	}
	callers.Wait()
	got := all.summary()
	within := func(name string, got, want time.Duration) {
		if got < want*98/100 || got > want*102/100 {
			t.Errorf("%s is %v, want %v within 2 %%", name, got, want)
		}
	}
	within("p50", got.P50, 1500*time.Microsecond)
	within("p99", got.P99, 2970*time.Microsecond)
	within("max", got.Max, 3*time.Millisecond)
	if got.Count != 3000 {
		t.Errorf("count %d", got.Count)
	}
}

func TestKeysAreSixteenBytesAndDiffer(t *testing.T) {
	if k := Key(1234567); k != "0000000001234567" {
		t.Errorf("key %q", k)
	}
	if len(Value) != 100 {
		t.Errorf("value of %d bytes", len(Value))
	}
}

// memory is a node that is a map.
type memory struct {
	system.Node
	mu      sync.Mutex // guards all below
	entries map[string][]byte
	ttls    int
	fail    error
}

func (m *memory) Set(_ context.Context, _ int, key string, value []byte, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ttl != 0 {
		m.ttls++
	}
	m.entries[key] = value
	return m.fail
}

func (m *memory) SetMany(ctx context.Context, caller int, keys []string, value []byte, ttl time.Duration) error {
	if sorted := slices.Sorted(slices.Values(keys)); len(slices.Compact(sorted)) != len(keys) {
		return errors.New("a key twice")
	}
	for _, key := range keys {
		_ = m.Set(ctx, caller, key, value, ttl)
	}
	return m.fail
}

func (m *memory) Get(_ context.Context, _ int, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entries[key], m.fail
}

func newMemory() *memory { return &memory{entries: make(map[string][]byte)} }

func TestCallersDoWhatTheyAreTold(t *testing.T) {
	const keys = 150
	for _, op := range []system.Op{system.OpSet, system.OpSetTTL, system.OpSetMany, system.OpGet, system.OpMixed} {
		m := newMemory()
		r, err := Run(context.Background(), m, Spec{Op: op, Callers: 4, For: 20 * time.Millisecond, Keys: keys, Batch: 100})
		if err != nil {
			t.Fatal(err)
		}
		if r.Ops < 100 || r.Failed != 0 || r.Elapsed < 20*time.Millisecond || r.Latency.Count == 0 {
			t.Errorf("%s: %+v", op, r)
		}
		if writes := op != system.OpGet; writes != (len(m.entries) > 0) || len(m.entries) > keys {
			t.Errorf("%s: %d entries", op, len(m.entries))
		}
		if (m.ttls > 0) != (op == system.OpSetTTL) {
			t.Errorf("%s: %d writes with a TTL", op, m.ttls)
		}
		if op == system.OpGet && r.Missed != r.Ops {
			t.Errorf("%d of %d reads of nothing have missed", r.Missed, r.Ops)
		}
		if op == system.OpSetMany && r.Ops != 100*r.Latency.Count {
			t.Errorf("%d entries in %d calls", r.Ops, r.Latency.Count)
		}
	}
}

func TestFailuresAreCountedAndNotTimed(t *testing.T) {
	m := newMemory()
	m.fail = errors.New("no")
	r, err := Run(context.Background(), m, Spec{Op: system.OpSet, Callers: 2, For: 5 * time.Millisecond, Keys: 1})
	if err != nil {
		t.Fatal(err)
	}
	if r.Ops != 0 || r.Failed == 0 || r.FirstFail != "no" || r.Latency.Count != 0 {
		t.Errorf("%+v", r)
	}
}
