// Package node is what a child process does: it hosts the nodes of a system (one
// of them, or all in the mode of one process), and works on them as it is told.
package node

import (
	"time"

	"github.com/inelpandzic/imdgo/bench/internal/load"
	"github.com/inelpandzic/imdgo/bench/internal/system"
)

// What a child is asked.
const (
	OpOpen     = "open"     // OpenArgs → nothing
	OpReady    = "ready"    // int, the node → nothing, when it is
	OpLeads    = "leads"    // int → bool
	OpLoad     = "load"     // LoadArgs → load.Result
	OpFill     = "fill"     // FillArgs → nothing
	OpUsage    = "usage"    // bool, whether to collect garbage first → process.Usage
	OpSeries   = "series"   // SeriesArgs → []Span
	OpWatch    = "watch"    // SeriesArgs → []int64
	OpAttempts = "attempts" // AttemptsArgs → []int64, once halted
	OpHalt     = "halt"     // → nothing
	OpProfile  = "profile"  // ProfileArgs → nothing
)

// OpenArgs opens a node.
type OpenArgs struct {
	System string
	Place  system.Place
}

// LoadArgs has callers work on a node.
type LoadArgs struct {
	Node int
	Spec load.Spec
}

// FillArgs writes the keys From…To with a TTL, a hundred at a time.
type FillArgs struct {
	Node     int
	From, To uint64
}

// SeriesArgs are writes of the numbers from 1 to Count under one key, one every
// Every: to be made, or to be watched for.
type SeriesArgs struct {
	Node  int
	Key   string
	Count int
	Every time.Duration
}

// Span is one call: when it began and when it returned, in nanoseconds since 1970.
type Span struct{ Start, End int64 }

// AttemptsArgs writes without an end, and notes when each write was
// acknowledged.
type AttemptsArgs struct {
	Node     int
	Callers  int
	Patience time.Duration // with one write
}

// ProfileArgs begins a processor profile, or ends the one under way if Begin is
// "". Heap is where a profile of the heap goes, "" is nowhere.
type ProfileArgs struct{ Begin, Heap string }
