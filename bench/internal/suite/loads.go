package suite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/inelpandzic/imdgo/bench/internal/load"
	"github.com/inelpandzic/imdgo/bench/internal/report"
	"github.com/inelpandzic/imdgo/bench/internal/system"
)

// batch is how many entries OpSetMany writes at once, and batchCallers how many
// callers do.
const (
	batch        = 100
	batchCallers = 16
)

// loadCase is callers working on the leader or on a follower.
type loadCase struct {
	op      system.Op
	leader  bool
	callers int
}

// Where the callers are.
const (
	onLeader   = "leader"
	onFollower = "follower"
)

func (c loadCase) name() string {
	where := onFollower
	if c.leader {
		where = onLeader
	}
	return fmt.Sprintf("%s/%s/%d", c.op, where, c.callers)
}

// loadTitles say what is done.
var loadTitles = []struct {
	op    system.Op
	title string
}{
	{system.OpSet, "writes"},
	{system.OpSetTTL, "writes with a TTL"},
	{system.OpSetMany, "writes, a hundred at a time"},
	{system.OpGet, "local reads"},
	{system.OpRead, "linearizable reads"},
	{system.OpMixed, "nine local reads to a write"},
}

// loads are the parts that are callers at work.
func (r *Run) loads() (parts []part) {
	for _, l := range loadTitles {
		cases := r.loadCases(l.op)
		if len(cases) == 0 {
			continue
		}
		can := func(s system.System) bool { _, not := s.Unsupported[l.op]; return !not }
		parts = append(parts, part{string(l.op), l.title, r.options.Rounds,
			r.eachSystem(string(l.op), can, func(ctx context.Context, c *cluster, round int) error {
				return r.loadAll(ctx, c, cases, round)
			})})
	}
	return parts
}

func (r *Run) loadCases(op system.Op) (cases []loadCase) {
	callers := r.options.Callers
	if op == system.OpSetMany {
		callers = []int{batchCallers}
	}
	for _, leader := range []bool{true, false} {
		for _, n := range callers {
			if c := (loadCase{op, leader, n}); r.wanted(c.name()) {
				cases = append(cases, c)
			}
		}
	}
	return cases
}

// loadAll gives a fresh cluster its keys, and then all the cases.
func (r *Run) loadAll(ctx context.Context, c *cluster, cases []loadCase, round int) error {
	leader, err := c.leader(ctx)
	if err != nil {
		return err
	}
	if err := c.fill(ctx, leader, 0, r.options.Keys); err != nil {
		return err
	}
	for _, lc := range cases {
		if err := r.loadOne(ctx, c, lc, round); err != nil {
			return fmt.Errorf("%s: %w", lc.name(), err)
		}
	}
	return nil
}

var errLeaderChanged = errors.New("the leader changed in each of three tries")

// loadOne measures one case, again if the leader has changed meanwhile: then it
// was neither on a leader nor on a follower.
func (r *Run) loadOne(ctx context.Context, c *cluster, lc loadCase, round int) error {
	for range 3 {
		before, err := c.leader(ctx)
		if err != nil {
			return err
		}
		at := before
		if !lc.leader {
			at = (before + 1 + round%(size-1)) % size
		}
		m, err := r.measure(ctx, c, at, lc)
		if err != nil {
			return err
		}
		after, err := c.leader(ctx)
		if err != nil {
			return err
		}
		if after == before {
			r.take(c, lc, m, round)
			return nil
		}
		r.progress("  %s %s: the leader has changed, once more", c.system.Name, lc.name())
	}
	return errLeaderChanged
}

// measured is a load and the processor time it took, in all processes.
type measured struct {
	load.Result
	cpu time.Duration
}

func (r *Run) measure(ctx context.Context, c *cluster, at int, lc loadCase) (m measured, err error) {
	spec := load.Spec{Op: lc.op, Callers: lc.callers, For: r.options.Duration / 4, Keys: r.options.Keys, Batch: batch}
	if _, err := c.load(ctx, at, spec); err != nil { // to warm up
		return m, err
	}
	if err := r.profile(ctx, c, lc.name(), at, true); err != nil {
		return m, err
	}
	before, err := c.usage(ctx, false)
	if err != nil {
		return m, err
	}
	spec.For = r.options.Duration
	if m.Result, err = c.load(ctx, at, spec); err != nil {
		return m, err
	}
	after, err := c.usage(ctx, false)
	if err != nil {
		return m, err
	}
	m.cpu = after.CPU - before.CPU
	return m, r.profile(ctx, c, lc.name(), at, false)
}

// take puts a measurement into the report.
func (r *Run) take(c *cluster, lc loadCase, m measured, round int) {
	name, who := lc.name(), c.system.Name
	if m.Failed > 0 {
		r.note("%s, %s, round %d: %d calls failed, %d entries done; the first: %s", name, who, round+1, m.Failed, m.Ops, m.FirstFail)
	}
	if m.Missed > 0 {
		r.note("%s, %s, round %d: %d reads found nothing", name, who, round+1, m.Missed)
	}
	if m.Ops == 0 || m.Latency.Count == 0 {
		return
	}
	rate := float64(m.Ops) / m.Elapsed.Seconds()
	perOp := float64(m.cpu) / float64(m.Ops)
	r.report.Add(name, who, report.PerSecond, rate)
	r.report.Add(name, who, report.P50, float64(m.Latency.P50))
	r.report.Add(name, who, report.P99, float64(m.Latency.P99))
	r.report.Add(name, who, report.Max, float64(m.Latency.Max))
	r.report.Add(name, who, report.CPUPerOp, perOp)
	r.progress("  %d  %-18s %-13s %9.0f /s   p50 %s, p99 %s, max %s, cpu %s an op", round+1, name, who, rate,
		report.Duration(float64(m.Latency.P50)), report.Duration(float64(m.Latency.P99)), report.Duration(float64(m.Latency.Max)),
		report.Duration(perOp))
}
