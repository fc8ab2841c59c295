// Package suite is the order of a run: which work is given to which system, one
// after the other, round after round.
//
// One system runs at a time, alone. A round gives one kind of work to each of
// them before the next kind, and begins with another system than the round
// before: whatever else the machine does hits them alike.
package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/inelpandzic/imdgo/bench/internal/process"
	"github.com/inelpandzic/imdgo/bench/internal/report"
	"github.com/inelpandzic/imdgo/bench/internal/system"
)

// Options say what is run.
type Options struct {
	Systems    []system.System
	Caches     []string // of the local ones
	Cases      []string // the beginnings of cases' names; none: all
	Callers    []int
	Rounds     int
	Duration   time.Duration // of one load
	Keys       uint64        // that are written and read
	Entries    uint64        // of which the memory is measured
	Large      uint64        // entries in a large map
	Idle       time.Duration // for which an idle cluster is watched
	OneProcess bool
	Profiles   string // a directory, "" is none
	CPUProfile bool
	MemProfile bool
	GCTrace    bool
	Dir        string   // where the nodes' directories go, "" is in memory
	Command    []string // what makes a child of this program
	Progress   io.Writer
}

// Run is one run.
type Run struct {
	options Options
	report  *report.Report
	dir     string // in memory where there is such a file system
	begun   time.Time
}

// Do runs all that options ask for, and puts it into the report. An error ends
// the run; what one system does not get done is a note.
func Do(ctx context.Context, o Options, into *report.Report) (err error) {
	r := &Run{options: o, report: into, begun: time.Now()}
	if r.dir, err = workDir(o.Dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	for _, p := range r.parts() {
		r.progress("%s: %s", p.name, p.title)
		for round := range min(o.Rounds, p.mostRounds) {
			if err := p.round(ctx, round); err != nil {
				return fmt.Errorf("%s, round %d: %w", p.name, round+1, err)
			}
		}
	}
	return nil
}

// workDir makes a directory there, or else in memory, or an ordinary temporary
// one.
func workDir(there string) (string, error) {
	const pattern = "imdgo-bench-"
	if there != "" {
		return os.MkdirTemp(there, pattern)
	}
	if dir, err := os.MkdirTemp("/dev/shm", pattern); err == nil {
		return dir, nil
	}
	return os.MkdirTemp("", pattern)
}

// part is one kind of work.
type part struct {
	name       string
	title      string
	mostRounds int
	round      func(ctx context.Context, round int) error
}

// eachSystem makes a round of what is done with one system, alone. A system that
// fails is noted, and the others go on.
func (r *Run) eachSystem(name string, can func(system.System) bool, do func(ctx context.Context, c *cluster, round int) error) func(context.Context, int) error {
	return func(ctx context.Context, round int) error {
		for _, s := range rotated(r.options.Systems, round) {
			if !can(s) {
				continue
			}
			err := r.withCluster(ctx, s, func(c *cluster) error { return do(ctx, c, round) })
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				r.note("%s, %s, round %d: %v", name, s.Name, round+1, err)
			}
		}
		return nil
	}
}

func (r *Run) withCluster(ctx context.Context, s system.System, do func(*cluster) error) error {
	c, err := r.startCluster(ctx, s)
	if err != nil {
		return err
	}
	err = do(c)
	return errors.Join(err, c.end())
}

// rotated begins with another one each round.
func rotated[T any](list []T, round int) []T {
	if len(list) == 0 {
		return nil
	}
	by := round % len(list)
	return append(slices.Clone(list[by:]), list[:by]...)
}

// wanted says whether a case is asked for.
func (r *Run) wanted(name string) bool {
	return len(r.options.Cases) == 0 || slices.ContainsFunc(r.options.Cases, func(c string) bool { return name == c || strings.HasPrefix(name, c+"/") })
}

// child starts a process of this program that does what it is asked.
func (r *Run) child(name string) (*process.Process, error) {
	env := os.Environ()
	var echo io.Writer
	if r.options.GCTrace {
		env, echo = append(env, "GODEBUG=gctrace=1"), os.Stderr
	}
	return process.Start(name, r.options.Command, env, echo)
}

func (r *Run) progress(format string, args ...any) {
	at := time.Since(r.begun).Round(time.Second)
	fmt.Fprintf(r.options.Progress, "%6s  %s\n", at, fmt.Sprintf(format, args...))
}

func (r *Run) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.progress("  ! %s", text)
	r.report.Note(text)
}
