package imdgotest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo"
)

// RunDir runs every scenario of a directory, the files that end in .txt, as a parallel subtest of its
// own. See [Run].
func RunDir(t *testing.T, dir string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios in %s: %v", dir, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			RunFile(t, path)
		})
	}
}

// RunFile runs the scenario in a file. See [Run].
func RunFile(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	run(t, filepath.Base(path), string(text))
}

// Run runs a scenario: what happens to a cluster, and what must come of it, line by line.
//
//	cluster 3
//	set n1 a=1 ttl=5s                  # must succeed
//	get n1 a -> 1                      # must return this
//	partition n1 | n2 n3 / tick 6s / eventually get n3 a -> miss
//	cas n3 a=2 was=miss -> yes
//
// The cluster is a [Cluster], and is checked as one at the end. It runs in a synctest bubble, where
// elections and timeouts take no time, unless the script says "cluster 3 net=tcp". The first statement
// that does not go as it says ends the test, with its line, what was expected and what came.
//
// # Language
//
// A line holds statements, separated by a " / " of its own; a # at the start of a word begins a comment.
// A statement is a verb, its arguments in order, options as name=value, and what is expected after
// "->":
//
//	[eventually] verb {argument} {option=value} [-> expectation]
//
// A word ends at white space. "Quotes", as in Go, keep white space and take from a word any meaning it
// has: "miss" is a string, "ttl"=5 sets the key ttl. A value is an integer if it reads as one,
// and else a string. A node is n1, n2, …, or leader or follower, which stand for a present one, or a name
// that was given to one of them, such as @old.
//
//	cluster COUNT [net=memory|tcp] [disk=yes|no] [start=yes|no]
//	name NODE @NAME                                the node that it is now
//	set NODE KEY=VALUE… [ttl=TIME]                 several pairs are one SetMany
//	add NODE KEY=VALUE [ttl=TIME] -> yes|no        SetIfAbsent
//	cas NODE KEY=VALUE was=OLD [ttl=TIME] -> yes|no   if the value is OLD; was=miss: if there is none
//	delete NODE KEY…
//	cad NODE KEY was=OLD -> yes|no                 CompareAndDelete
//	expire NODE KEY TIME -> yes|no                 0s: no deadline
//	clear NODE
//	get NODE KEY -> VALUE|miss                     this replica
//	read NODE KEY [level=local|linearizable] [staleness=TIME] -> VALUE|miss
//	ttl NODE KEY [within=TIME] -> TIME|miss        to within 1s unless told; 0s: no deadline
//	count NODE -> COUNT
//	role NODE -> leader|follower|candidate|non-voter|joining
//	hash equal                                     all replicas are the same
//	wait leader|ready|converged                    converged: same index and same hash everywhere
//	tick TIME                                      passes on the clocks of all nodes, at once
//	pause TIME                                     passes for everything, Raft's timers too
//	jump NODE TIME  ·  skew NODE ±TIME  ·  step NODE ±TIME  ·  drift NODE RATE
//	cut NODE NODE  ·  cut-one-way FROM TO  ·  isolate NODE  ·  partition NODE… [| NODE…]…  ·  heal
//	delay NODE NODE TIME  ·  start NODE  ·  kill NODE  ·  restart NODE  ·  stop NODE  ·  leave NODE
//
// Every verb from set to count also takes map=NAME (else the default map), and as its
// expectation "error", or "error NoLeader" for imdgo.ErrNoLeader. A statement without expectation must
// not fail, whatever it returns. "eventually" repeats a get, read, ttl, count, role or hash
// until it is as expected.
func Run(t *testing.T, scenario string) {
	t.Helper()
	run(t, "script", scenario)
}

func run(t *testing.T, name, text string) {
	t.Helper()
	s, err := parseScript(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(s.statements) == 0 || s.statements[0].verb != "cluster" {
		t.Fatalf("%s: a script begins with a cluster", name)
	}
	if s.statements[0].options["net"] == "tcp" {
		(&runner{t: t}).run(name, s)
		return
	}
	synctest.Test(t, func(t *testing.T) { (&runner{t: t, bubble: true}).run(name, s) })
}

// runner is the state of one run.
type runner struct {
	t       *testing.T
	bubble  bool // synctest's: there are moments when nothing is under way
	cluster *Cluster
	names   map[string]string // given to nodes
}

func (r *runner) run(name string, s *script) {
	t := r.t
	t.Helper()
	r.names = map[string]string{}
	for i := range s.statements {
		st := &s.statements[i]
		if err := r.expect(st); err != nil {
			t.Fatalf("%s:%d: %s\n%v", name, st.line, st.text, err)
		}
	}
}

// step does what a statement says and returns what came of it.
type step func(r *runner, s *statement) (any, error)

// expect performs a statement, again and again if it says eventually, and reports how what came differs from what must.
func (r *runner) expect(s *statement) error {
	do := steps[s.verb]
	once := func() error {
		got, err := do(r, s)
		return s.judge(got, err)
	}
	if !s.eventually {
		return once()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return poll(ctx, once)
}

// judge compares what came of a statement with what was expected.
func (s *statement) judge(got any, err error) error {
	switch {
	case s.want == nil && err == nil:
		return nil
	case s.want == nil:
		return err
	case s.want.fails && (err == nil || s.want.sentinel != "" && !errors.Is(err, sentinelErrors[s.want.sentinel])):
		return fmt.Errorf(" got %s\nwant error %s", outcome(got, err), s.want.sentinel)
	case s.want.fails:
		return nil
	case err != nil || !s.matches(got):
		return fmt.Errorf(" got %s\nwant %s", outcome(got, err), outcome(s.want.value, nil))
	}
	return nil
}

func (s *statement) matches(got any) bool {
	want, ok := s.want.value.(time.Duration)
	if !ok || want == 0 {
		return got == s.want.value
	}
	within := time.Second
	if w, ok := s.options["within"].(time.Duration); ok {
		within = w
	}
	d, ok := got.(time.Duration)
	return ok && d != 0 && (d-want).Abs() <= within
}

// outcome writes a result as a script would.
func outcome(v any, err error) string {
	if err != nil {
		return fmt.Sprintf("error %v", err)
	}
	switch v := v.(type) {
	case nil:
		return "success"
	case missing:
		return "miss"
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case string:
		return fmt.Sprintf("%q", v)
	}
	return fmt.Sprint(v)
}

var sentinelErrors = map[string]error{
	"NotFound": imdgo.ErrNotFound, "Closed": imdgo.ErrClosed, "NoLeader": imdgo.ErrNoLeader,
	"Timeout": imdgo.ErrTimeout, "UnknownOutcome": imdgo.ErrUnknownOutcome, "TooLarge": imdgo.ErrTooLarge,
	"Full": imdgo.ErrFull, "Stale": imdgo.ErrStale, "MapMismatch": imdgo.ErrMapMismatch,
	"Removed": imdgo.ErrRemoved, "ForeignCluster": imdgo.ErrForeignCluster, "Invalid": imdgo.ErrInvalid,
}
