package suite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/inelpandzic/imdgo/bench/internal/node"
	"github.com/inelpandzic/imdgo/bench/internal/process"
	"github.com/inelpandzic/imdgo/bench/internal/report"
)

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
	const before, after = time.Second, 12 * time.Second // JetStream takes up to ten
	if err := sleep(ctx, before); err != nil {
		return 0, err
	}
	killed := time.Now().UnixNano()
	c.at(leader).Kill()
	return killed, sleep(ctx, after)
}

// takeover is how long after the kill the writes went on: when the longest pause
// between two acknowledgements ended. What was acknowledged right after the kill
// had been committed before it. The ends are when writes were acknowledged.
func takeover(ends []int64, killed int64) (time.Duration, error) {
	ends = slices.Sorted(slices.Values(ends))
	i, _ := slices.BinarySearch(ends, killed)
	if i == 0 {
		return 0, errors.New("no write was acknowledged before the kill")
	}
	if i == len(ends) {
		return 0, errors.New("no write was acknowledged after the kill")
	}
	last, longest, resumed := killed, int64(-1), int64(0)
	for _, end := range ends[i:] {
		if end-last > longest {
			longest, resumed = end-last, end
		}
		last = end
	}
	return time.Duration(resumed - killed), nil
}
