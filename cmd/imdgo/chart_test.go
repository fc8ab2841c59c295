package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

const (
	ms = int64(time.Millisecond)
	s  = int64(time.Second)
)

func TestCountBars(t *testing.T) {
	if got, want := countBars([]int{0, 1, 4, 8, 0}), "·▁▄█·"; got != want {
		t.Errorf("bars %q, want %q", got, want)
	}
	if got := countBars(nil); got != "" {
		t.Errorf("bars of nothing: %q", got)
	}
}

func TestLatencyBars(t *testing.T) {
	got := wide.bars([]time.Duration{0, time.Nanosecond, 100 * time.Microsecond, 2 * time.Millisecond, time.Second, time.Hour})
	if want := "·▁▁▃▇█"; got != want {
		t.Errorf("bars %q, want %q", got, want)
	}
}

func TestStripWidth(t *testing.T) {
	for _, test := range []struct {
		span time.Duration
		bin  time.Duration
		bins int
	}{
		{0, 100 * time.Millisecond, 1},
		{time.Second, 100 * time.Millisecond, 10},
		{1050 * time.Millisecond, 100 * time.Millisecond, 11},
		{mostBins * 100 * time.Millisecond, 100 * time.Millisecond, mostBins},
		{mostBins*100*time.Millisecond + 1, 200 * time.Millisecond, mostBins/2 + 1},
		{20 * time.Second, 400 * time.Millisecond, 50},
	} {
		if st := newStrip(5, 5+int64(test.span), 100*time.Millisecond); st.bin != test.bin || st.bins != test.bins {
			t.Errorf("a strip of %v has %d bins of %v, want %d of %v", test.span, st.bins, st.bin, test.bins, test.bin)
		}
	}
}

func TestStripOfCalls(t *testing.T) {
	st := newStrip(10*s, 11*s, 100*time.Millisecond)
	calls := []span{
		{9*s + 900*ms, 9*s + 950*ms},  // before
		{9*s + 950*ms, 10*s + 20*ms},  // into the first bin
		{10*s + 50*ms, 10*s + 350*ms}, // over four
		{10*s + 900*ms, 12 * s},       // out of the last
	}
	if got, want := st.ends(calls), []int{1, 0, 0, 1, 0, 0, 0, 0, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("ends %v, want %v", got, want)
	}
	want := []time.Duration{70, 150, 250, 300, 0, 0, 0, 0, 0, 100}
	for i, got := range st.longest(calls) {
		if got != want[i]*time.Millisecond {
			t.Errorf("longest in bin %d is %v, want %v", i, got, want[i]*time.Millisecond)
		}
	}
}

func TestPointer(t *testing.T) {
	st := newStrip(0, 2*s, 100*time.Millisecond)
	if got, want := st.pointer(moment{at: 300 * ms, label: "kill"}, moment{at: 400 * ms, label: "no room"}, moment{at: 1500 * ms, label: "on", before: true}), "   ↓ kill   on ↓"; got != want {
		t.Errorf("pointer %q, want %q", got, want)
	}
	if got := st.pointer(moment{at: -ms, label: "early"}, moment{at: 20 * s, label: "late"}, moment{at: 100 * ms, label: "no room", before: true}); got != "" {
		t.Errorf("moments outside the strip are drawn: %q", got)
	}
}

func TestGauge(t *testing.T) {
	for share, want := range map[float64]string{-1: "░░░░", 0: "░░░░", 0.5: "██░░", 1: "████", 2: "████"} {
		if got := gauge(share, 4); got != want {
			t.Errorf("gauge(%v) is %q, want %q", share, got, want)
		}
	}
}

// TestCards: all lines of all cards are equally wide, whatever they hold, and
// fit the terminal that is asked for.
func TestCards(t *testing.T) {
	lines := new(screen).cards([]card{
		{title: "node 1", role: "★ leader", lines: []string{"one"}},
		{title: strings.Repeat("long ", 9), role: strings.Repeat("é", 60), lines: []string{"", strings.Repeat("█", 99)}},
		{},
	})
	if len(lines) != 5 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n != 3*(cardWidth+5) || n > leastWidth {
			t.Errorf("%d wide: %s", n, line)
		}
	}
}

func TestPlainScreen(t *testing.T) {
	var out bytes.Buffer
	scr := newScreen(&out)
	scr.draw("a picture")
	scr.say("100%d")
	scr.draw("another")
	scr.leave("one", scr.paint(red, "two"))
	scr.end()
	if got, want := out.String(), "100%d\none\ntwo\n"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}

func TestMovingScreen(t *testing.T) {
	var out bytes.Buffer
	scr := &screen{out: &out, moves: true, colour: true}
	scr.draw("one", "two")
	scr.draw("three")
	scr.leave(scr.paint(green, "four"))
	scr.end()
	want := "\x1b[?25lone\ntwo\n" + "\x1b[?25l\x1b[2A\r\x1b[Jthree\n" + "\x1b[1A\r\x1b[J\x1b[32mfour\x1b[0m\n" + "\x1b[?25h"
	if got := out.String(); got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}
