package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// levelWidth is how many characters the largest budget takes.
const levelWidth = 42

// floodLines draw what the nodes are accounted for, what became of the keys, and
// the writes over time.
func (d *demo) floodLines(f *flooding) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.fullest()
	lines := d.levels(f)
	lines = append(lines, "",
		"   "+fit("written", 9)+" "+fmt.Sprintf("%-9s evicted %s  there %s", thousands(max(2*watched+len(f.all()), f.written())),
			d.scr.paint(bold, fmt.Sprintf("%-9s", thousands(one.Evicted))), thousands(one.Entries)),
		d.dots("read", f.nodes[f.reader].Hot, green, "on "+d.nodes[f.reader].name+" alone"),
		d.dots("unread", f.nodes[f.reader].Cold, dim, "written with them"),
		"")
	return append(lines, d.floodStrips(f)...)
}

// levels draw a bar for each node, as long as what its own budget would allow,
// and the line that it must not cross. The caller holds f.mu.
func (d *demo) levels(f *flooding) []string {
	most := slices.Max(d.limits[:])
	columns := func(bytes int64) float64 { return float64(bytes) / float64(most) * levelWidth }
	line := int(columns(f.nodes[f.reader].Budget))
	lines := []string{"   memory    " + strings.Repeat(" ", line) + d.scr.paint(yellow, "↓ the budget, "+mebibytes(f.nodes[f.reader].Budget))}
	for i, o := range f.nodes {
		bar := level(columns(o.Accounted), line)
		spare := max(int(columns(d.limits[i]))-line-1, 0)
		lines = append(lines, "   "+fit(d.nodes[i].name+d.star(i), 9)+" "+d.scr.paint(cyan, bar)+d.scr.paint(yellow, "┃")+
			d.scr.paint(dim, fit(strings.Repeat("╌", spare), levelWidth-line))+
			fmt.Sprintf(" %s of its %d", mebibytes(o.Accounted), d.limits[i]>>20))
	}
	return lines
}

// parts are eighths of a full column, from none on.
var parts = []rune(" ▏▎▍▌▋▊▉")

// level draws a bar of so many columns in a field of the given width, rounded
// down: what is not full does not look it. What is beyond the field is drawn too.
func level(columns float64, width int) string {
	whole := max(int(columns), 0)
	bar := strings.Repeat("█", whole)
	if eighth := int((columns - float64(whole)) * float64(len(parts))); eighth > 0 {
		bar += string(parts[eighth])
	}
	return bar + strings.Repeat(" ", max(width-len([]rune(bar)), 0))
}

// dots draw which of the watched keys are there.
func (d *demo) dots(what string, there []bool, st style, comment string) string {
	var b strings.Builder
	for i := range watched {
		if i < len(there) && there[i] {
			b.WriteString(d.scr.paint(st, "●"))
		} else {
			b.WriteString(d.scr.paint(red, "·"))
		}
	}
	return "   " + fit(what, 9) + " " + b.String() + fmt.Sprintf("  %2d of %d %s", count(there), watched, comment)
}

// floodStrips draw writes and evictions over time. The caller holds f.mu.
func (d *demo) floodStrips(f *flooding) []string {
	calls, now := f.all(), time.Now().Add(-reportLate).UnixNano()
	first := now
	last := int64(0)
	for _, c := range calls {
		first, last = min(first, c.Start), max(last, c.End)
	}
	if len(f.done) >= size*len(tides) {
		now = last
	}
	s := newStrip(first, now, 50*time.Millisecond)
	var moments []moment
	if since := f.nodes[f.leader].Since; since != 0 {
		moments = append(moments, moment{at: since, label: "full, evicting"})
	}
	row := func(what, bars string) string { return "   " + fit(what, 9) + " " + bars }
	return []string{
		row("", d.scr.paint(yellow, s.pointer(moments...))),
		row("writes", d.gaps(countBars(s.ends(calls)))),
		row("evictions", d.scr.paint(cyan, countBars(evictions(s, f.course)))),
		row("slowest", d.scr.paint(yellow, wide.bars(s.longest(calls)))),
		row("", d.scr.paint(dim, fmt.Sprintf("%v a column; slowest %s", s.bin, wide.legend()))),
	}
}

// evictions are how many there were in each bin, of what was reported now and
// then: between two reports they are taken to be even.
func evictions(s strip, course []observed) []int {
	counts := make([]int, s.bins)
	for i := range counts {
		from := s.from + int64(i)*int64(s.bin)
		counts[i] = evictedBy(course, from+int64(s.bin)) - evictedBy(course, from)
	}
	return counts
}

// evictedBy is how many had been evicted at a moment.
func evictedBy(course []observed, at int64) int {
	i, _ := slices.BinarySearchFunc(course, at, func(o observed, at int64) int { return cmp.Compare(o.At, at) })
	switch {
	case len(course) == 0 || i == 0:
		return 0
	case i == len(course):
		return course[i-1].Evicted
	}
	a, b := course[i-1], course[i]
	return a.Evicted + int(float64(b.Evicted-a.Evicted)*float64(at-a.At)/float64(b.At-a.At))
}
