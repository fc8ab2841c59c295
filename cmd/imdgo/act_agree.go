package main

import (
	"context"
	"fmt"
	"time"
)

const (
	agreeCount = 150
	agreeEvery = 4 * time.Millisecond
)

// agree compares the state hashes of the survivors while they are written to.
func (d *demo) agree(ctx context.Context) error {
	survivors := d.alive()
	d.title("The survivors hold the same state",
		fmt.Sprintf("%d more writes, while both hash all they hold:\nentries, versions, deadlines, request ids, the cluster's clock", agreeCount))
	samples := make([][]sample, size)
	writer := d.followers()[0]
	work := []func(context.Context) error{func(ctx context.Context) error {
		args := seriesArgs{Key: "while hashing", Count: agreeCount, Every: agreeEvery}
		_, err := follow[[]span, nothing](ctx, d.nodes[writer], opSeries, args, func([]span) {})
		return err
	}}
	args := sampleArgs{For: agreeCount*agreeEvery + 300*time.Millisecond, Every: time.Millisecond}
	for _, i := range survivors {
		work = append(work, func(ctx context.Context) (err error) {
			samples[i], err = ask[[]sample](ctx, d.nodes[i], opSample, args)
			return err
		})
	}
	if err := d.while(ctx, func() { d.scr.draw("   " + d.scr.paint(dim, "hashing")) }, work...); err != nil {
		return err
	}
	common, differ := agreement(samples[survivors[0]], samples[survivors[1]])
	d.claim(common > 0 && differ == 0, "equal state hashes at all %d log indices that both hashed%s", common, butNot(differ))
	return d.agreeAtRest(ctx, survivors)
}

func butNot(differ int) string {
	if differ == 0 {
		return ""
	}
	return fmt.Sprintf(": not at %d", differ)
}

// agreeAtRest compares the last state of all, when nothing is written any more.
func (d *demo) agreeAtRest(ctx context.Context, survivors []int) error {
	const patience = 5 * time.Second
	for begun := time.Now(); ; {
		last := make([]sample, 0, size)
		for _, i := range survivors {
			list, err := ask[[]sample](ctx, d.nodes[i], opSample, sampleArgs{})
			if err != nil {
				return err
			}
			last = append(last, list[len(list)-1])
		}
		if same := last[0].Index == last[1].Index; same || time.Since(begun) > patience {
			d.claim(same && last[0].Hash == last[1].Hash, "at rest: %s %016x at index %d, %s %016x at index %d", d.nodes[survivors[0]].name, last[0].Hash,
				last[0].Index, d.nodes[survivors[1]].name, last[1].Hash, last[1].Index)
			return nil
		}
		if err := pause(ctx, frame); err != nil {
			return err
		}
	}
}
