package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// quantile returns the value that the share q of the values does not exceed
// (nearest rank); 0 of none.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	rank := int(q*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(rank, 0), len(sorted)-1)]
}

// short writes a duration with about three digits.
func short(d time.Duration) string {
	switch size := d.Abs(); {
	case d == 0:
		return "0"
	case size < time.Microsecond:
		return fmt.Sprintf("%d ns", d.Nanoseconds())
	case size < 100*time.Microsecond:
		return fmt.Sprintf("%.3g µs", float64(d)/1e3)
	case size < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/1e6)
	case size < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case size < time.Second:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// signed is short with a plus before what is positive.
func signed(d time.Duration) string {
	if d >= 0 {
		return "+" + short(d)
	}
	return short(d)
}

// took are the durations of calls.
func took(calls []span) []time.Duration {
	list := make([]time.Duration, len(calls))
	for i, c := range calls {
		list[i] = c.took()
	}
	return list
}

// figures are the rows of the table at the end.
type figures struct{ rows [][4]string }

// spread adds a row of quantiles.
func (f *figures) spread(what string, values []time.Duration) {
	f.rows = append(f.rows, [4]string{what, short(quantile(values, 0.5)), short(quantile(values, 0.99)), short(quantile(values, 1))})
}

// single adds a row of one figure.
func (f *figures) single(what, figure string) {
	f.rows = append(f.rows, [4]string{what, figure})
}

// table draws the rows.
func (f *figures) table() []string {
	const layout = "  %s %11s %11s %11s"
	lines := []string{fmt.Sprintf(layout, fit("", 36), "p50", "p99", "max")}
	for _, r := range f.rows {
		lines = append(lines, strings.TrimRight(fmt.Sprintf(layout, fit(r[0], 36), r[1], r[2], r[3]), " "))
	}
	return lines
}

// longestGap finds the longest time after from in which no call returned, among
// calls that returned; end is when it ended.
func longestGap(calls []span, from int64) (gap time.Duration, end int64) {
	ends := []int64{from}
	for _, c := range calls {
		if c.End > from {
			ends = append(ends, c.End)
		}
	}
	slices.Sort(ends)
	for i := 1; i < len(ends); i++ {
		if d := time.Duration(ends[i] - ends[i-1]); d > gap {
			gap, end = d, ends[i]
		}
	}
	return gap, end
}

// agreement compares the state hashes of nodes: at how many log indices more
// than one of them has one, at how many all do, and at how many any two differ.
func agreement(nodes ...[]sample) (common, whole, differ int) {
	type seen struct {
		hash  uint64
		nodes map[int]bool
		wrong bool
	}
	indices := make(map[uint64]*seen)
	for n, list := range nodes {
		for _, s := range list {
			at := indices[s.Index]
			if at == nil {
				at = &seen{hash: s.Hash, nodes: make(map[int]bool)}
				indices[s.Index] = at
			}
			at.nodes[n] = true
			at.wrong = at.wrong || at.hash != s.Hash
		}
	}
	for _, at := range indices {
		if len(at.nodes) > 1 {
			common++
		}
		if len(at.nodes) == len(nodes) {
			whole++
		}
		if at.wrong {
			differ++
		}
	}
	return common, whole, differ
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// mebibytes is for what budgets are named in.
func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// claims is what the demo says, and whether it is so.
type claims struct {
	made  int
	false []string
}

func (c *claims) add(ok bool, text string) {
	c.made++
	if !ok {
		c.false = append(c.false, text)
	}
}

func (c *claims) hold() bool { return c.made > 0 && len(c.false) == 0 }

func count(list []bool) (n int) {
	for _, yes := range list {
		if yes {
			n++
		}
	}
	return n
}

// parted are the calls that returned before a moment, and the others.
func parted(calls []span, at int64) (before, after []span) {
	for _, c := range calls {
		if c.End < at {
			before = append(before, c)
		} else {
			after = append(after, c)
		}
	}
	return before, after
}

// rate is how many calls returned in a second, between the first and the last
// return.
func rate(calls []span) int {
	if len(calls) < 2 {
		return len(calls)
	}
	first, last := calls[0].End, calls[0].End
	for _, c := range calls {
		first, last = min(first, c.End), max(last, c.End)
	}
	return int(float64(len(calls)-1) / max(time.Duration(last-first).Seconds(), 1e-9))
}
