// Package report has what a run has found out: as tables for people, as JSON for
// programs, as a picture for the README.
package report

import (
	"encoding/json"
	"io"
	"slices"
	"time"
)

// Report is one run.
type Report struct {
	Command  string            `json:"command"`
	Begun    time.Time         `json:"begun"`
	Took     time.Duration     `json:"took_ns"`
	Machine  Machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
	Setup    []string          `json:"setup"` // what one should know of how it was measured
	Notes    []string          `json:"notes"` // what was left out or went wrong
	Figures  []*Figure         `json:"figures"`
}

// Machine is where it ran.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory_bytes"`
	System string `json:"system"`
	Go     string `json:"go"`
	Load   string `json:"load_average_at_begin"`
}

// Metric is what a figure is of.
type Metric string

// The metrics, in the unit that their values have.
const (
	PerSecond Metric = "per second"
	P50       Metric = "p50 ns"
	P99       Metric = "p99 ns"
	Max       Metric = "max ns"
	CPUPerOp  Metric = "cpu ns per op"
	Took      Metric = "ns"
	Allocs    Metric = "allocations per op"
	HeapBytes Metric = "heap bytes per entry"
	LogBytes  Metric = "of which log bytes per entry"
	RSSBytes  Metric = "rss bytes per entry"
	OfACore   Metric = "percent of a core"
)

// Figure is one metric of one system in one case, a value a round.
type Figure struct {
	Case   string    `json:"case"`
	System string    `json:"system"`
	Metric Metric    `json:"metric"`
	Values []float64 `json:"values"`
	Median float64   `json:"median"`
	Least  float64   `json:"least"`
	Most   float64   `json:"most"`
}

// Add adds a round's value.
func (r *Report) Add(caseName, system string, metric Metric, value float64) {
	f := r.find(caseName, system, metric)
	if f == nil {
		f = &Figure{Case: caseName, System: system, Metric: metric}
		r.Figures = append(r.Figures, f)
	}
	f.Values = append(f.Values, value)
	f.Median, f.Least, f.Most = Median(f.Values), slices.Min(f.Values), slices.Max(f.Values)
}

func (r *Report) find(caseName, system string, metric Metric) *Figure {
	for _, f := range r.Figures {
		if f.Case == caseName && f.System == system && f.Metric == metric {
			return f
		}
	}
	return nil
}

// Of returns the median over the rounds, false if it was not measured.
func (r *Report) Of(caseName, system string, metric Metric) (float64, bool) {
	if f := r.find(caseName, system, metric); f != nil {
		return f.Median, true
	}
	return 0, false
}

// Note says what was left out or went wrong, once.
func (r *Report) Note(text string) {
	if !slices.Contains(r.Notes, text) {
		r.Notes = append(r.Notes, text)
	}
}

// Median is the middle value, or the mean of the two in the middle.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// JSON writes it all.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Read reads what JSON has written.
func Read(in io.Reader) (*Report, error) {
	r := new(Report)
	return r, json.NewDecoder(in).Decode(r)
}
