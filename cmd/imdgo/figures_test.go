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
	a := []sample{{1, 11}, {2, 12}, {4, 14}, {4, 14}}
	b := []sample{{2, 12}, {3, 13}, {4, 99}}
	c := []sample{{2, 12}, {3, 13}, {5, 15}, {5, 16}}
	for _, test := range []struct {
		nodes                 [][]sample
		common, whole, differ int
	}{
		{[][]sample{a, b}, 2, 2, 1},
		{[][]sample{a, b, c}, 3, 1, 2}, // one shows two hashes at 5
		{[][]sample{a, nil}, 0, 0, 0},
	} {
		common, whole, differ := agreement(test.nodes...)
		if common != test.common || whole != test.whole || differ != test.differ {
			t.Errorf("%v: %d in common, %d whole, %d differ", test.nodes, common, whole, differ)
		}
	}
}

func TestSameIndex(t *testing.T) {
	if !sameIndex([][]sample{{{1, 2}}, {{1, 3}}}) || sameIndex([][]sample{{{1, 2}}, {{1, 2}}, {{2, 2}}}) {
		t.Error("indices are compared wrongly")
	}
}

func TestMeanwhile(t *testing.T) {
	calls := []span{{0, 9}, {5, 10}, {12, 15}, {20, 40}, {21, 22}}
	if got, want := meanwhile(calls, 10, 20), []time.Duration{5, 3, 20}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestRateBeforeAndAfter(t *testing.T) {
	calls := []span{{0, 3 * s}, {0, 1 * s}, {0, 2 * s}, {3 * s, 3*s + 500*ms}, {3 * s, 4 * s}}
	before, after := parted(calls, 3*s)
	if len(before) != 2 || len(after) != 3 {
		t.Errorf("%d before, %d after", len(before), len(after))
	}
	if got := rate(before); got != 1 {
		t.Errorf("%d a second, want 1", got)
	}
	if got := rate(after); got != 2 {
		t.Errorf("%d a second, want 2", got)
	}
	if got := rate(nil) + rate(calls[:1]); got != 1 {
		t.Errorf("of none and of one: %d", got)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 51_000: "51,000", 1_234_567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

func TestTally(t *testing.T) {
	got := tally([]loaded{{Sets: 5, Except: []int{1, 3}, Swaps: 7, Unknown: 1}, {}, {Sets: 2, Swaps: 1}})
	if want := (sums{5, 8, 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestCargo(t *testing.T) {
	keys := make(map[string]bool)
	for _, prefix := range []string{cargoName, missedName} {
		for _, i := range []int{0, 1, cargoCount - 1} {
			key, value := cargo(prefix, i, cargoValueSize)
			if len(key) != cargoKeySize || len(value) != cargoValueSize || keys[key] {
				t.Errorf("%s%d is %q, %q", prefix, i, key, value)
			}
			keys[key] = true
		}
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
