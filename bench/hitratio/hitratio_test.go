package main

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestArithmetic holds the replay against published figures: LRU on OLTP, of
// Megiddo and Modha's ARC, FAST 2003.
func TestArithmetic(t *testing.T) {
	traces, err := chooseTraces(os.Getenv("IMDGO_TRACES"), "OLTP")
	if err != nil {
		t.Skip("the trace is not here:", err)
	}
	for entries, want := range map[int]float64{1000: 32.83, 2000: 42.47} {
		lru, err := chooseKinds("LRU")
		if err != nil {
			t.Fatal(err)
		}
		hits, err := replay(traces[0], lru[0], entries)
		if err != nil {
			t.Fatal(err)
		}
		got := 100 * float64(hits) / float64(len(traces[0].keys))
		if math.Abs(got-want) > .005 {
			t.Errorf("LRU with %d entries hits %.2f %%, published are %.2f", entries, got, want)
		}
	}
}

// TestOptimum works an example through.
func TestOptimum(t *testing.T) {
	for _, c := range []struct {
		keys    string
		entries int
		want    int
	}{
		{"aaaa", 1, 3},
		{"abab", 1, 1}, // a is kept, b is not taken in
		{"abcabcabc", 2, 4},
		{"abcdabcd", 4, 4},
		{"abcd", 2, 0},
	} {
		var keys []uint32
		for _, r := range c.keys {
			keys = append(keys, uint32(r))
		}
		if got := optimum(newTrace(c.keys, false, keys), c.entries); got != c.want {
			t.Errorf("%d hits of %s with %d entries, want %d", got, c.keys, c.entries, c.want)
		}
	}
}

// TestNoneBeatsTheOptimum runs every cache, on the smallest of workloads.
func TestNoneBeatsTheOptimum(t *testing.T) {
	tr := newTrace("small", false, zipf(.9, 5_000, 1_000))
	best := optimum(tr, 100)
	for _, k := range kinds {
		hits, err := replay(tr, k, 100)
		if err != nil {
			t.Fatal(err)
		}
		if hits > best || hits < best/4 {
			t.Errorf("%s hits %d times, the optimum %d", k.name, hits, best)
		}
	}
}

// TestAllKeepTheirBound: of ten times as many keys as there is room for, asked
// for once each, no cache has more afterwards than it may.
func TestAllKeepTheirBound(t *testing.T) {
	const entries = 500
	for _, k := range kinds {
		c, err := k.open(entries, 10*entries)
		if err != nil {
			t.Fatal(err)
		}
		for key := range uint32(10 * entries) {
			c.request(key)
		}
		if n := length(t, c); n > entries {
			t.Errorf("%s has %d entries of %d", k.name, n, entries)
		}
		c.close()
	}
}

// length counts what is in a cache.
func length(t *testing.T, c cache) (n int) {
	switch c := c.(type) {
	case *ours:
		return c.policy.Len()
	case golang:
		for key := range uint32(5000) {
			if _, ok := c.get(key); ok {
				n++
			}
		}
		return n
	case otterCache:
		return c.EstimatedSize()
	case theineCache:
		return c.Len()
	case ristrettoCache:
		for key := range uint32(5000) {
			if _, ok := c.Get(key); ok {
				n++
			}
		}
		return n
	default:
		t.Fatalf("how long is a %T?", c)
		return 0
	}
}

func TestBadAnswers(t *testing.T) {
	for _, sizes := range []string{"", "0", "-1", "101", "x", "e", "-5e", "NaN"} {
		if _, err := parseSizes(sizes); err == nil || !strings.Contains(err.Error(), "size") {
			t.Errorf("sizes %q: %v", sizes, err)
		}
	}
	if _, err := chooseKinds("LRU,nobody"); err == nil || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("a policy of nobody's: %v", err)
	}
	empty := t.TempDir()
	if _, err := chooseTraces(empty, ""); err == nil || !strings.Contains(err.Error(), empty) {
		t.Errorf("a folder without traces: %v", err)
	}
	file := filepath.Join(empty, "broken"+traceSuffix)
	if err := os.WriteFile(file, []byte("no gzip"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := chooseTraces(empty, "broken"); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a broken trace: %v", err)
	}
	if _, err := chooseTraces(empty, "another"); err == nil || !strings.Contains(err.Error(), `"another"`) {
		t.Errorf("a trace that is not there: %v", err)
	}
	if _, err := readTrace("none", filepath.Join(empty, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
