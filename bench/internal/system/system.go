// Package system has imdgo and its peers behind one small interface: a node of
// a cluster in this process (or, with Redis, beside it), and the calls that its
// users would make.
package system

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/inelpandzic/imdgo/bench/internal/process"
)

// Node is one node of a cluster. Its methods may be called by many at once;
// caller says which of the callers it is, for systems that give each a
// connection of its own.
type Node interface {
	// Ready returns when the cluster can be written to through this node.
	Ready(ctx context.Context) error
	// Leads says whether this node is the leader of what is written to.
	Leads(ctx context.Context) (bool, error)
	// Set returns when the write is acknowledged, as this system does it; a ttl
	// of 0 is none.
	Set(ctx context.Context, caller int, key string, value []byte, ttl time.Duration) error
	// SetMany writes value under all keys, by the best that the system has for it.
	SetMany(ctx context.Context, caller int, keys []string, value []byte, ttl time.Duration) error
	// Get is the cheapest read on this node, which may be of an older state;
	// nil is no entry.
	Get(ctx context.Context, caller int, key string) ([]byte, error)
	// Read is a linearizable read, ErrNotOffered where there is none.
	Read(ctx context.Context, caller int, key string) ([]byte, error)
	// Outside is the usage of what runs for the node in other processes.
	Outside(ctx context.Context) (process.Usage, error)
	// Close ends the node and what it has started.
	Close() error
}

// ErrNotOffered is returned for what a system does not have.
var ErrNotOffered = errors.New("not offered")

// Place is what a node is told of its cluster.
type Place struct {
	Index int        // which of the nodes it is, from 0
	Addrs [][]string // of each node, as many as its system wants, free at this moment
	Dir   string     // an empty directory of this node's own, in memory where there is one
}

// Own are this node's addresses.
func (p Place) Own() []string { return p.Addrs[p.Index] }

// System is imdgo or one of its peers.
type System struct {
	Name  string // as in the options
	Title string // as in the tables
	Ports int    // that a node needs
	Open  func(Place) (Node, error)
	// Module is the Go module whose version is stated.
	Module string
	// Missing says why it cannot be run here, "" if it can.
	Missing func() string
	// Unsupported are the kinds of work it does not have, or that are measured
	// elsewhere, and why.
	Unsupported map[Op]string
	// FailsOver says whether a survivor takes over when the leader is killed.
	FailsOver bool
	// Beside says whether a node starts processes of its own, which it has to end.
	Beside bool
	// Told says what one should know of how it is set up.
	Told string
}

// Op is a kind of work.
type Op string

// The kinds of work.
const (
	OpSet     Op = "set"     // a write without a deadline
	OpSetTTL  Op = "set-ttl" // a write with one
	OpSetMany Op = "set-100" // a hundred entries at once
	OpGet     Op = "get"     // a local read
	OpRead    Op = "read"    // a linearizable read
	OpMixed   Op = "mixed"   // nine local reads to a write
)

// All are the systems, imdgo first.
var All = []System{imdgoSystem, natsSystem, etcdSystem, redisSystem, redisWaitSystem}

// Find returns the system of that name.
func Find(name string) (System, bool) {
	i := slices.IndexFunc(All, func(s System) bool { return s.Name == name })
	if i < 0 {
		return System{}, false
	}
	return All[i], true
}

// Names are those of all systems.
func Names() string {
	var names []string
	for _, s := range All {
		names = append(names, s.Name)
	}
	return strings.Join(names, ",")
}

// present is the Missing of systems that are linked in.
func present() string { return "" }

// inside is embedded by nodes that are wholly in this process.
type inside struct{}

func (inside) Outside(context.Context) (process.Usage, error) { return process.Usage{}, nil }
