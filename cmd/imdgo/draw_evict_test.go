package main

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestLevel(t *testing.T) {
	for _, test := range []struct {
		columns float64
		width   int
		want    string
	}{
		{-1, 3, "   "}, {0, 3, "   "}, {0.1, 3, "   "}, {0.5, 3, "▌  "}, {1.99, 3, "█▉ "}, {2.999, 3, "██▉"}, {3, 3, "███"},
		{4.5, 3, "████▌"}, // over the line, and seen to be
	} {
		if got := level(test.columns, test.width); got != test.want {
			t.Errorf("level(%v, %d) is %q, want %q", test.columns, test.width, got, test.want)
		}
	}
}

// TestEvictionsOverTime: reports come when they come, and what lies between two of
// them is spread evenly.
func TestEvictionsOverTime(t *testing.T) {
	course := []observed{{At: 50 * ms}, {At: 150 * ms, Evicted: 10}, {At: 350 * ms, Evicted: 50}}
	st := newStrip(0, 500*ms, 100*time.Millisecond)
	if got, want := evictions(st, course), []int{5, 15, 20, 10, 0}; !slices.Equal(got, want) {
		t.Errorf("evictions %v, want %v", got, want)
	}
	if got := evictions(st, nil); slices.Max(got) != 0 {
		t.Errorf("evictions that nobody has reported: %v", got)
	}
}

// drawnFlood is a flood on three nodes, of which a leads and c reads.
func drawnFlood() (*demo, *flooding) {
	d := newDemo(new(screen), nil)
	d.nodes, d.leader = []*process{{name: "a"}, {name: "b"}, {name: "c"}}, 0
	d.limits = [size]int64{24 << 20, 16 << 20, 24 << 20}
	f := &flooding{leader: 0, reader: 2}
	for i := range f.nodes {
		f.nodes[i] = observed{Budget: 16 << 20, Accounted: 12 << 20, Entries: 1_000_000, Evicted: 9_000_000, Since: 200 * ms}
	}
	f.nodes[2].Hot, f.nodes[2].Cold = make([]bool, watched), make([]bool, watched)
	for i := range f.nodes[2].Hot {
		f.nodes[2].Hot[i] = i > 0
	}
	f.note(0, f.nodes[0])
	f.calls[1] = []span{{100 * ms, 101 * ms}, {250 * ms, 260 * ms}}
	f.done = make([]loaded, size*len(tides))
	return d, f
}

func TestFloodIsDrawn(t *testing.T) {
	d, f := drawnFlood()
	lines := d.floodLines(f)
	text := strings.Join(lines, "\n")
	for _, want := range []string{
		"memory    " + strings.Repeat(" ", 28) + "↓ the budget, 16.0 MiB\n",
		"a ★       █████████████████████       ┃╌╌╌╌╌╌╌╌╌╌╌╌╌  12.0 MiB of its 24\n",
		"b         █████████████████████       ┃               12.0 MiB of its 16\n",
		"evicted 9,000,000  there 1,000,000\n",
		"·●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●●  31 of 32 on c alone\n",
		"················   0 of 32 written with them\n",
		"  ↓ full, evicting\n",
		"writes    █··█\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if len(lines) >= leastHeight {
		t.Errorf("%d lines, of %d that there are", len(lines), leastHeight)
	}
	for _, line := range lines {
		if utf8.RuneCountInString(line) > leastWidth {
			t.Errorf("too wide: %s", line)
		}
	}
}

// TestFloodIsDrawnBeforeItsBegin: the first picture comes before any report.
func TestFloodIsDrawnBeforeItsBegin(t *testing.T) {
	d, f := drawnFlood()
	*f = flooding{}
	for _, line := range d.floodLines(f) {
		if utf8.RuneCountInString(line) > leastWidth {
			t.Errorf("too wide: %s", line)
		}
	}
}
