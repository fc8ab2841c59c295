package main

import (
	"slices"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i))
	}
	for _, test := range []struct {
		values []time.Duration
		q      float64
		want   time.Duration
	}{
		{nil, 0.5, 0},
		{[]time.Duration{7}, 0, 7},
		{[]time.Duration{7}, 0.99, 7},
		{[]time.Duration{3, 1, 2}, 0.5, 2},
		{hundred, 0.5, 50},
		{hundred, 0.99, 99},
		{hundred, 1, 100},
	} {
		if got := quantile(test.values, test.q); got != test.want {
			t.Errorf("quantile %v of %v is %v, want %v", test.q, test.values, got, test.want)
		}
	}
	if hundred[0] != 100 {
		t.Error("quantile has sorted what it was given")
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0", 27: "27 ns", 27500: "27.5 µs", 170 * time.Microsecond: "0.17 ms", 2410 * time.Microsecond: "2.41 ms",
		-2410 * time.Microsecond: "-2.41 ms", 38800 * time.Microsecond: "38.8 ms", 116 * time.Millisecond: "116 ms",
		1930 * time.Millisecond: "1.93 s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%d) is %q, want %q", d, got, want)
		}
	}
	if got := signed(time.Millisecond) + signed(-time.Millisecond); got != "+1.00 ms-1.00 ms" {
		t.Errorf("signed: %q", got)
	}
}

func TestLongestGap(t *testing.T) {
	calls := []span{{0, 50}, {0, 95}, {90, 101}, {90, 700}, {90, 110}, {700, 720}}
	if gap, end := longestGap(calls, 100); gap != 590 || end != 700 {
		t.Errorf("gap %d to %d", gap, end)
	}
	if gap, end := longestGap(calls, 720); gap != 0 || end != 0 {
		t.Errorf("a gap where nothing follows: %d to %d", gap, end)
	}
}

func TestAgreement(t *testing.T) {
	a := []sample{{1, 11}, {2, 12}, {4, 14}}
	b := []sample{{2, 12}, {3, 13}, {4, 99}}
	if common, differ := agreement(a, b); common != 2 || differ != 1 {
		t.Errorf("%d in common, %d differ", common, differ)
	}
}

func TestWithin(t *testing.T) {
	for _, test := range []struct {
		found, acknowledged, unknown int
		want                         bool
	}{
		{5, 5, 0, true}, {4, 5, 0, false}, {6, 5, 0, false}, {6, 5, 1, true}, {7, 5, 1, false},
	} {
		if got := within(test.found, test.acknowledged, test.unknown); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

func TestClaims(t *testing.T) {
	var c claims
	if c.hold() {
		t.Error("no claim, and it holds")
	}
	c.add(true, "a")
	if !c.hold() {
		t.Error("a true claim does not hold")
	}
	c.add(false, "b")
	if c.hold() || !slices.Equal(c.false, []string{"b"}) {
		t.Errorf("a false claim holds: %+v", c)
	}
}

// TestNote: a node that is kept waiting is neither early nor late.
func TestNote(t *testing.T) {
	at := func(n int64) time.Time { return time.Unix(0, n) }
	var e expired
	e.note(at(1), at(2), false, false) // not there yet
	e.note(at(3), at(4), true, true)
	e.note(at(5), at(9), true, true)
	e.note(at(10), at(15), false, true)
	e.note(at(16), at(17), false, true)
	e.note(at(18), at(19), false, false)
	e.note(at(20), at(21), false, false)
	if want := (expired{LastAlive: 5, FirstMissing: 15, LastCounted: 16, FirstUncounted: 19}); e != want {
		t.Errorf("%+v, want %+v", e, want)
	}
}
