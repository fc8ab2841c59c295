package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A hash takes milliseconds, and more where three nodes share two processors:
// the writes are far enough apart for each node to hash each state.
const (
	agreeCount = 40
	agreeEvery = 40 * time.Millisecond
	agreeLook  = 2 * time.Millisecond
)

// agree compares the state hashes of all nodes while they are written to.
func (d *demo) agree(ctx context.Context) error {
	d.title("All three hold the same state",
		fmt.Sprintf("%d more writes, while all hash all they hold:\nentries, versions, deadlines, request ids, the cluster's clock", agreeCount))
	samples := make([][]sample, size)
	writer := d.followers()[0]
	work := []func(context.Context) error{func(ctx context.Context) error {
		args := seriesArgs{Key: "while hashing", Count: agreeCount, Every: agreeEvery}
		_, err := follow[[]span, nothing](ctx, d.nodes[writer], opSeries, args, func([]span) {})
		return err
	}}
	args := sampleArgs{For: agreeCount*agreeEvery + 200*time.Millisecond, Every: agreeLook}
	for i, p := range d.nodes {
		work = append(work, func(ctx context.Context) (err error) {
			samples[i], err = ask[[]sample](ctx, p, opSample, args)
			return err
		})
	}
	if err := d.while(ctx, func() { d.scr.draw("   " + d.scr.paint(dim, "hashing")) }, work...); err != nil {
		return err
	}
	common, whole, differ := agreement(samples...)
	d.claim(whole > 0 && differ == 0, "equal state hashes at all %d log indices that several hashed, %d of them all three%s",
		common, whole, butNot(differ))
	return d.agreeAtRest(ctx, "at rest")
}

func butNot(differ int) string {
	if differ == 0 {
		return ""
	}
	return fmt.Sprintf(": not at %d", differ)
}

// agreeAtRest compares the last state of all, when nothing is written any more.
func (d *demo) agreeAtRest(ctx context.Context, when string) error {
	const patience = 5 * time.Second
	for begun := time.Now(); ; {
		last, err := d.lastStates(ctx)
		if err != nil {
			return err
		}
		if same := sameIndex(last); same || time.Since(begun) > patience {
			_, whole, differ := agreement(last...)
			d.claim(same && whole == 1 && differ == 0, "%s, %s", when, d.statesInWords(last))
			return nil
		}
		if err := pause(ctx, frame); err != nil {
			return err
		}
	}
}

// lastStates asks each node for a sample of this moment.
func (d *demo) lastStates(ctx context.Context) (last [][]sample, err error) {
	for _, p := range d.nodes {
		list, err := ask[[]sample](ctx, p, opSample, sampleArgs{})
		if err != nil {
			return nil, err
		}
		last = append(last, list[len(list)-1:])
	}
	return last, nil
}

func sameIndex(last [][]sample) bool {
	return !slices.ContainsFunc(last, func(list []sample) bool { return list[0].Index != last[0][0].Index })
}

func (d *demo) statesInWords(last [][]sample) string {
	first := last[0][0]
	if !slices.ContainsFunc(last, func(list []sample) bool { return list[0] != first }) {
		return fmt.Sprintf("on all three: %016x at index %d", first.Hash, first.Index)
	}
	var parts []string
	for i, list := range last {
		parts = append(parts, fmt.Sprintf("%s: %016x at index %d", d.nodes[i].name, list[0].Hash, list[0].Index))
	}
	return strings.Join(parts, ", ")
}
