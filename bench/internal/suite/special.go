package suite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/inelpandzic/imdgo/bench/internal/load"
	"github.com/inelpandzic/imdgo/bench/internal/node"
	"github.com/inelpandzic/imdgo/bench/internal/process"
	"github.com/inelpandzic/imdgo/bench/internal/report"
	"github.com/inelpandzic/imdgo/bench/internal/system"
)

// The cases that are no loads.
const (
	CaseLag      = "lag"
	CaseFailover = "failover"
	CaseIdle     = "idle"
	CaseMemory   = "memory"
	CaseLarge    = "large"
)

// caseLarge is that of writes with so many entries resident: 10k, 5M.
func caseLarge(entries uint64) string {
	switch {
	case entries%1_000_000 == 0:
		return fmt.Sprintf("%s/%dM", CaseLarge, entries/1_000_000)
	case entries%1000 == 0:
		return fmt.Sprintf("%s/%dk", CaseLarge, entries/1000)
	}
	return fmt.Sprintf("%s/%d", CaseLarge, entries)
}

// parts is what there is to do, in order.
func (r *Run) parts() []part {
	parts := append(r.localParts(), r.loads()...)
	add := func(name, title string, most int, can func(system.System) bool, do func(context.Context, *cluster, int) error) {
		if r.wanted(name) {
			parts = append(parts, part{name, title, most, r.eachSystem(name, can, do)})
		}
	}
	all := func(system.System) bool { return true }
	oncePerServer := func(s system.System) bool { return s.Name != "redis-wait" }
	add(CaseLag, "from a write's return on the idle leader until a follower shows it", r.options.Rounds, oncePerServer, r.lag)
	add(CaseIdle, "processor time of three idle nodes", 3, oncePerServer, r.idle)
	add(CaseMemory, "memory of an entry of 16 + 100 bytes with a TTL, on each of three nodes", 1, oncePerServer, r.memory)
	if r.options.Large > 0 {
		large := func(s system.System) bool { return s.Name == "imdgo" || s.Name == "redis" }
		add(CaseLarge, "writes with few and with many entries resident, 512 callers on the leader", 3, large, r.large)
	}
	if r.wanted(CaseFailover) && r.options.OneProcess {
		r.note("%s: left out, there is no leader to be killed alone in one process", CaseFailover)
	} else {
		add(CaseFailover, "from kill -9 of the leader to the next acknowledged write", r.options.Rounds, all, r.failover)
	}
	return parts
}

// lag has one write every few milliseconds on the leader, and looks when a
// follower shows each.
func (r *Run) lag(ctx context.Context, c *cluster, round int) error {
	const count, every = 150, 12 * time.Millisecond
	leader, err := c.leader(ctx)
	if err != nil {
		return err
	}
	follower := (leader + 1 + round%(size-1)) % size
	args := node.SeriesArgs{Node: leader, Key: "lag", Count: count, Every: every}
	watch := args
	watch.Node = follower
	var spans []node.Span
	var seen []int64
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		seen, err = process.Ask[[]int64](ctx, c.at(follower), node.OpWatch, watch)
		return err
	})
	both.Go(func() (err error) {
		spans, err = process.Ask[[]node.Span](ctx, c.at(leader), node.OpSeries, args)
		return err
	})
	if err := both.Wait(); err != nil {
		return err
	}
	lags := lagsOf(spans, seen)
	r.report.Add(CaseLag, c.system.Name, report.P50, lags.p50)
	r.report.Add(CaseLag, c.system.Name, report.P99, lags.p99)
	r.report.Add(CaseLag, c.system.Name, report.Max, lags.most)
	r.progress("  %d  %-13s p50 %s, p99 %s, max %s", round+1, c.system.Name, report.Duration(lags.p50), report.Duration(lags.p99), report.Duration(lags.most))
	return nil
}

type lags struct{ p50, p99, most float64 }

// lagsOf is how long after its return each write was seen; one that was seen
// before has none. The first writes are left out: they warm up.
func lagsOf(spans []node.Span, seen []int64) lags {
	const warm = 10
	var all []float64
	for i := warm; i < min(len(spans), len(seen)); i++ {
		all = append(all, float64(max(seen[i]-spans[i].End, 0)))
	}
	return lags{quantile(all, 0.5), quantile(all, 0.99), quantile(all, 1)}
}

// idle lets a cluster with some entries alone.
func (r *Run) idle(ctx context.Context, c *cluster, round int) error {
	leader, err := c.leader(ctx)
	if err != nil {
		return err
	}
	if err := c.fill(ctx, leader, 0, r.options.Keys); err != nil {
		return err
	}
	if err := sleep(ctx, 2*time.Second); err != nil {
		return err
	}
	before, err := c.usage(ctx, true)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := sleep(ctx, r.options.Idle); err != nil {
		return err
	}
	after, err := c.usage(ctx, false)
	if err != nil {
		return err
	}
	percent := 100 * (after.CPU - before.CPU).Seconds() / time.Since(begin).Seconds()
	r.report.Add(CaseIdle, c.system.Name, report.OfACore, percent)
	r.progress("  %d  %-13s %.2f %% of a core", round+1, c.system.Name, percent)
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// memory is by how much all nodes have grown, to an entry and node.
func (r *Run) memory(ctx context.Context, c *cluster, round int) error {
	leader, err := c.leader(ctx)
	if err != nil {
		return err
	}
	before, err := c.usage(ctx, true)
	if err != nil {
		return err
	}
	if err := c.fill(ctx, leader, 0, r.options.Entries); err != nil {
		return err
	}
	if err := sleep(ctx, time.Second); err != nil { // the followers catch up
		return err
	}
	after, err := c.usage(ctx, true)
	if err != nil {
		return err
	}
	share := float64(size) * float64(r.options.Entries)
	heap, rss := float64(after.Heap-before.Heap)/share, float64(after.RSS-before.RSS)/share
	r.report.Add(CaseMemory, c.system.Name, report.HeapBytes, heap)
	r.report.Add(CaseMemory, c.system.Name, report.RSSBytes, rss)
	r.progress("  %d  %-13s heap %.0f, resident %.0f bytes an entry and node", round+1, c.system.Name, heap, rss)
	return nil
}

// large measures the same writes on few keys, and on all of many.
func (r *Run) large(ctx context.Context, c *cluster, round int) error {
	leader, err := c.leader(ctx)
	if err != nil {
		return err
	}
	const few = 10_000
	filled := uint64(0)
	for _, keys := range []uint64{few, r.options.Large} {
		if err := c.fill(ctx, leader, filled, keys); err != nil {
			return err
		}
		filled = keys
		spec := load.Spec{Op: system.OpSet, Callers: 512, For: r.options.Duration, Keys: keys}
		if _, err := c.load(ctx, leader, spec); err != nil { // to warm up
			return err
		}
		spec.For *= 2 // long enough for collections of a large heap
		result, err := c.load(ctx, leader, spec)
		if err != nil {
			return err
		}
		rate := float64(result.Ops) / result.Elapsed.Seconds()
		r.report.Add(caseLarge(keys), c.system.Name, report.PerSecond, rate)
		r.report.Add(caseLarge(keys), c.system.Name, report.Max, float64(result.Latency.Max))
		r.progress("  %d  %-13s %d entries: %9.0f /s, max %s", round+1, c.system.Name, keys, rate, report.Duration(float64(result.Latency.Max)))
	}
	return nil
}

// failover kills the leader's process while the others write.
func (r *Run) failover(ctx context.Context, c *cluster, round int) error {
	if !c.system.FailsOver {
		r.report.Note(fmt.Sprintf("%s: %s has no fail-over of its own (Sentinel or Cluster would do it, in processes of their own)", CaseFailover, c.system.Title))
		return nil
	}
	const callers, patience = 4, 250 * time.Millisecond
	leader, err := c.leader(ctx)
	if err != nil {
		return err
	}
	var mu sync.Mutex // guards acknowledged
	var acknowledged []int64
	var survivors []int
	writing, ctx := errgroup.WithContext(ctx)
	for i := range size {
		if i == leader {
			continue
		}
		survivors = append(survivors, i)
		writing.Go(func() error {
			ends, err := process.Ask[[]int64](ctx, c.at(i), node.OpAttempts, node.AttemptsArgs{Node: i, Callers: callers, Patience: patience})
			mu.Lock()
			defer mu.Unlock()
			acknowledged = append(acknowledged, ends...)
			return err
		})
	}
	killed, err := r.killUnderLoad(ctx, c, leader)
	for _, i := range survivors {
		_, haltErr := process.Ask[process.None](ctx, c.at(i), node.OpHalt, process.None{})
		err = errors.Join(err, haltErr)
	}
	if err := errors.Join(err, writing.Wait()); err != nil {
		return err
	}
	took, err := takeover(acknowledged, killed)
	if err != nil {
		return err
	}
	r.report.Add(CaseFailover, c.system.Name, report.Took, float64(took))
	r.progress("  %d  %-13s %s", round+1, c.system.Name, report.Duration(float64(took)))
	return nil
}

// killUnderLoad kills the leader once the writers are at work, and gives the
// others time to go on. It returns when it killed.
func (r *Run) killUnderLoad(ctx context.Context, c *cluster, leader int) (int64, error) {
	const before, after = time.Second, 8 * time.Second
	if err := sleep(ctx, before); err != nil {
		return 0, err
	}
	killed := time.Now().UnixNano()
	c.at(leader).Kill()
	return killed, sleep(ctx, after)
}
