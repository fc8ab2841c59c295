package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/inelpandzic/imdgo/bench/internal/local"
	"github.com/inelpandzic/imdgo/bench/internal/report"
	"github.com/inelpandzic/imdgo/bench/internal/suite"
	"github.com/inelpandzic/imdgo/bench/internal/system"
)

// settings are what the flags come to.
type settings struct {
	options  suite.Options
	missing  []string // systems that cannot be run here, and why
	args     []string
	from     string
	json     string
	markdown string
	svg      string
}

const usage = `Usage: go run . [flags]

It runs imdgo beside its peers and prints tables. The flags say what of it:

`

func parse(args []string, stderr io.Writer) (s settings, err error) {
	s.args = args
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	o := &s.options
	systems := flags.String("systems", system.Names(), "the clusters that are run")
	caches := flags.String("caches", local.Names(), "the caches in one process that are run")
	cases := flags.String("cases", "", "run only these cases, as set, or more exactly set/leader, or set/leader/512; none: all")
	callers := flags.String("callers", "1,64,512", "how many callers a load has")
	quick := flags.Bool("quick", false, "one short round of what matters most, about two minutes: no figure to be quoted")
	flags.IntVar(&o.Rounds, "rounds", 5, "how often each case is measured; figures are medians")
	flags.DurationVar(&o.Duration, "duration", time.Second, "of one load, after a quarter of it to warm up")
	flags.Uint64Var(&o.Keys, "keys", 10_000, "how many keys are written and read")
	flags.Uint64Var(&o.Entries, "entries", 1_000_000, "entries of which the memory is measured")
	flags.Uint64Var(&o.Large, "large", 5_000_000, "entries in the large map; 0 leaves it out")
	flags.DurationVar(&o.Idle, "idle", 10*time.Second, "for which an idle cluster is watched")
	flags.BoolVar(&o.OneProcess, "one-process", false, "three nodes in one process, instead of one in each of three")
	flags.StringVar(&o.Dir, "dir", "", "where the nodes' directories go; none: a file system in memory if there is one")
	flags.StringVar(&o.Profiles, "profiles", "profiles", "the directory for profiles")
	flags.BoolVar(&o.CPUProfile, "cpuprofile", false, "write a processor profile of each node's process in each load")
	flags.BoolVar(&o.MemProfile, "memprofile", false, "write a heap profile of each node's process after each load")
	flags.BoolVar(&o.GCTrace, "gctrace", false, "show the nodes' standard error, with GODEBUG=gctrace=1")
	flags.StringVar(&s.from, "from", "", "measure nothing: print and draw the JSON `file` of an earlier run")
	flags.StringVar(&s.json, "json", "", "write all figures to this `file`")
	flags.StringVar(&s.markdown, "markdown", "", "write the tables to this `file`, between its marks if it has them")
	flags.StringVar(&s.svg, "svg", "", "draw the comparison into this `file`")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if *quick {
		shorten(o)
	}
	err = errors.Join(s.takeSystems(*systems), s.takeCaches(*caches), s.takeCallers(*callers), s.check(flags.Args()))
	switch {
	case *cases == "" && *quick:
		o.Cases = []string{"set", "get", "read", "local", "heap", "lag", "failover"}
	case *cases != "":
		o.Cases = strings.Split(*cases, ",")
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
	}
	return s, err
}

// shorten makes a run one of about two minutes.
func shorten(o *suite.Options) {
	o.Rounds, o.Duration, o.Entries, o.Large, o.Idle = 1, 250*time.Millisecond, 100_000, 0, 3*time.Second
}

func (s *settings) check(rest []string) error {
	o := s.options
	switch {
	case len(rest) > 0:
		return fmt.Errorf("there is no argument %q, only flags", rest[0])
	case o.Rounds < 1:
		return fmt.Errorf("-rounds %d: there must be one at least", o.Rounds)
	case o.Duration <= 0 || o.Idle <= 0:
		return fmt.Errorf("-duration %v, -idle %v: they must be positive", o.Duration, o.Idle)
	case o.Keys < 100 || o.Entries < 1000:
		return fmt.Errorf("-keys %d, -entries %d: there must be 100 and 1000 at least", o.Keys, o.Entries)
	}
	return nil
}

func (s *settings) takeSystems(list string) error {
	for name := range strings.SplitSeq(list, ",") {
		found, ok := system.Find(name)
		if !ok {
			return fmt.Errorf("-systems %q: there are %s", name, system.Names())
		}
		if why := found.Missing(); why != "" {
			s.missing = append(s.missing, found.Title+" is left out: "+why)
			continue
		}
		s.options.Systems = append(s.options.Systems, found)
	}
	return nil
}

func (s *settings) takeCaches(list string) error {
	for name := range strings.SplitSeq(list, ",") {
		if _, ok := local.Find(name); !ok {
			return fmt.Errorf("-caches %q: there are %s", name, local.Names())
		}
		s.options.Caches = append(s.options.Caches, name)
	}
	return nil
}

func (s *settings) takeCallers(list string) error {
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-callers %q: it is a list of numbers from 1", text)
		}
		s.options.Callers = append(s.options.Callers, n)
	}
	slices.Sort(s.options.Callers)
	return nil
}

// begin is the report of a run that begins now.
func begin(s settings) *report.Report {
	r := &report.Report{Command: strings.TrimSpace("go run . " + strings.Join(s.args, " ")), Begun: time.Now(),
		Machine: report.ThisMachine(), Versions: versions(s.options)}
	where := "three processes, a node and its callers in each"
	if s.options.OneProcess {
		where = "one process for all three nodes and the callers (each redis-server is a process of its own)"
	}
	r.Setup = []string{where, fmt.Sprintf("rounds: %d (figures are medians); %v a load; %d keys of 16 bytes, drawn uniformly; values of 100 bytes",
		s.options.Rounds, s.options.Duration, s.options.Keys)}
	for _, sys := range s.options.Systems {
		r.Setup = append(r.Setup, sys.Title+": "+sys.Told)
	}
	for _, text := range s.missing {
		r.Note(text)
	}
	return r
}
