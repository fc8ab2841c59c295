package local

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inelpandzic/imdgo/bench/internal/load"
	"github.com/inelpandzic/imdgo/bench/internal/process"
)

// What a child is asked.
const (
	OpOpen  = "local-open"  // string, the kind → nothing
	OpReads = "local-reads" // ReadsArgs → Reads
	OpFill  = "local-fill"  // FillArgs → Filled
)

// hot is how many keys are read.
const hot = 512

// ReadsArgs has Procs goroutines on as many processors read for as long.
type ReadsArgs struct {
	Procs int
	For   time.Duration
}

// Reads is what came of it: the time that passed and the objects that were
// allocated, to a read of all of them.
type Reads struct{ Nanoseconds, Allocations float64 }

// FillArgs fills a new cache of that kind.
type FillArgs struct {
	Kind    string
	Entries int
}

// Filled is by how much the live heap and the resident memory have grown, and
// how much of the heap is a log whose size does not depend on the entries.
type Filled struct{ Heap, RSS, Log int64 }

// logged is a cache with such a log.
type logged interface{ LogBytes() int64 }

// Host hosts one cache, of sessions.
type Host struct {
	kind  Kind
	cache Cache[Session]
	keys  []string
}

// Handlers answer what a child is asked. They are not for many at once.
func (h *Host) Handlers() map[string]process.Handler {
	return map[string]process.Handler{OpOpen: process.On(h.open), OpReads: process.On(h.reads), OpFill: process.On(fill)}
}

// Close ends the cache.
func (h *Host) Close() error {
	if h.cache == nil {
		return nil
	}
	return h.cache.Close()
}

func (h *Host) open(name string) (none process.None, err error) {
	var ok bool
	if h.kind, ok = Find(name); !ok {
		return none, fmt.Errorf("no such cache: %q", name)
	}
	if h.cache, err = h.kind.Sessions(hot); err != nil {
		return none, err
	}
	for i := range hot {
		h.keys = append(h.keys, load.Key(uint64(i)))
		if err := h.cache.Set(h.keys[i], Session{User: "Ada", Roles: []string{"reader", "writer"}, Seen: int64(i)}); err != nil {
			return none, err
		}
	}
	h.cache.Settle()
	if found := h.cache.Read(h.keys, 0, hot); found != hot {
		return none, fmt.Errorf("%s has %d of %d entries", name, found, hot)
	}
	return none, nil
}

// reads is what testing.B.RunParallel does, for a time that is given.
func (h *Host) reads(args ReadsArgs) (r Reads, err error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(args.Procs))
	const chunk = 4096                                         // reads between two looks at the clock
	for begin := time.Now(); time.Since(begin) < args.For/4; { // to warm up
		h.cache.Read(h.keys, 0, chunk)
	}
	before, err := process.Here()
	if err != nil {
		return r, err
	}
	var reads, missed atomic.Int64
	var running sync.WaitGroup
	begin := time.Now()
	for p := range args.Procs {
		running.Go(func() {
			for from := p * 97; time.Since(begin) < args.For; from += chunk {
				missed.Add(chunk - int64(h.cache.Read(h.keys, from, chunk)))
				reads.Add(chunk)
			}
		})
	}
	running.Wait()
	took := time.Since(begin)
	after, err := process.Here()
	if err != nil {
		return r, err
	}
	if missed.Load() > 0 {
		return r, fmt.Errorf("%s: %d of %d reads have missed", h.kind.Name, missed.Load(), reads.Load())
	}
	n := float64(reads.Load())
	return Reads{float64(took.Nanoseconds()) / n, float64(after.Mallocs-before.Mallocs) / n}, nil
}

// fill measures what entries of 16 + 100 bytes cost, keys and values included.
func fill(args FillArgs) (f Filled, err error) {
	kind, ok := Find(args.Kind)
	if !ok {
		return f, fmt.Errorf("no such cache: %q", args.Kind)
	}
	before, err := collected()
	if err != nil {
		return f, err
	}
	cache, err := kind.Bytes(args.Entries)
	if err != nil {
		return f, err
	}
	for i := range args.Entries {
		if err := cache.Set(load.Key(uint64(i)), append([]byte(nil), load.Value...)); err != nil {
			return f, err
		}
	}
	cache.Settle()
	after, err := collected()
	if err != nil {
		return f, err
	}
	const some = 1000
	var keys []string
	for i := range some {
		keys = append(keys, load.Key(uint64(i*(args.Entries/some))))
	}
	if found := cache.Read(keys, 0, some); found != some {
		return f, fmt.Errorf("%s has kept %d of %d entries", args.Kind, found, some)
	}
	f = Filled{Heap: after.Heap - before.Heap, RSS: after.RSS - before.RSS}
	if l, ok := cache.(logged); ok {
		f.Log = l.LogBytes()
	}
	return f, cache.Close()
}

// collected is the usage when nothing is left to collect.
func collected() (process.Usage, error) {
	runtime.GC()
	runtime.GC()
	return process.Here()
}
