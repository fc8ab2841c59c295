package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/inelpandzic/imdgo"
)

const (
	beforeReturn = 700 * time.Millisecond
	afterReturn  = 900 * time.Millisecond
	// slowest is how long a write may take while a node is filled, and the
	// first one of that node itself. It is less than any election takes, so a
	// return that costs the cluster its leader is noticed.
	slowest = 1500 * time.Millisecond
)

// rejoin starts the killed node again while the others are being written to.
func (d *demo) rejoin(ctx context.Context) error {
	b := &comeback{victim: d.victim()}
	name := d.nodes[b.victim].name
	survivors := d.alive()
	d.title("The killed node comes back",
		fmt.Sprintf("another %s entries are set; then %s is started again at its address,\nknowing nothing, while the others are being written to as before", thousands(missedCount), name))
	if _, err := follow[int, span](ctx, d.nodes[d.leader], opFill, cargoArgs{missedName, missedCount}, func(int) {}); err != nil {
		return err
	}
	versions, err := d.countWrites(ctx, "return", func() error { return d.returning(ctx, b, survivors) })
	if err != nil {
		return err
	}
	if err := d.findLeader(ctx); err != nil {
		return err
	}
	if err := d.countEntries(ctx, b, d.alive()); err != nil {
		return err
	}
	d.scr.leave(d.returnLines(b, survivors, b.writes.last(d.alive()))...)
	d.scr.say("   " + d.scr.paint(dim, b.story(name)))
	d.judgeReturn(b, survivors)
	return d.judgeWrites(ctx, &b.writes, d.alive(), versions)
}

// victim is the node that was killed.
func (d *demo) victim() int {
	for i, dead := range d.dead {
		if dead {
			return i
		}
	}
	panic("nobody was killed")
}

// returning plays the act: all that goes on at the same time.
func (d *demo) returning(ctx context.Context, b *comeback, survivors []int) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	work := []func(context.Context) error{
		func(ctx context.Context) error {
			defer stop()
			return d.director(ctx, b, survivors)
		},
		func(ctx context.Context) error { return d.watchEntries(ctx, watching.Done(), b, survivors) },
	}
	for _, i := range survivors {
		work = append(work, func(ctx context.Context) error { return b.writes.write(ctx, i, d.nodes[i], returned) })
	}
	err := d.while(ctx, func() { d.drawReturn(b, survivors) }, work...)
	if b.process != nil { // also after an error: somebody has to end it
		d.nodes[b.victim], d.dead[b.victim] = b.process, false
	}
	return err
}

// returned is what the keys of this act's load begin with, after the node's name.
const returned = " on return"

// director brings the node back, has it write, and ends it all.
func (d *demo) director(ctx context.Context, b *comeback, survivors []int) error {
	if err := pause(ctx, beforeReturn); err != nil {
		return err
	}
	p, err := d.revive(ctx, b)
	if err != nil {
		return err
	}
	if err := b.look(ctx, p); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	b.set(func() { b.asked = time.Now().UnixNano() })
	group.Go(func() error { return b.writes.write(ctx, b.victim, p, returned) })
	group.Go(func() error {
		if err := pause(ctx, afterReturn); err != nil {
			return err
		}
		if err := halt(ctx, p); err != nil {
			return err
		}
		for _, i := range survivors {
			if err := halt(ctx, d.nodes[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

// revive starts the node at the address that it had, and waits until it is ready.
func (d *demo) revive(ctx context.Context, b *comeback) (*process, error) {
	stats, err := d.nodes[d.leader].stats(ctx)
	if err != nil {
		return nil, err
	}
	former, members := d.nodes[b.victim], []string{}
	for _, p := range d.nodes {
		members = append(members, p.addr)
	}
	begun := time.Now().UnixNano()
	p, err := startProcess(former.name, d.command)
	if err != nil {
		return nil, err
	}
	p.addr = former.addr
	b.set(func() {
		b.process, b.begun, b.state, b.log = p, begun, stats.AccountedBytes, stats.LogBytes
		b.stages = []stage{{imdgo.Joining, begun}}
	})
	if err := startAgain(ctx, p, startArgs{Members: members, Bind: p.addr}); err != nil {
		return nil, err
	}
	return p, b.follow(ctx, p)
}

// startAgain starts a node at an address that was in use. A connection that
// one of the others was just dialing may still hold the port for a moment.
func startAgain(ctx context.Context, p *process, args startArgs) error {
	const patience = 3 * time.Second
	for begun := time.Now(); ; {
		_, err := ask[nothing](ctx, p, opStart, args)
		if err == nil || ctx.Err() != nil || time.Since(begun) > patience {
			return err
		}
		if err := pause(ctx, frame); err != nil {
			return err
		}
	}
}

// watchEntries keeps an eye on what the nodes hold until it is told to stop.
func (d *demo) watchEntries(ctx context.Context, stop <-chan struct{}, b *comeback, nodes []int) error {
	for {
		if err := d.countEntries(ctx, b, nodes); err != nil {
			return err
		}
		if p := b.back(); p != nil {
			if err := b.note(ctx, p); err != nil {
				return err
			}
		}
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(frame):
		}
	}
}

func (d *demo) countEntries(ctx context.Context, b *comeback, nodes []int) error {
	for _, i := range nodes {
		s, err := d.nodes[i].stats(ctx)
		if err != nil {
			return err
		}
		b.set(func() { b.entries[i] = s.Entries })
	}
	return nil
}

// meanwhile are how long the writes took that were under way between two moments.
func meanwhile(calls []span, from, to int64) (list []time.Duration) {
	for _, c := range calls {
		if c.End >= from && c.Start <= to {
			list = append(list, c.took())
		}
	}
	return list
}

// judgeReturn claims that the node came back whole, and that the others did not
// mind.
func (d *demo) judgeReturn(b *comeback, survivors []int) {
	name, took := d.nodes[b.victim].name, time.Duration(b.ready-b.begun)
	writes := meanwhile(b.writes.all(survivors), b.begun, b.ready)
	own := b.writes.calls[b.victim]
	d.claim(took < bound, "%s was ready %s after its process was started, bound %v", name, short(took), bound)
	d.claim(b.log < b.state, "it was sent the state: %s, and the leader's log held only %s", megabytes(b.state), megabytes(b.log))
	d.claim(b.old == cargoCount && b.missed == missedCount,
		"it had %s of %s entries from before its death, %s of %s from after", thousands(b.old), thousands(cargoCount), thousands(b.missed), thousands(missedCount))
	d.claim(len(writes) > 0 && quantile(writes, 1) < slowest,
		"the others were writing all the while: %d writes, p50 %s, the slowest %s, bound %v",
		len(writes), short(quantile(writes, 0.5)), short(quantile(writes, 1)), slowest)
	first := bound
	if len(own) > 0 {
		first = time.Duration(own[0].End - b.asked)
	}
	d.claim(first < slowest, "asked to write itself, it did so within %s, bound %v", short(first), slowest)
	d.figures.single("restart to ready, state "+megabytes(b.state), short(took))
	d.figures.spread(fmt.Sprintf("writes on the others meanwhile (%d)", len(writes)), writes)
	d.figures.single("its own first write", short(first))
}
