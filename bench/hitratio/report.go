package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
)

// result is of one trace, size and policy.
type result struct {
	Trace    string
	Real     bool
	Size     string
	Entries  int
	Policy   string
	Requests int
	Hits     int
	Optimum  int // hits of Belady's
}

func (r result) percent() float64 { return 100 * float64(r.Hits) / float64(r.Requests) }

// share is the part of what was possible.
func (r result) share() float64 {
	if r.Optimum == 0 {
		return 1
	}
	return float64(r.Hits) / float64(r.Optimum)
}

type report struct {
	kinds   []kind
	sizes   []size
	results []result
}

func newReport(kinds []kind, sizes []size) *report { return &report{kinds: kinds, sizes: sizes} }

func (r *report) add(one result) { r.results = append(r.results, one) }

// of returns the results that are asked for.
func (r *report) of(asked func(result) bool) (some []result) {
	for _, one := range r.results {
		if asked(one) {
			some = append(some, one)
		}
	}
	return some
}

// traces returns the names of the traces, in the order in which they came.
func (r *report) traces() (names []string) {
	for _, one := range r.results {
		if !slices.Contains(names, one.Trace) {
			names = append(names, one.Trace)
		}
	}
	return names
}

// mean returns the averages of the hits in percent and of the share of the
// optimum; each size and trace counts alike.
func mean(some []result) (percent, share float64) {
	for _, one := range some {
		percent += one.percent()
		share += one.share()
	}
	return percent / float64(len(some)), share / float64(len(some))
}

func (r *report) print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer w.Flush()
	fmt.Fprint(w, "hits in %\tsize\toptimum\t")
	for _, k := range r.kinds {
		fmt.Fprintf(w, "%s\t", k.name)
	}
	fmt.Fprintln(w)
	for _, name := range r.traces() {
		for _, s := range r.sizes {
			row := r.of(func(one result) bool { return one.Trace == name && one.Size == s.String() })
			fmt.Fprintf(w, "%s\t%d\t%.2f\t", name, row[0].Entries, 100*float64(row[0].Optimum)/float64(row[0].Requests))
			for _, one := range row {
				fmt.Fprintf(w, "%.2f\t", one.percent())
			}
			fmt.Fprintln(w)
		}
		r.printMeans(w, name+": average", func(one result) bool { return one.Trace == name })
	}
	for _, group := range []struct {
		name string
		real bool
	}{{"real traces", true}, {"generated", false}} {
		r.printMeans(w, group.name+": average", func(one result) bool { return one.Real == group.real })
		r.printShares(w, group.name+": of the optimum", func(one result) bool { return one.Real == group.real })
	}
}

func (r *report) printMeans(w io.Writer, title string, asked func(result) bool) {
	some := r.of(asked)
	if len(some) == 0 {
		return
	}
	best := 0.0
	for _, one := range some {
		best += 100 * float64(one.Optimum) / float64(one.Requests)
	}
	fmt.Fprintf(w, "%s\t\t%.2f\t", title, best/float64(len(some)))
	for _, k := range r.kinds {
		percent, _ := mean(ofPolicy(some, k.name))
		fmt.Fprintf(w, "%.2f\t", percent)
	}
	fmt.Fprintln(w)
}

func (r *report) printShares(w io.Writer, title string, asked func(result) bool) {
	some := r.of(asked)
	if len(some) == 0 {
		return
	}
	fmt.Fprintf(w, "%s\t\t1\t", title)
	for _, k := range r.kinds {
		_, share := mean(ofPolicy(some, k.name))
		fmt.Fprintf(w, "%.3f\t", share)
	}
	fmt.Fprintln(w)
}

func ofPolicy(some []result, name string) []result {
	return slices.DeleteFunc(slices.Clone(some), func(one result) bool { return one.Policy != name })
}

func (r *report) writeJSON(file string) error {
	out, err := json.MarshalIndent(r.results, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(out, '\n'), 0o644)
}
