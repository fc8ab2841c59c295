package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// form starts the processes and waits until they are a cluster.
func (d *demo) form(ctx context.Context) error {
	d.title("Three processes become a cluster",
		"each is given the same three addresses, and finds the others by itself")
	var status lockedLines
	started, ready, err := d.launch(ctx, &status)
	if err != nil {
		return err
	}
	d.scr.leave(d.cards(func(i int) []string {
		return []string{d.nodes[i].addr, fmt.Sprintf("process %d", d.nodes[i].cmd.Process.Pid), status.get(i)}
	})...)
	d.claim(true, "one leader, %s, and all three say so", d.nodes[d.leader].name)
	d.claim(ready < bound, "ready to be written to after %s (%s of it to start the processes), bound %v",
		short(ready), short(started), bound)
	d.figures.single("three processes to a ready cluster", short(ready))
	return nil
}

// launch starts the processes and waits until they are a cluster: how long each
// of the two took, counted from the beginning. What becomes of them is drawn.
func (d *demo) launch(ctx context.Context, status *lockedLines) (started, ready time.Duration, err error) {
	begun := time.Now()
	if err := d.startNodes(ctx); err != nil {
		return 0, 0, err
	}
	started = time.Since(begun)
	work := []func(context.Context) error{}
	for i, p := range d.nodes {
		status.set(i, "starting")
		work = append(work, func(ctx context.Context) error {
			_, err := ask[nothing](ctx, p, opReady, nil)
			if err == nil {
				status.set(i, "ready after "+short(time.Since(begun)))
			}
			return err
		})
	}
	err = d.while(ctx, func() {
		d.scr.draw(d.cards(func(i int) []string { return []string{d.nodes[i].addr, status.get(i)} })...)
	}, work...)
	if err != nil {
		return 0, 0, err
	}
	ready = time.Since(begun)
	return started, ready, d.findLeader(ctx)
}

// bound is how long forming a cluster or failing over may take.
const bound = 10 * time.Second

// startNodes starts the processes. The ports were free a moment before; if
// somebody else has taken one since, others are tried.
func (d *demo) startNodes(ctx context.Context) error {
	var err error
	for range 3 {
		if err = d.tryStart(ctx); err == nil || ctx.Err() != nil {
			return err
		}
		d.endNodes()
	}
	return err
}

func (d *demo) tryStart(ctx context.Context) error {
	d.nodes = nil
	addrs, err := freePorts(size)
	if err != nil {
		return fmt.Errorf("looking for free ports: %w", err)
	}
	work := []func(context.Context) error{}
	for i, addr := range addrs {
		p, err := startProcess(fmt.Sprintf("node %d", len(d.former)+i+1), d.command)
		if err != nil {
			return err
		}
		p.addr = addr
		d.nodes = append(d.nodes, p)
		work = append(work, func(ctx context.Context) error {
			_, err := ask[nothing](ctx, p, opStart, startArgs{addrs, addr, d.limits[i]})
			return err
		})
	}
	return d.while(ctx, func() {}, work...)
}

// lockedLines is a line about each node, which several goroutines set.
type lockedLines struct {
	mu    sync.Mutex // guards lines
	lines [size]string
}

func (l *lockedLines) set(i int, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines[i] = text
}

func (l *lockedLines) get(i int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[i]
}
