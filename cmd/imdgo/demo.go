package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/inelpandzic/imdgo"
)

// size is how many nodes the demo has.
const size = 3

// frame is how often a picture is drawn.
const frame = 30 * time.Millisecond

// demo is one run: a cluster of processes, and what is found out about it.
type demo struct {
	scr     *screen
	command []string // what starts a node
	nodes   []*process
	dead    []bool
	leader  int         // index of the node that leads
	limits  [size]int64 // of each node's memory, in bytes; 0: the default
	former  []*process  // of a cluster that has been ended, for what they logged

	acts    int
	loads   map[string]loaded // what was acknowledged in all acts, by prefix
	claims  claims
	figures figures
}

func newDemo(scr *screen, command []string) *demo {
	return &demo{scr: scr, command: command, dead: make([]bool, size), leader: -1, loads: make(map[string]loaded)}
}

// run plays all acts. What it returns kept an act from being played; a claim
// that proves false does not.
func (d *demo) run(ctx context.Context) error {
	begun := time.Now()
	defer d.scr.end()
	defer d.endNodes()
	for _, act := range []func(context.Context) error{d.form, d.share, d.expire, d.failOver, d.rejoin, d.agree, d.evict} {
		if err := act(ctx); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx) // what came of it says less
			}
			return fmt.Errorf("act %d: %w", d.acts, err)
		}
	}
	d.endNodes()
	d.summary(time.Since(begun))
	return nil
}

func (d *demo) endNodes() {
	for _, p := range d.nodes {
		p.kill()
	}
}

// replace ends the cluster and has the next one begin with nobody: with new
// names, and with so much memory for each node.
func (d *demo) replace(limits [size]int64) {
	d.endNodes()
	d.former = append(d.former, d.nodes...)
	d.nodes, d.dead, d.leader, d.limits = nil, make([]bool, size), -1, limits
}

// title begins an act.
func (d *demo) title(text, explained string) {
	d.acts++
	d.scr.say("")
	d.scr.say(d.scr.paint(strong, fmt.Sprintf("%d  %s", d.acts, text)))
	for line := range strings.SplitSeq(explained, "\n") {
		d.scr.say(d.scr.paint(dim, "   "+line))
	}
}

// claim says something, and whether it is so.
func (d *demo) claim(ok bool, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	d.claims.add(ok, text)
	if ok {
		d.scr.say("   " + d.scr.paint(green, "✓ ") + text)
	} else {
		d.scr.say("   " + d.scr.paint(red, "✗ "+text))
	}
}

// summary is the table of what was measured.
func (d *demo) summary(whole time.Duration) {
	d.scr.say("")
	d.scr.say(d.scr.paint(strong, "What was measured"))
	d.scr.leave(d.figures.table()...)
	d.scr.say("")
	if d.claims.hold() {
		d.scr.say(d.scr.paint(green, fmt.Sprintf("✓ all %d claims hold", d.claims.made)) + fmt.Sprintf(" (%s in all)", short(whole)))
		return
	}
	for _, text := range d.claims.false {
		d.scr.say(d.scr.paint(red, "✗ false: "+text))
	}
}

// nodeLogs shows what the nodes had to say, for whoever looks for the reason.
func (d *demo) nodeLogs(w io.Writer) {
	for _, p := range append(d.former, d.nodes...) {
		if text := p.log.String(); text != "" {
			fmt.Fprintf(w, "\n%s (%s) logged:\n%s\n", p.name, p.addr, text)
		}
	}
}

// alive are the indices of the nodes that have not been killed.
func (d *demo) alive() (list []int) {
	for i := range d.nodes {
		if !d.dead[i] {
			list = append(list, i)
		}
	}
	return list
}

// followers are the indices of those that live and do not lead.
func (d *demo) followers() (list []int) {
	for _, i := range d.alive() {
		if i != d.leader {
			list = append(list, i)
		}
	}
	return list
}

// findLeader waits until all nodes that live name the same leader, and that
// one says that it leads.
func (d *demo) findLeader(ctx context.Context) error {
	const patience, pause = 10 * time.Second, 20 * time.Millisecond
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the nodes do not agree on a leader"))
	defer cancel()
	for {
		leader, agreed := -1, true
		named := ""
		for _, i := range d.alive() {
			s, err := d.nodes[i].stats(ctx)
			if err != nil {
				return err
			}
			agreed = agreed && s.Leader != "" && (named == "" || named == s.Leader)
			named = s.Leader
			if s.Role == imdgo.Leader {
				agreed = agreed && leader < 0 && s.NodeID == s.Leader
				leader = i
			}
		}
		if agreed && leader >= 0 {
			d.leader = leader
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// while does the work, and draws until it is done.
func (d *demo) while(ctx context.Context, draw func(), work ...func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, w := range work {
		group.Go(func() error { return w(ctx) })
	}
	done := make(chan error, 1)
	go func() { done <- group.Wait() }()
	ticker := time.NewTicker(frame)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			draw()
			return err
		case <-ticker.C:
			draw()
		}
	}
}

// cards draws the nodes, with what lines says of each below.
func (d *demo) cards(lines func(i int) []string) []string {
	list := make([]card, len(d.nodes))
	for i := range d.nodes {
		list[i] = d.card(i)
		list[i].lines = lines(i)
	}
	return d.scr.cards(list)
}

// card draws a node's name and role.
func (d *demo) card(i int) card {
	c := card{title: d.nodes[i].name, role: "follower", style: cyan}
	switch {
	case d.dead[i]:
		c.role, c.style = "✝ killed", red
	case d.leader < 0:
		c.role = ""
	case i == d.leader:
		c.role, c.style = "★ leader", yellow
	}
	return c
}
