package main

import (
	"strings"
	"time"

	"github.com/inelpandzic/imdgo"
)

func (d *demo) drawReturn(b *comeback, survivors []int) {
	now := time.Now()
	lines := d.returnLines(b, survivors, now.Add(-reportLate).UnixNano())
	b.mu.Lock()
	defer b.mu.Unlock()
	state := "writing, without " + d.nodes[b.victim].name
	switch {
	case b.ready != 0:
		state = "all three are writing"
	case b.begun != 0:
		state = "catching up: " + short(time.Duration(now.UnixNano()-b.begun))
	}
	d.scr.draw(append(lines, "   "+d.scr.paint(dim, state))...)
}

// returnLines draw the nodes, and the writes of all over time.
func (d *demo) returnLines(b *comeback, survivors []int, now int64) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := &b.writes
	t.mu.Lock()
	defer t.mu.Unlock()
	var moments []moment
	if b.begun != 0 {
		moments = append(moments, moment{b.begun, "started", true})
	}
	if b.ready != 0 {
		moments = append(moments, moment{at: b.ready, label: "ready"})
	}
	s := b.window(survivors, now)
	row := func(i int) string {
		if i == b.victim {
			return d.lifeline(b, s)
		}
		return d.gaps(countBars(s.ends(t.calls[i])))
	}
	return append(d.returnCards(b), d.stripLines(t, s, survivors, now, moments, row)...)
}

// window is the stretch of time that is drawn: around the return, as soon as
// there is one. The caller holds both locks.
func (b *comeback) window(survivors []int, now int64) strip {
	const lead, trail, bin = int64(300 * time.Millisecond), int64(700 * time.Millisecond), 20 * time.Millisecond
	from := now
	if b.begun != 0 {
		from = b.begun
	}
	if b.ready != 0 {
		now = min(now, b.ready+trail)
	}
	return newStrip(max(from-lead, b.writes.first(survivors, now)), now, bin)
}

// returnCards draw the nodes with what they hold, one of them coming to life.
func (d *demo) returnCards(b *comeback) []string {
	most := 1
	for _, n := range b.entries {
		most = max(most, n)
	}
	list := make([]card, len(d.nodes))
	for i := range d.nodes {
		list[i] = d.card(i)
		list[i].lines = []string{gauge(float64(b.entries[i])/float64(most), cardWidth-1), thousands(b.entries[i]) + " entries"}
	}
	if b.begun != 0 {
		last := b.stages[len(b.stages)-1].role
		list[b.victim].role, list[b.victim].style = mark(last)+" "+last.String(), yellow
	}
	if b.ready != 0 {
		list[b.victim].role, list[b.victim].style = b.stages[len(b.stages)-1].role.String(), green
		list[b.victim].lines = append(list[b.victim].lines, "ready after "+short(time.Duration(b.ready-b.begun)))
	}
	return d.scr.cards(list)
}

// mark is a role in the strip of the node that comes back.
func mark(role imdgo.Role) string {
	switch role {
	case imdgo.Joining:
		return "░"
	case imdgo.NonVoter:
		return "▒"
	}
	return "▓"
}

// lifeline draws the node that comes back: dead, then what it is, then its own
// writes. The caller holds both locks.
func (d *demo) lifeline(b *comeback, s strip) string {
	var line strings.Builder
	alone := s.bins // columns before it could write
	if b.ready != 0 {
		alone = min(s.index(b.ready)+1, s.bins)
	}
	for i := range alone {
		what, st := string(nothingHappened), red
		for _, g := range b.stages {
			if i >= s.index(g.at) {
				what, st = mark(g.role), yellow
			}
		}
		line.WriteString(d.scr.paint(st, what))
	}
	writes := countBars(s.ends(b.writes.calls[b.victim])[alone:])
	return line.String() + d.gaps(writes)
}

// story tells the stages in words.
func (b *comeback) story(name string) string {
	parts := []string{mark(b.stages[0].role) + " " + b.stages[0].role.String()}
	for _, g := range b.stages[1:] {
		parts = append(parts, mark(g.role)+" "+g.role.String()+" "+signed(time.Duration(g.at-b.begun)))
	}
	return name + ": " + strings.Join(append(parts, "ready "+signed(time.Duration(b.ready-b.begun))), ", ")
}
