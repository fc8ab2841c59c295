package main

import (
	"encoding/json"
	"time"
)

// Parent and node speak JSON, one message a line: requests on the node's
// standard input, replies on its standard output. A request may have several
// replies, the last of which says so. All times are those of this machine's
// clock, which parent and nodes share, in nanoseconds since 1970.

// childCommand is the hidden command that makes a process a node.
const childCommand = "demo-node"

type request struct {
	ID   int             `json:"id"`
	Op   string          `json:"op"`
	Args json.RawMessage `json:"args,omitempty"`
}

type reply struct {
	ID    int             `json:"id"`
	Last  bool            `json:"last,omitempty"`
	Error string          `json:"error,omitempty"`
	Body  json.RawMessage `json:"body,omitempty"`
}

// What a node is asked.
const (
	opStart   = "start"   // startArgs → nothing
	opReady   = "ready"   // → nothing, when it is
	opStats   = "stats"   // → imdgo.Stats
	opSeries  = "series"  // seriesArgs → []span in parts, then nothing
	opWatch   = "watch"   // watchArgs → true when it has begun, then []int64
	opReads   = "reads"   // readsArgs → readsDone
	opOffer   = "offer"   // → nothing: sets one value of each type
	opCompare = "compare" // → []compared
	opExpire  = "expire"  // expireArgs → span: sets a key with a TTL
	opHolds   = "holds"   // holdsArgs → held several times, then expired
	opLoad    = "load"    // loadArgs → []span in parts, then loaded
	opHalt    = "halt"    // → nothing: ends opLoad and opObserve
	opMark    = "mark"    // markArgs → imdgo.Version
	opVerify  = "verify"  // verifyArgs → verified
	opSample  = "sample"  // sampleArgs → []sample
	opFill    = "fill"    // cargoArgs → how many there are, several times, then span
	opRecall  = "recall"  // cargoArgs → how many of them this replica has
	opPlant   = "plant"   // plantArgs → nothing: sets the keys that are watched
	opFlood   = "flood"   // floodArgs → []span in parts, then loaded
	opObserve = "observe" // observeArgs → observed, several times, until opHalt
	opCram    = "cram"    // cramArgs → crammed
)

// span is one call: when it began and when it returned.
type span struct{ Start, End int64 }

func (s span) took() time.Duration { return time.Duration(s.End - s.Start) }

type startArgs struct {
	Members []string
	Bind    string
	Limit   int64 // of memory, in bytes; 0: the default
}

// seriesArgs asks for Count sets of the numbers from 1 under one key, one every
// Every.
type seriesArgs struct {
	Key   string
	Count int
	Every time.Duration
}

// watchArgs asks when each of the numbers from 1 to Count was first seen.
type watchArgs struct {
	Key   string
	Count int
}

type readsArgs struct {
	Key   string
	Count int
}

type readsDone struct {
	Hits int
	Took time.Duration
}

// compared says how a value arrived that another node has set.
type compared struct {
	Type string // what was set
	Got  string // what was read
	Same bool
}

type expireArgs struct {
	Key string
	TTL time.Duration
}

type holdsArgs struct{ Key string }

// held is what a node knows of the key while it watches it.
type held struct {
	Alive     bool
	Remaining time.Duration
	Len       int
}

// expired is when a node stopped returning the key: LastAlive is taken before
// the last read that found it, FirstMissing after the first that did not, so
// that a node that is kept waiting is never taken for a slow or an early one.
// LastCounted and FirstUncounted are the same for Len.
type expired struct {
	LastAlive, FirstMissing     int64
	LastCounted, FirstUncounted int64
}

// loadArgs starts two writers: one that sets Prefix-0, Prefix-1 and so on, and
// one that increments a counter by CompareAndSwap. Each pauses after a write.
type loadArgs struct {
	Prefix string
	Pause  time.Duration
}

// loaded is what the writers of one node have done.
type loaded struct {
	Sets    int      // keys tried, from 0
	Except  []int    // those that were not acknowledged
	Swaps   int      // increments that were acknowledged
	Unknown int      // writes of both kinds with ErrUnknownOutcome
	Errors  []string // of all that failed, the first few
}

type markArgs struct{ Key string }

// verifyArgs names what must be there.
type verifyArgs struct{ Loads map[string]loaded }

type verified struct {
	Missing []string // acknowledged and not there, the first few
	Present int      // acknowledged and there
	Len     int
	Counter int
}

// cargoArgs names entries that are there for their number, see cargo.
type cargoArgs struct {
	Prefix string
	Count  int
}

type sampleArgs struct{ For, Every time.Duration }

// sample is a state hash, and the log index that it is of.
type sample struct{ Index, Hash uint64 }

// plantArgs asks for Count hot keys and as many cold ones, set in one step.
type plantArgs struct{ Count, Size int }

// floodArgs asks for Count entries with values of Size bytes, set one by one by
// Writers at once. Each of them pauses after a write, and all end early when For
// has passed, unless it is 0.
type floodArgs struct {
	Prefix               string
	Count, Size, Writers int
	Pause, For           time.Duration
}

// observeArgs asks for an eye on the budget and on the planted keys. The hot ones
// are also read if Read says so; looking whether a key is there is no read.
type observeArgs struct {
	Count int
	Read  bool
}

// observed is what a node has seen since it was asked to observe.
type observed struct {
	At        int64
	Samples   int   // of AccountedBytes
	Over      int   // of them above BudgetBytes
	Peak      int64 // the largest AccountedBytes
	Accounted int64 // the latest
	Budget    int64
	Entries   int
	Evicted   int
	Since     int64 // when the first eviction was seen; 0: none was
	Hot, Cold []bool
}

// cramArgs asks for values of Size bytes, Batch of them at once, in a map that
// evicts nothing, until there is no room: at the latest when it has taken Most.
type cramArgs struct{ Batch, Size, Most int }

type crammed struct {
	Stored  int    // entries that were acknowledged
	Held    int    // entries of the map after the refusal
	Partly  int    // keys of the refused batch that are there
	Full    bool   // it was ErrFull
	Refusal string // the error, "" if there was none
}
