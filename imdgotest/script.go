package imdgotest

import (
	"fmt"
	"time"
)

// script is a scenario, parsed. [Run] says how one is written.
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
