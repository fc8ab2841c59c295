package main

import (
	"cmp"
	"fmt"
	"html"
	"slices"
	"strings"
)

// The measures of the chart, in pixels.
const (
	chartWidth = 720
	chartLeft  = 110 // where bars begin
	chartRight = 60  // for the figures behind them
	chartTop   = 64
	chartRow   = 34
	chartBar   = 11
)

// Colours that can be read on white and on black alike.
const (
	inkColour     = "#7a828e"
	oursColour    = "#2f81d7"
	othersColour  = "#8c96a3"
	generatedFade = "0.5"
)

// chart draws the averages as bars, the best first: of the share of the optimum,
// on the real traces and on the generated ones.
func (r *report) chart() string {
	kinds := slices.Clone(r.kinds)
	slices.SortStableFunc(kinds, func(a, b kind) int { return cmp.Compare(r.rank(b), r.rank(a)) })

	var b strings.Builder
	height := chartTop + chartRow*len(kinds) + 12
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui, sans-serif" font-size="13" fill="%s">`+"\n",
		chartWidth, height, chartWidth, height, inkColour)
	fmt.Fprintf(&b, `<text x="0" y="16" font-size="15" font-weight="600">Hits, as a share of what Belady's optimum has</text>`+"\n")
	fmt.Fprintf(&b, `<rect x="0" y="29" width="%d" height="%d" fill="%s"/><text x="16" y="39">real traces</text>`+"\n", chartBar, chartBar, othersColour)
	fmt.Fprintf(&b, `<rect x="110" y="29" width="%d" height="%d" fill="%s" opacity="%s"/><text x="126" y="39">generated workloads</text>`+"\n", chartBar, chartBar, othersColour, generatedFade)
	for i, k := range kinds {
		y := chartTop + i*chartRow
		colour := othersColour
		if k.ours {
			colour = oursColour
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", chartLeft-8, y+chartBar+4, html.EscapeString(k.name))
		for n, real := range []bool{true, false} {
			some := r.of(func(one result) bool { return one.Real == real && one.Policy == k.name })
			if len(some) == 0 {
				continue
			}
			_, share := mean(some)
			opacity := "1"
			if !real {
				opacity = generatedFade
			}
			at, width := y+n*(chartBar+2), share*(chartWidth-chartLeft-chartRight)
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s" opacity="%s"/>`, chartLeft, at, width, chartBar, colour, opacity)
			fmt.Fprintf(&b, `<text x="%.1f" y="%d" font-size="11">%.1f %%</text>`+"\n", chartLeft+width+5, at+chartBar-1, 100*share)
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// rank is what the bars are ordered by: the share on real traces, if there are any.
func (r *report) rank(k kind) float64 {
	some := ofPolicy(r.of(func(one result) bool { return one.Real }), k.name)
	if len(some) == 0 {
		some = ofPolicy(r.results, k.name)
	}
	_, share := mean(some)
	return share
}
