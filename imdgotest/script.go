package imdgotest

import (
	"fmt"
	"time"
)

// script is a scenario as text, parsed:
//
//	cluster 3
//	set n1 a=1 ttl=5s              # must succeed
//	get n2 a -> 1                  # must return this
//	partition n1 | n2 n3 / tick 6s / eventually get n3 a -> miss
//
// A line holds statements, separated by a " / " of its own; a # at the start of a word begins a comment.
// A statement is a verb, its arguments in order, options as name=value, and what is expected after
// "->":
//
//	[eventually] verb {argument} {option=value} [-> expectation]
//
// A word ends at white space. "Quotes", as in Go, keep white space and take from a word any meaning it
// has: "miss" is a string, "ttl"=5 sets the key ttl. A value is an integer if it reads as one,
// and else a string. A node is n1, n2, …, or leader or follower, which stand for a present one.
//
//	cluster COUNT [net=memory|tcp] [disk=yes|no]
//	set NODE KEY=VALUE… [ttl=TIME]                 several pairs are one SetMany
//	add NODE KEY=VALUE [ttl=TIME] -> yes|no        SetIfAbsent
//	cas NODE KEY=VALUE was=OLD [ttl=TIME] -> yes|no   if the value is OLD; was=miss: if there is none
//	delete NODE KEY…
//	cad NODE KEY was=OLD -> yes|no                 CompareAndDelete
//	expire NODE KEY TIME -> yes|no                 0s: no deadline
//	clear NODE
//	get NODE KEY -> VALUE|miss                     this replica
//	read NODE KEY [level=local|linearizable] [staleness=TIME] -> VALUE|miss
//	ttl NODE KEY -> TIME|miss                      0s: no deadline
//	count NODE -> COUNT
//	role NODE -> leader|follower|non-voter
//	hash equal                                     all replicas are the same
//	wait leader|converged                          converged: same index and same hash everywhere
//	tick TIME                                      passes on all nodes
//	jump NODE TIME  ·  skew NODE ±TIME  ·  step NODE ±TIME  ·  drift NODE RATE
//	cut NODE NODE  ·  cut-one-way FROM TO  ·  isolate NODE  ·  partition NODE… [| NODE…]…  ·  heal
//	delay NODE NODE TIME  ·  kill NODE  ·  restart NODE  ·  stop NODE  ·  leave NODE
//
// Every verb from set to count also takes map=NAME (else the default map), and as its
// expectation "error", or "error NoLeader" for imdgo.ErrNoLeader. A statement without expectation must
// not fail, whatever it returns. "eventually" repeats a get, read, ttl, count, role or hash
// until it is as expected.
type script struct {
	statements []statement
}

// statement is one step. Which fields are set follows from the verb, see verbs.
type statement struct {
	line       int
	text       string // as written
	eventually bool
	verb       string
	nodes      []string
	groups     [][]string // of nodes, for partition
	keys       []string
	pairs      []pair
	duration   time.Duration
	rate       float64
	count      int
	word       string // what to wait for and the like
	options    map[string]any
	want       *expectation // nil: that it does not fail
}

type pair struct {
	key   string
	value any // int64 or string
}

// missing stands among values for a key that is absent.
type missing struct{}

// expectation is what must come of a statement.
type expectation struct {
	fails    bool
	sentinel string // of the error, without Err; empty: any
	value    any    // else: int64, string, missing{}, bool, time.Duration, int for a count
}

// scriptError says where a script cannot be understood.
type scriptError struct {
	line    int
	token   string // as written; empty at the end of a statement
	problem string
}

func (e *scriptError) Error() string {
	if e.token == "" {
		return fmt.Sprintf("line %d: %s", e.line, e.problem)
	}
	return fmt.Sprintf("line %d: %s: %s", e.line, e.token, e.problem)
}
