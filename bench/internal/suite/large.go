package suite

import (
	"context"
	"fmt"
	"time"

	"github.com/inelpandzic/imdgo/bench/internal/load"
	"github.com/inelpandzic/imdgo/bench/internal/report"
	"github.com/inelpandzic/imdgo/bench/internal/system"
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

// largeLeast is long enough for collections of a large heap to be felt.
const largeLeast = 4 * time.Second

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
		spec.For = max(2*spec.For, largeLeast)
		if err := r.profile(ctx, c, caseLarge(keys), leader, true); err != nil {
			return err
		}
		result, err := c.load(ctx, leader, spec)
		if err != nil {
			return err
		}
		if err := r.profile(ctx, c, caseLarge(keys), leader, false); err != nil {
			return err
		}
		rate := float64(result.Ops) / result.Elapsed.Seconds()
		r.report.Add(caseLarge(keys), c.system.Name, report.PerSecond, rate)
		r.report.Add(caseLarge(keys), c.system.Name, report.Max, float64(result.Latency.Max))
		r.progress("  %d  %-13s %d entries: %9.0f /s, max %s", round+1, c.system.Name, keys, rate, report.Duration(float64(result.Latency.Max)))
	}
	return nil
}
