package load

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Two digits from 100 ns to a minute are 24 KB without a pointer. With one for
// each of 512 callers a tenth of the processor time of imdgo's writes went into
// cache misses on them: so there is one for all, and callers bring a handful at
// a time.
const (
	unit   = 100 * time.Nanosecond
	most   = time.Minute
	digits = 2
)

type histogram struct {
	mu sync.Mutex // guards h
	h  *hdrhistogram.Histogram
}

func newHistogram() *histogram { return &histogram{h: hdrhistogram.New(1, int64(most/unit), digits)} }

// handful are the calls that a caller has not brought yet.
type handful struct {
	to    *histogram
	count int
	took  [64]time.Duration
}

// Record takes down how long a call took.
func (h *handful) Record(took time.Duration) {
	h.took[h.count] = took
	if h.count++; h.count == len(h.took) {
		h.Bring()
	}
}

// Bring puts what is at hand into the histogram.
func (h *handful) Bring() {
	h.to.mu.Lock()
	defer h.to.mu.Unlock()
	for _, took := range h.took[:h.count] {
		_ = h.to.h.RecordValue(int64(min(took, most) / unit)) // it is within the bounds
	}
	h.count = 0
}

// Latency is a distribution in a few figures.
type Latency struct {
	Count         int64
	P50, P99, Max time.Duration
}

func (h *histogram) summary() Latency {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := func(percent float64) time.Duration { return time.Duration(h.h.ValueAtQuantile(percent)) * unit }
	return Latency{Count: h.h.TotalCount(), P50: at(50), P99: at(99), Max: time.Duration(h.h.Max()) * unit}
}
