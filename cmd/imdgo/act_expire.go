package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// ttl is how long the entry lives that is watched.
	ttl = 1500 * time.Millisecond
	// epsilon is how long after its deadline an entry may still be returned,
	// and uncounted how long it may count in Len.
	epsilon   = 50 * time.Millisecond
	uncounted = 1500 * time.Millisecond
)

// expire sets an entry with a TTL and watches how it goes, everywhere.
func (d *demo) expire(ctx context.Context) error {
	writer := d.followers()[0]
	d.title("An entry expires on all nodes at the same moment",
		fmt.Sprintf("set on %s with a TTL of %v; each node is asked for it again and again,\nevery 0.2 ms when the deadline is near", d.nodes[writer].name, ttl))
	const key = "session-42"
	var mu sync.Mutex // guards now
	var now [size]held
	var ends [size]expired
	var set span
	work := []func(context.Context) error{func(ctx context.Context) (err error) {
		set, err = ask[span](ctx, d.nodes[writer], opExpire, expireArgs{key, ttl})
		return err
	}}
	for i, p := range d.nodes {
		work = append(work, func(ctx context.Context) (err error) {
			ends[i], err = follow[held, expired](ctx, p, opHolds, holdsArgs{key}, func(h held) {
				mu.Lock()
				defer mu.Unlock()
				now[i] = h
			})
			return err
		})
	}
	err := d.while(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		d.scr.draw(d.cards(func(i int) []string { return heldLines(key, now[i]) })...)
	}, work...)
	if err != nil {
		return err
	}
	d.scr.leave(d.cards(func(i int) []string {
		return []string{key, "missed at " + signed(time.Duration(ends[i].FirstMissing-set.Start)-ttl), "Len 0 at " + signed(time.Duration(ends[i].FirstUncounted-set.Start)-ttl)}
	})...)
	d.scr.say("   " + d.scr.paint(dim, "relative to the deadline, which is when Set was called plus the TTL"))
	d.judgeExpiry(set, ends)
	return nil
}

// heldLines draws the entry as one node sees it.
func heldLines(key string, h held) []string {
	if !h.Alive {
		if h.Len > 0 {
			return []string{key, "missed", "still in memory"}
		}
		return []string{key, "not there", ""}
	}
	return []string{key, gauge(float64(h.Remaining)/float64(ttl), 12) + " " + fmt.Sprintf("%4.2f s", h.Remaining.Seconds()), "holds it"}
}

// judgeExpiry claims what holds. The deadline lies between the TTL after Set
// was called and the TTL after it returned.
func (d *demo) judgeExpiry(set span, ends [size]expired) {
	earliest, latest := set.Start+int64(ttl), set.End+int64(ttl)
	first, last, lastAlive, lastCounted, gone := ends[0].FirstMissing, int64(0), int64(0), int64(0), int64(0)
	for _, e := range ends {
		first, last = min(first, e.FirstMissing), max(last, e.FirstMissing)
		lastAlive, lastCounted = max(lastAlive, e.LastAlive), max(lastCounted, e.LastCounted)
		gone = max(gone, e.FirstUncounted)
	}
	d.claim(first >= earliest, "no node missed it early: the first at %s", signed(time.Duration(first-earliest)))
	d.claim(lastAlive <= latest+int64(epsilon), "no node returned it late: last seen at %s, bound +%v",
		signed(time.Duration(lastAlive-latest)), epsilon)
	d.claim(lastCounted <= latest+int64(uncounted), "it has left Len everywhere: last counted at %s, bound +%v",
		signed(time.Duration(lastCounted-latest)), uncounted)
	d.figures.single("expiry, from first node to last", short(time.Duration(last-first)))
	d.figures.single("missed after its deadline, at most", short(time.Duration(last-earliest)))
	d.figures.single("out of memory after its deadline", short(time.Duration(gone-earliest)))
}
