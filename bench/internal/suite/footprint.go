package suite

import (
	"context"
	"time"

	"github.com/inelpandzic/imdgo/bench/internal/report"
)

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
	if err := r.profile(ctx, c, CaseIdle, leader, true); err != nil {
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
	if err := r.profile(ctx, c, CaseIdle, leader, false); err != nil {
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
