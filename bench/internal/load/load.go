// Package load has callers work on a node as users would, and measures how long
// each call takes.
//
// It is a closed loop: a caller begins a call when its last one has returned, so
// that a stall is one long call and not the many that would have come meanwhile.
// Latencies are of what was called, not of what would have been.
package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/inelpandzic/imdgo/bench/internal/system"
)

// Spec says what the callers do.
type Spec struct {
	Op      system.Op
	Callers int
	For     time.Duration
	Keys    uint64 // drawn uniformly from so many
	Batch   int    // entries that one OpSetMany writes
}

// TTL is the time to live of writes with one: so long that none ends in a run.
const TTL = time.Hour

// Result is what came of it. Latency is of the calls that succeeded; Ops are
// the entries they wrote or read.
type Result struct {
	Ops       int64
	Elapsed   time.Duration // from the first call's begin to the last one's end
	Failed    int64
	FirstFail string // of the errors, if there were any
	Missed    int64  // reads that found nothing
	Latency   Latency
}

// Run has the callers work for as long as spec says, and waits for the calls
// under way. That calls fail is in the result.
func Run(ctx context.Context, n system.Node, spec Spec) (Result, error) {
	if spec.Callers < 1 || spec.Keys < 1 {
		return Result{}, fmt.Errorf("%d callers and %d keys: there must be one at least", spec.Callers, spec.Keys)
	}
	if spec.Op == system.OpSetMany && uint64(spec.Batch) > spec.Keys {
		return Result{}, fmt.Errorf("batches of %d of %d keys: no key may be in a batch twice", spec.Batch, spec.Keys)
	}
	callers := make([]*caller, spec.Callers)
	all := newHistogram()
	begin := time.Now()
	var running sync.WaitGroup
	for i := range callers {
		c := newCaller(n, spec, i, all)
		callers[i] = c
		running.Go(func() { c.work(ctx, begin.Add(spec.For)) })
	}
	running.Wait()
	result := Result{Elapsed: time.Since(begin)}
	for _, c := range callers {
		result.Ops += c.ops
		result.Failed += c.failed
		result.Missed += c.missed
		if result.FirstFail == "" && c.err != nil {
			result.FirstFail = c.err.Error()
		}
	}
	result.Latency = all.summary()
	return result, nil
}

// Value is what is written: 100 bytes.
var Value = []byte("imdgo beside its peers: one hundred bytes, the same for all of them, as a session or a price might be")[:100]

// Key is the i-th key: 16 bytes. It allocates, as a caller's own key would.
func Key(i uint64) string {
	var b [16]byte
	for at := len(b) - 1; at >= 0; at-- {
		b[at] = byte('0' + i%10)
		i /= 10
	}
	return string(b[:])
}

// rarely is how many local reads there are to one whose time is taken: asking
// for the time twice costs more than such a read.
const rarely = 16

type caller struct {
	node      system.Node
	spec      Spec
	index     int
	dice      *rand.Rand
	latencies handful
	keys      []string

	ops, failed, missed int64
	err                 error
}

func newCaller(n system.Node, spec Spec, index int, all *histogram) *caller {
	c := &caller{node: n, spec: spec, index: index, dice: rand.New(rand.NewPCG(uint64(index), 1)), latencies: handful{to: all}}
	if spec.Op == system.OpSetMany {
		c.keys = make([]string, spec.Batch)
	}
	return c
}

func (c *caller) work(ctx context.Context, until time.Time) {
	defer c.latencies.Bring()
	for i := 0; ; i++ {
		if c.spec.Op == system.OpGet && i%rarely != 0 {
			c.count(c.call(ctx, system.OpGet))
			continue
		}
		op := c.spec.Op
		if op == system.OpMixed {
			op = system.OpGet
			if c.dice.IntN(10) == 0 {
				op = system.OpSet
			}
		}
		begin := time.Now()
		if begin.After(until) || ctx.Err() != nil {
			return
		}
		err := c.call(ctx, op)
		if c.count(err); err == nil {
			c.latencies.Record(time.Since(begin))
		}
	}
}

func (c *caller) count(err error) {
	if err == nil {
		c.ops += int64(max(len(c.keys), 1))
		return
	}
	if c.failed++; c.err == nil {
		c.err = err
	}
	time.Sleep(time.Millisecond) // what fails at once would be tried a million times
}

func (c *caller) call(ctx context.Context, op system.Op) error {
	switch op {
	case system.OpSet:
		return c.node.Set(ctx, c.index, c.key(), Value, 0)
	case system.OpSetTTL:
		return c.node.Set(ctx, c.index, c.key(), Value, TTL)
	case system.OpSetMany:
		first := c.dice.Uint64N(c.spec.Keys) // and those behind it: no key twice, which a transaction may refuse
		for i := range c.keys {
			c.keys[i] = Key((first + uint64(i)) % c.spec.Keys)
		}
		return c.node.SetMany(ctx, c.index, c.keys, Value, 0)
	case system.OpGet:
		return c.found(c.node.Get(ctx, c.index, c.key()))
	case system.OpRead:
		return c.found(c.node.Read(ctx, c.index, c.key()))
	}
	return fmt.Errorf("no such work: %q", op)
}

func (c *caller) key() string { return Key(c.dice.Uint64N(c.spec.Keys)) }

func (c *caller) found(value []byte, err error) error {
	if err == nil && value == nil {
		c.missed++
	}
	return err
}
