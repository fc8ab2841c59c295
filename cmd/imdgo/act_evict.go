package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// scarce is the smallest of the budgets, which rules, and ample the others'.
	scarce = 16 << 20
	ample  = 24 << 20
	// What is written past it are values of this size, by so many writers on each node.
	floodSize    = 1000
	floodWriters = 16
	// watched is how many keys are hot, and how many cold.
	watched = 32
	// Values that may not be evicted come in steps of half a megabyte.
	cramSize  = 64 << 10
	cramBatch = 8
)

// evict writes far more than there is room for, while one node reads a few keys.
func (d *demo) evict(ctx context.Context) error {
	d.title("Written far past the memory budget",
		fmt.Sprintf("three other processes: two give the cache %d MiB, one %d. All write keys that\nnobody ever reads, and a follower keeps reading %d of the oldest. What stays\nfree below the line is for Raft's log", ample>>20, scarce>>20, watched))
	d.replace([size]int64{ample, scarce, ample})
	if _, _, err := d.launch(ctx, new(lockedLines)); err != nil {
		return err
	}
	if err := d.judgeRule(ctx); err != nil {
		return err
	}
	f := &flooding{reader: d.followers()[1], leader: d.leader}
	if err := d.exceed(ctx, f); err != nil {
		return err
	}
	return d.agreeAtRest(ctx, "after all that")
}

// judgeRule claims that the smallest budget is everybody's, once the nodes have
// told each other.
func (d *demo) judgeRule(ctx context.Context) error {
	const patience = 5 * time.Second
	smallest := slices.Index(d.limits[:], slices.Min(d.limits[:]))
	for begun := time.Now(); ; {
		ruled, largest := 0, int64(0)
		owner, err := d.nodes[smallest].stats(ctx)
		if err != nil {
			return err
		}
		for _, p := range d.nodes {
			s, err := p.stats(ctx)
			if err != nil {
				return err
			}
			if s.BudgetOf == owner.NodeID && s.BudgetBytes <= d.limits[smallest] {
				ruled++
			}
			largest = max(largest, s.BudgetBytes)
		}
		if ruled == size || time.Since(begun) > patience {
			d.claim(ruled == size, "the smallest budget rules, that of %s, on %d of %d nodes: %s", d.nodes[smallest].name, ruled, size, mebibytes(largest))
			return nil
		}
		if err := pause(ctx, frame); err != nil {
			return err
		}
	}
}

// exceed plays what the act is about, with an eye on every node all the while.
func (d *demo) exceed(ctx context.Context, f *flooding) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watch, ctx := errgroup.WithContext(ctx)
	for i, p := range d.nodes {
		watch.Go(func() error { return f.observe(ctx, i, p) })
	}
	err := d.overfill(ctx, f)
	for _, p := range d.nodes {
		if err == nil {
			err = halt(ctx, p)
		}
	}
	if err != nil {
		stop()
		_ = watch.Wait() // err has it already: it ended them, or is what ended them
		return err
	}
	if err := watch.Wait(); err != nil {
		return err
	}
	d.judgeBudget(f)
	return nil
}

// overfill writes past the budget, and then what may not be evicted.
func (d *demo) overfill(ctx context.Context, f *flooding) error {
	if _, err := ask[nothing](ctx, d.nodes[d.leader], opPlant, plantArgs{watched, floodSize}); err != nil {
		return err
	}
	work := []func(context.Context) error{}
	for i, p := range d.nodes {
		work = append(work, func(ctx context.Context) error { return f.write(ctx, i, p) })
	}
	draw := func() { d.scr.draw(d.floodLines(f)...) }
	if err := d.while(ctx, draw, work...); err != nil {
		return err
	}
	if err := d.while(ctx, draw, func(ctx context.Context) error { return f.bulk(ctx, d.nodes[d.leader]) }); err != nil {
		return err
	}
	if err := f.settle(ctx); err != nil {
		return err
	}
	d.scr.leave(d.floodLines(f)...)
	d.judgeEvictions(f)
	d.judgeFlood(f)
	return d.cram(ctx)
}

// judgeEvictions claims that what had to go was evicted, alike everywhere, and
// that it was not what is read.
func (d *demo) judgeEvictions(f *flooding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.done {
		for _, e := range l.Errors {
			d.scr.say("     " + d.scr.paint(dim, e))
		}
	}
	one, written, unknown := f.fullest(), f.written(), tally(f.done).unknown
	payload := float64(written-cargoBatch) * (cargoKeySize + floodSize) // without what came in bulk: that is small
	d.claim(f.balanced() && one.Evicted > 0, "%s keys written%s, %.1f times the budget: %s evicted, %s left",
		thousands(written), orSo(unknown), payload/float64(one.Budget), thousands(one.Evicted), thousands(one.Entries))
	hot, cold := watched, 0
	for _, o := range f.nodes {
		hot, cold = min(hot, count(o.Hot)), max(cold, count(o.Cold))
	}
	// Not all of them: what a leader is told of reads elsewhere is lossy.
	d.claim(hot*10 >= watched*9 && cold*10 <= watched, "left on all three: %d of %d keys that only %s reads, %d of %d that nobody does",
		hot, watched, d.nodes[f.reader].name, cold, watched)
	d.figures.single(fmt.Sprintf("%s keys written, evicted", thousands(written)), thousands(one.Evicted))
}

// judgeFlood claims that evicting holds nobody up.
func (d *demo) judgeFlood(f *flooding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before, during := parted(f.all(), f.fullest().Since)
	times := took(during)
	d.claim(len(during) > 0 && quantile(times, 1) < slowest, "%s writes a second while evicting (%s before): p50 %s, slowest %s, bound %v",
		thousands(rate(during)), thousands(rate(before)), short(quantile(times, 0.5)), short(quantile(times, 1)), slowest)
	d.figures.spread(fmt.Sprintf("writes while evicting (%s/s)", thousands(rate(during))), times)
}

// cram fills the budget with what may not be evicted and claims that this ends
// with an error.
func (d *demo) cram(ctx context.Context) error {
	node := d.nodes[d.followers()[0]]
	c, err := ask[crammed](ctx, node, opCram, cramArgs{cramBatch, cramSize, ample / cramSize})
	if err != nil {
		return err
	}
	outcome := "ErrFull"
	if !c.Full {
		outcome = fmt.Sprintf("%q", c.Refusal)
	}
	d.claim(c.Full && c.Partly == 0 && c.Held == c.Stored && c.Stored > 0,
		"a map with NoEviction took %d values of %d KiB, then %s: %d of the next %d are there",
		c.Held, cramSize>>10, outcome, c.Partly, cramBatch)
	return nil
}

// judgeBudget claims that there was never more than there may be.
func (d *demo) judgeBudget(f *flooding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	samples, over, peak := 0, 0, int64(0)
	for _, o := range f.nodes {
		samples, over, peak = samples+o.Samples, over+o.Over, max(peak, o.Peak)
	}
	d.claim(samples > 0 && over == 0, "all the while, %d of %s samples were over the budget: %s of %s at most", over, thousands(samples),
		mebibytes(peak), mebibytes(f.nodes[f.reader].Budget))
}
