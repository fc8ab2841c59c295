package report

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
)

// panel is one bar chart of the picture.
type panel struct {
	title string
	cases string
	by    Metric
	less  bool // is better
	// names are the systems' or caches' to be drawn, none: all there are.
	names []string
}

// panels are what is drawn, where there are figures for it.
var panels = []panel{
	{"Writes a second, leader, 512 callers", "set/leader/512", PerSecond, false, nil},
	{"Writes a second, follower, 512 callers", "set/follower/512", PerSecond, false, nil},
	{"Writes a second, leader, 64 callers", "set/leader/64", PerSecond, false, nil},
	{"One writer alone on the leader, p50", "set/leader/1", P50, true, nil},
	{"Linearizable reads a second, follower", "read/follower/512", PerSecond, false, nil},
	{"Local reads a second, follower", "get/follower/512", PerSecond, false, nil},
	{"A read with a TTL, in one process", "local/2", Took, true,
		[]string{"imdgo", "otter", "otter coarse", "ristretto", "theine", "golang-lru expirable", "go-cache", "ttlcache"}},
	{"Heap of an entry of 16 + 100 bytes", "heap", HeapBytes, true,
		[]string{"imdgo", "otter", "ristretto", "theine", "golang-lru expirable", "go-cache", "ttlcache"}},
}

// titles are how systems are called in the picture.
var titles = map[string]string{
	"nats": "NATS KV", "redis": "Redis", "redis-wait": "Redis WAIT 1", "golang-lru expirable": "golang-lru exp.", "otter coarse": "otter, coarse",
}

// The picture's measures, in its own units.
const (
	width       = 920
	margin      = 28
	gap         = 32 // between the columns
	columnWidth = (width - 2*margin - gap) / 2
	labelWidth  = 108
	valueWidth  = 78
	barHeight   = 16
	barStep     = 23
	titleHeight = 34
	panelGap    = 20
	headHeight  = 74
	footHeight  = 52
)

// The picture has a ground of its own, so that it is readable whichever theme
// the page around it has.
const style = `
  .ground{fill:#fff;stroke:#d1d9e0} .text{fill:#1f2328} .soft{fill:#59636e} .peer{fill:#b6bfc9} .ours{fill:#0969da} .track{fill:#f3f5f8} .oursText{fill:#0969da}
  text{font-family:-apple-system,"Segoe UI","Noto Sans",Helvetica,Arial,sans-serif;font-size:12.5px} .h1{font-size:21px;font-weight:600} .h2{font-size:13.5px;font-weight:600} .small{font-size:11px} .strong{font-weight:600}
  @media (prefers-color-scheme:dark){.ground{fill:#0d1117;stroke:#3d444d} .text{fill:#f0f6fc} .soft{fill:#9198a1} .peer{fill:#4b545f} .ours{fill:#4493f8} .track{fill:#171c23} .oursText{fill:#6cb0ff}}
`

// SVG draws the comparison.
func SVG(w io.Writer, r *Report) error {
	type placed struct {
		panel
		bars []bar
		x, y int
	}
	var all []placed
	bottom := [2]int{headHeight, headHeight}
	for _, p := range panels {
		bars := r.bars(p)
		if len(bars) == 0 {
			continue
		}
		column := 0
		if bottom[1] < bottom[0] {
			column = 1
		}
		all = append(all, placed{p, bars, margin + column*(columnWidth+gap), bottom[column]})
		bottom[column] += titleHeight + len(bars)*barStep + panelGap
	}
	height := max(bottom[0], bottom[1]) + footHeight
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(out, "<title>imdgo beside its peers</title>\n<style>%s</style>\n", style)
	fmt.Fprintf(out, `<rect class="ground" x="0.5" y="0.5" width="%d" height="%d" rx="10"/>`+"\n", width-1, height-1)
	label(out, margin, 40, "h1 text", "start", "imdgo beside its peers")
	label(out, margin, 60, "soft", "start", r.subtitle())
	for _, p := range all {
		p.draw(out, p.x, p.y, p.bars)
	}
	label(out, margin, height-34, "small soft", "start", r.footer())
	label(out, margin, height-18, "small soft", "start", shortened(r.Command, 130))
	fmt.Fprintln(out, "</svg>")
	return out.Flush()
}

func (r *Report) subtitle() string {
	return fmt.Sprintf("three nodes on one machine, callers included, nothing on disk; 16-byte keys, 100-byte values; %d cores", r.Machine.Cores)
}

func (r *Report) footer() string {
	return fmt.Sprintf("%s · %s · %s · Redis answers before a replica has it, Redis WAIT 1 when one has", r.Begun.Format("2 January 2006"), r.Machine.CPU, r.Machine.Go)
}

// shortened is at most so many characters of a text.
func shortened(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}

// bar is one system's value.
type bar struct {
	name  string
	ours  bool
	value float64
	words string
}

// bars are those of a panel, the best first.
func (r *Report) bars(p panel) (bars []bar) {
	for _, name := range r.systems(p.cases) {
		v, ok := r.Of(p.cases, name, p.by)
		if !ok || len(p.names) > 0 && !slices.Contains(p.names, name) {
			continue
		}
		title := name
		if t, ok := titles[name]; ok {
			title = t
		}
		bars = append(bars, bar{title, name == ours, v, p.by.Words(v)})
	}
	slices.SortStableFunc(bars, func(a, b bar) int {
		if p.less {
			a, b = b, a
		}
		switch {
		case a.value > b.value:
			return -1
		case a.value < b.value:
			return 1
		}
		return 0
	})
	return bars
}

// draw draws a panel with its upper left corner there.
func (p panel) draw(w io.Writer, x, y int, bars []bar) {
	label(w, x, y+20, "h2 text", "start", p.title)
	arrow := "more →"
	if p.less {
		arrow = "← less"
	}
	label(w, x+columnWidth, y+20, "small soft", "end", arrow)
	longest := slices.MaxFunc(bars, func(a, b bar) int {
		if a.value < b.value {
			return -1
		}
		return 1
	}).value
	y += titleHeight
	const room = columnWidth - labelWidth - valueWidth
	for _, b := range bars {
		class, textClass := "peer", "text"
		if b.ours {
			class, textClass = "ours", "oursText strong"
		}
		length := 2.0
		if longest > 0 {
			length = max(length, b.value/longest*room)
		}
		label(w, x, y+12, textClass, "start", b.name)
		fmt.Fprintf(w, `<rect class="track" x="%d" y="%d" width="%d" height="%d" rx="3"/>`+"\n", x+labelWidth, y, room, barHeight)
		fmt.Fprintf(w, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d" rx="3"/>`+"\n", class, x+labelWidth, y, length, barHeight)
		label(w, x+columnWidth, y+12, textClass, "end", b.words)
		y += barStep
	}
}

// label writes text at a point.
func label(w io.Writer, x, y int, class, anchor, text string) {
	var escaped strings.Builder
	_ = xml.EscapeText(&escaped, []byte(text)) // a Builder takes everything
	fmt.Fprintf(w, `<text x="%d" y="%d" class="%s" text-anchor="%s">%s</text>`+"\n", x, y, class, anchor, &escaped)
}
