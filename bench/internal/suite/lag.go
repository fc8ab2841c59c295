package suite

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/inelpandzic/imdgo/bench/internal/node"
	"github.com/inelpandzic/imdgo/bench/internal/process"
	"github.com/inelpandzic/imdgo/bench/internal/report"
)

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

// quantile is the value that a share of them is not above.
func quantile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}
