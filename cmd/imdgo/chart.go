package main

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// bars are the heights of one character.
var bars = []rune("▁▂▃▄▅▆▇█")

// nothingHappened is drawn where a bar has no height.
const nothingHappened = '·'

// bar is a share of one character's height.
func bar(share float64) rune {
	i := int(share * float64(len(bars)))
	return bars[min(max(i, 0), len(bars)-1)]
}

// countBars draws counts, the largest as a full bar.
func countBars(counts []int) string {
	most := 1
	for _, n := range counts {
		most = max(most, n)
	}
	var b strings.Builder
	for _, n := range counts {
		if n == 0 {
			b.WriteRune(nothingHappened)
		} else {
			b.WriteRune(bar(float64(n) / float64(most) * 0.99))
		}
	}
	return b.String()
}

// scale is what a strip of latencies can show, on logarithmic steps.
type scale struct{ least, most time.Duration }

// The scales of the demo: a bar is about four times the one below it where
// there may be a fail-over, and twice where there is none.
var (
	wide   = scale{100 * time.Microsecond, 5 * time.Second}
	narrow = scale{50 * time.Microsecond, 10 * time.Millisecond}
)

// bars draws latencies; 0 is none.
func (s scale) bars(latencies []time.Duration) string {
	span := math.Log(float64(s.most) / float64(s.least))
	var b strings.Builder
	for _, d := range latencies {
		if d <= 0 {
			b.WriteRune(nothingHappened)
		} else {
			b.WriteRune(bar(math.Log(float64(d)/float64(s.least)) / span))
		}
	}
	return b.String()
}

// legend says what the bars mean.
func (s scale) legend() string {
	return fmt.Sprintf("(log scale, %s … %s)", short(s.least), short(s.most))
}

// strip is a stretch of time in equal bins.
type strip struct {
	from int64 // nanoseconds since 1970
	bin  time.Duration
	bins int
}

// mostBins is how wide a strip may be drawn, and mostPointer the labels above
// it: a line that the terminal wraps could not be drawn again.
const (
	mostBins    = 56
	mostPointer = 64
)

// newStrip covers from…to with bins as fine as asked, or twice that, or twice again.
func newStrip(from, to int64, bin time.Duration) strip {
	span := time.Duration(max(to-from, 1))
	for span > bin*mostBins {
		bin *= 2
	}
	return strip{from, bin, int((span + bin - 1) / bin)}
}

// index is the bin that a moment lies in.
func (s strip) index(at int64) int { return int(math.Floor(float64(at-s.from) / float64(s.bin))) }

// ends counts the calls that returned in each bin.
func (s strip) ends(calls []span) []int {
	counts := make([]int, s.bins)
	for _, c := range calls {
		if i := s.index(c.End); i >= 0 && i < s.bins {
			counts[i]++
		}
	}
	return counts
}

// longest is for each bin how long the call had taken by then that took longest
// of those under way in it.
func (s strip) longest(calls []span) []time.Duration {
	most := make([]time.Duration, s.bins)
	for _, c := range calls {
		for i := max(s.index(c.Start), 0); i <= s.index(c.End) && i < s.bins; i++ {
			end := s.from + int64(i+1)*int64(s.bin)
			most[i] = max(most[i], time.Duration(min(end, c.End)-c.Start))
		}
	}
	return most
}

// moment is a point in time with a name, which stands after its arrow or before.
type moment struct {
	at     int64
	label  string
	before bool
}

// pointer draws labels above a strip, each pointing at its moment; those that
// find no room beside the ones before them are left out.
func (s strip) pointer(moments ...moment) string {
	line := []rune(strings.Repeat(" ", min(s.bins+14, mostPointer)))
	for _, m := range moments {
		text, i := []rune("↓ "+m.label), s.index(m.at)
		if m.before {
			text, i = []rune(m.label+" ↓"), i-utf8.RuneCountInString(m.label)-1
		}
		if i < 0 || i+len(text) > len(line) || strings.TrimSpace(string(line[i:i+len(text)])) != "" {
			continue
		}
		copy(line[i:], text)
	}
	return strings.TrimRight(string(line), " ")
}

// gauge draws a share of a bar of the given width.
func gauge(share float64, width int) string {
	full := int(math.Round(min(max(share, 0), 1) * float64(width)))
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

// card is a node as it is drawn.
type card struct {
	title string
	role  string
	style style
	lines []string
}

// cardWidth is how many characters a card holds in a line.
const cardWidth = 21

// cards draws nodes side by side, all as high as the highest.
func (s *screen) cards(list []card) []string {
	height := 0
	for _, c := range list {
		height = max(height, len(c.lines))
	}
	out := make([]string, height+3)
	for _, c := range list {
		edge := func(text string) string { return s.paint(c.style, text) }
		title := clip(c.title, cardWidth-2)
		rows := []string{
			edge("╭ ") + s.paint(bold, title) + edge(" "+strings.Repeat("─", cardWidth-1-utf8.RuneCountInString(title))+"╮"),
			edge("│ ") + edge(fit(c.role, cardWidth-1)) + edge(" │"),
		}
		for i := range height {
			text := ""
			if i < len(c.lines) {
				text = c.lines[i]
			}
			rows = append(rows, edge("│ ")+fit(text, cardWidth-1)+edge(" │"))
		}
		rows = append(rows, edge("╰"+strings.Repeat("─", cardWidth+1)+"╯"))
		for i, row := range rows {
			out[i] += "  " + row
		}
	}
	return out
}

func clip(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// fit clips and pads text to a width.
func fit(text string, width int) string {
	text = clip(text, width)
	return text + strings.Repeat(" ", width-utf8.RuneCountInString(text))
}
