package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// What a series of sets is: paced, so that each one meets an idle cluster.
const (
	seriesCount = 300
	seriesEvery = 3 * time.Millisecond
	readsCount  = 500_000
)

// share sets on one node and reads on the others.
func (d *demo) share(ctx context.Context) error {
	d.title("Set on one, read on the others",
		fmt.Sprintf("%d sets on the leader, then on a follower, one every %v;\nthe other two read their own memory until they see each value",
			seriesCount, seriesEvery))
	follower := d.followers()[0]
	var lags []time.Duration
	for _, writer := range []int{d.leader, follower} {
		role := "follower"
		if writer == d.leader {
			role = "leader"
		}
		calls, lag, err := d.series(ctx, writer, role)
		if err != nil {
			return err
		}
		d.figures.spread("Set on the "+role, took(calls))
		lags = append(lags, lag...)
	}
	d.figures.spread("until the others see it", lags)
	d.claim(quantile(lags, 0.5) < 50*time.Millisecond,
		"the others saw it %s after Set returned (p50; p99 %s), bound 50 ms", short(quantile(lags, 0.5)), short(quantile(lags, 0.99)))
	if err := d.readLocally(ctx, d.followers()[1]); err != nil {
		return err
	}
	return d.types(ctx, follower)
}

// series has one node set and the others watch, and returns the sets and how
// long after each return the others saw it.
func (d *demo) series(ctx context.Context, writer int, role string) (calls []span, lags []time.Duration, err error) {
	name := d.nodes[writer].name
	args := seriesArgs{Key: "series of " + name, Count: seriesCount, Every: seriesEvery}
	var mu sync.Mutex // guards calls while they come in, and seen
	seen := make([][]int64, size)
	var watching sync.WaitGroup
	work := []func(context.Context) error{}
	for _, i := range d.alive() {
		if i == writer {
			continue
		}
		watching.Add(1)
		work = append(work, func(ctx context.Context) error {
			begun := sync.OnceFunc(watching.Done)
			defer begun()
			list, err := follow[bool, []int64](ctx, d.nodes[i], opWatch, watchArgs{args.Key, args.Count}, func(bool) { begun() })
			mu.Lock()
			defer mu.Unlock()
			seen[i] = list
			return err
		})
	}
	work = append(work, func(ctx context.Context) error {
		watching.Wait()
		_, err := follow[[]span, nothing](ctx, d.nodes[writer], opSeries, args, func(part []span) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, part...)
		})
		return err
	})
	lines := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return d.seriesLines(name, role, took(calls))
	}
	if err = d.while(ctx, func() { d.scr.draw(lines()...) }, work...); err != nil {
		return nil, nil, err
	}
	d.scr.leave(lines()...)
	return calls, lagsOf(calls, seen), nil
}

// seriesLines are a strip of what sets took, and the quantiles.
func (d *demo) seriesLines(name, role string, all []time.Duration) []string {
	const perBar = 6
	var strip []time.Duration
	for group := range slices.Chunk(all, perBar) {
		strip = append(strip, quantile(group, 0.5))
	}
	bars := fit(narrow.bars(strip), seriesCount/perBar)
	return []string{
		fmt.Sprintf("   Set on %s, the %s", d.scr.paint(bold, name), role) + d.scr.paint(dim, "  "+narrow.legend()),
		"   " + d.scr.paint(cyan, bars) + "  " +
			fmt.Sprintf("p50 %s  p99 %s", d.scr.paint(bold, short(quantile(all, 0.5))), short(quantile(all, 0.99))),
	}
}

// lagsOf is how long after each return every watcher saw the value. A watcher
// may see it first: the writer learns last that a majority has it.
func lagsOf(calls []span, seen [][]int64) (lags []time.Duration) {
	for _, list := range seen {
		for i, at := range list {
			if i < len(calls) {
				lags = append(lags, time.Duration(at-calls[i].End))
			}
		}
	}
	return lags
}

func (d *demo) readLocally(ctx context.Context, node int) error {
	done, err := ask[readsDone](ctx, d.nodes[node], opReads, readsArgs{"series of " + d.nodes[d.leader].name, readsCount})
	if err != nil {
		return err
	}
	each := done.Took / readsCount
	d.claim(done.Hits == readsCount, "%d thousand reads on %s took %s each, and never left the process",
		readsCount/1000, d.nodes[node].name, short(each))
	d.figures.single("Get on a follower", short(each))
	return nil
}

// types sets values of several types on one node and compares them on the others.
func (d *demo) types(ctx context.Context, writer int) error {
	if _, err := ask[nothing](ctx, d.nodes[writer], opOffer, nil); err != nil {
		return err
	}
	var names, wrong []string
	for _, i := range d.alive() {
		if i == writer {
			continue
		}
		list, err := ask[[]compared](ctx, d.nodes[i], opCompare, nil)
		if err != nil {
			return err
		}
		names = nil
		for _, c := range list {
			names = append(names, c.Type)
			if !c.Same {
				wrong = append(wrong, fmt.Sprintf("%s on %s: %s", c.Type, d.nodes[i].name, c.Got))
			}
		}
	}
	d.claim(len(wrong) == 0 && len(names) == len(offers)+1, "values of %d types, set on a follower, are the same on the others%s",
		len(names), strings.Join(append([]string{""}, wrong...), "; not so "))
	d.scr.say("     " + d.scr.paint(dim, strings.Join(names, ", ")))
	return nil
}
