package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A caller's histogram is small, as there are hundreds of them beside a node
// that is being measured: two digits from 100 ns to a minute are 24 KB without
// a pointer.
const (
	unit   = 100 * time.Nanosecond
	most   = time.Minute
	digits = 2
)

type histogram struct{ h *hdrhistogram.Histogram }

func newHistogram() *histogram { return &histogram{hdrhistogram.New(1, int64(most/unit), digits)} }

// Record takes down how long a call took.
func (h *histogram) Record(took time.Duration) {
	_ = h.h.RecordValue(int64(min(took, most) / unit)) // it is within the bounds
}

// Merge adds another's calls.
func (h *histogram) Merge(other *histogram) { h.h.Merge(other.h) }

// Latency is a distribution in a few figures.
type Latency struct {
	Count         int64
	P50, P99, Max time.Duration
}

func summary(h *histogram) Latency {
	at := func(percent float64) time.Duration { return time.Duration(h.h.ValueAtQuantile(percent)) * unit }
	return Latency{Count: h.h.TotalCount(), P50: at(50), P99: at(99), Max: time.Duration(h.h.Max()) * unit}
}
