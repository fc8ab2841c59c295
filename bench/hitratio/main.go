// Hitratio replays traces of requests through the eviction policies of imdgo and
// through other caches, and prints how many requests each of them answers.
//
//	go run ./hitratio -traces DIR
//
// The policies of imdgo are driven as a cache of one node would drive them: a
// request for a key that is there touches its entry, any other adds one, and while
// there are more entries than the size allows, the first victim is evicted. The
// other caches are driven through their own public faces, those that work
// asynchronously in such a way that they keep their bound. All have the same
// number of entries; sizes are parts of the number of different keys of a trace.
// What a policy could have had is Belady's optimum, which knows the future.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "hitratio:", err)
		os.Exit(1)
	}
}

func run() error {
	dir := flag.String("traces", os.Getenv("IMDGO_TRACES"), "`folder` of the real traces, NAME.u32.gz; IMDGO_TRACES if not given, else ../shared/traces beside the repository")
	only := flag.String("only", "", "`traces` to replay, separated by commas: names, or real, generated; all if empty")
	policies := flag.String("policies", "", "`policies` to run, separated by commas; all if empty")
	sizes := flag.String("sizes", "1,5,10,25", "cache `sizes`, in percent of the different keys of a trace, or in entries with an e behind")
	jsonFile := flag.String("json", "", "write the results to this `file`")
	svgFile := flag.String("svg", "", "draw the averages into this `file`")
	quiet := flag.Bool("quiet", false, "no progress")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("%q is no flag", flag.Arg(0))
	}

	traces, err := chooseTraces(*dir, *only)
	if err != nil {
		return err
	}
	kinds, err := chooseKinds(*policies)
	if err != nil {
		return err
	}
	wanted, err := parseSizes(*sizes)
	if err != nil {
		return err
	}
	r := newReport(kinds, wanted)
	for _, t := range traces {
		for _, s := range wanted {
			entries := s.of(t)
			best := optimum(t, entries)
			for _, k := range kinds {
				progress(!*quiet, "%s, %d entries: %s", t.name, entries, k.name)
				hits, err := replay(t, k, entries)
				if err != nil {
					return fmt.Errorf("replaying %s through %s with %d entries: %w", t.name, k.name, entries, err)
				}
				r.add(result{t.name, t.real, s.String(), entries, k.name, len(t.keys), hits, best})
			}
		}
	}
	progress(!*quiet, "")
	r.print(os.Stdout)
	if *jsonFile != "" {
		if err := r.writeJSON(*jsonFile); err != nil {
			return fmt.Errorf("writing the results: %w", err)
		}
	}
	if *svgFile != "" {
		if err := os.WriteFile(*svgFile, []byte(r.chart()), 0o644); err != nil {
			return fmt.Errorf("drawing the chart: %w", err)
		}
	}
	return nil
}

// progress overwrites the line on standard error that says what is being done.
func progress(show bool, format string, args ...any) {
	if show {
		fmt.Fprintf(os.Stderr, "\r\x1b[K"+format, args...)
	}
}

// replay returns how many of a trace's requests a cache answers.
func replay(t *trace, k kind, entries int) (hits int, err error) {
	c, err := k.open(entries, t.unique)
	if err != nil {
		return 0, err
	}
	defer c.close()
	for _, key := range t.keys {
		if c.request(key) {
			hits++
		}
	}
	return hits, nil
}

// size is that of a cache: a part of a trace's different keys, or a number.
type size struct {
	percent float64
	entries int
}

func parseSizes(s string) (sizes []size, err error) {
	for field := range strings.SplitSeq(s, ",") {
		var one size
		if number, ok := strings.CutSuffix(field, "e"); ok {
			one.entries, err = strconv.Atoi(number)
		} else {
			one.percent, err = strconv.ParseFloat(field, 64)
		}
		if err != nil || one.entries < 0 || !(one.percent >= 0 && one.percent <= 100) || one == (size{}) {
			return nil, fmt.Errorf("size %q: want a percentage up to 100, or a number of entries as in 1000e", field)
		}
		sizes = append(sizes, one)
	}
	return sizes, nil
}

func (s size) of(t *trace) int {
	if s.entries > 0 {
		return s.entries
	}
	return max(1, int(s.percent*float64(t.unique)/100))
}

func (s size) String() string {
	if s.entries > 0 {
		return strconv.Itoa(s.entries)
	}
	return strconv.FormatFloat(s.percent, 'g', -1, 64) + "%"
}

// chooseTraces returns the traces of a folder and the generated ones, or those
// that are named.
func chooseTraces(dir, only string) (traces []*trace, err error) {
	names := strings.FieldsFunc(only, func(r rune) bool { return r == ',' })
	asked := func(name, group string) bool {
		return len(names) == 0 || slices.Contains(names, name) || slices.Contains(names, group)
	}
	known := []string{"real", "generated"}
	for _, g := range generators {
		known = append(known, g.name)
		if asked(g.name, "generated") {
			traces = append(traces, newTrace(g.name, false, g.keys()))
		}
	}
	// Traces need to be there only if some of them are asked for.
	if others := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n != "real" && slices.Contains(known, n) }); len(names) == 0 || len(others) > 0 {
		files, err := traceFiles(dir)
		if err != nil {
			return nil, err
		}
		var found []*trace
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), traceSuffix)
			known = append(known, name)
			if asked(name, "real") {
				t, err := readTrace(name, file)
				if err != nil {
					return nil, err
				}
				found = append(found, t)
			}
		}
		traces = append(found, traces...)
	}
	for _, n := range names {
		if !slices.Contains(known, n) {
			return nil, fmt.Errorf("there is no trace %q, there are %s", n, strings.Join(known, ", "))
		}
	}
	return traces, nil
}
