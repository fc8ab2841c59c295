package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/inelpandzic/imdgo/bench/internal/load"
	"github.com/inelpandzic/imdgo/bench/internal/process"
	"github.com/inelpandzic/imdgo/bench/internal/system"
)

// Host hosts nodes, by their index in the cluster.
type Host struct {
	mu      sync.Mutex // guards all below
	nodes   map[int]system.Node
	dirs    []string
	profile *os.File

	halt chan struct{} // closed to end the attempts of all nodes
}

// NewHost hosts none.
func NewHost() *Host {
	return &Host{nodes: make(map[int]system.Node), halt: make(chan struct{})}
}

// Handlers answer what a child is asked.
func (h *Host) Handlers() map[string]process.Handler {
	return map[string]process.Handler{
		OpOpen: process.On(h.open), OpReady: process.On(h.ready), OpLeads: process.On(h.leads), OpLoad: process.On(h.load),
		OpFill: process.On(h.fill), OpUsage: process.On(h.usage), OpSeries: process.On(h.series), OpWatch: process.On(h.watch),
		OpAttempts: process.On(h.attempts), OpHalt: process.On(h.haltAttempts), OpProfile: process.On(h.profiling),
	}
}

// Close ends all nodes, and removes their directories.
func (h *Host) Close() error {
	var all errgroup.Group
	for _, n := range h.list() {
		all.Go(n.Close)
	}
	err := all.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, dir := range h.dirs {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

func (h *Host) list() (nodes []system.Node) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.nodes {
		nodes = append(nodes, n)
	}
	return nodes
}

func (h *Host) node(index int) (system.Node, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n, ok := h.nodes[index]; ok {
		return n, nil
	}
	return nil, fmt.Errorf("node %d is not here", index)
}

func (h *Host) open(args OpenArgs) (none process.None, err error) {
	s, ok := system.Find(args.System)
	if !ok {
		return none, fmt.Errorf("no such system: %q", args.System)
	}
	if err := os.MkdirAll(args.Place.Dir, 0o700); err != nil {
		return none, err
	}
	n, err := s.Open(args.Place)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dirs = append(h.dirs, args.Place.Dir)
	if err != nil {
		return none, err
	}
	h.nodes[args.Place.Index] = n
	return none, nil
}

// readyWithin is how long a cluster may take to form.
const readyWithin = 30 * time.Second

func (h *Host) ready(index int) (none process.None, err error) {
	n, err := h.node(index)
	if err != nil {
		return none, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	return none, n.Ready(ctx)
}

func (h *Host) leads(index int) (bool, error) {
	n, err := h.node(index)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return n.Leads(ctx)
}

func (h *Host) load(args LoadArgs) (r load.Result, err error) {
	n, err := h.node(args.Node)
	if err != nil {
		return r, err
	}
	return load.Run(context.Background(), n, args.Spec)
}

func (h *Host) fill(args FillArgs) (none process.None, err error) {
	n, err := h.node(args.Node)
	if err != nil {
		return none, err
	}
	return none, load.Fill(context.Background(), n, args.From, args.To)
}

// usage is that of this process and of what its nodes have started.
func (h *Host) usage(collect bool) (u process.Usage, err error) {
	if collect {
		runtime.GC() // twice: what a finalizer or a pool let go of goes with the second
		runtime.GC()
	}
	if u, err = process.Here(); err != nil {
		return u, err
	}
	for _, n := range h.list() {
		outside, err := n.Outside(context.Background())
		if err != nil {
			return u, err
		}
		u = u.Add(outside)
	}
	return u, nil
}

func (h *Host) profiling(args ProfileArgs) (none process.None, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if args.Begin != "" {
		if h.profile, err = os.Create(args.Begin); err != nil {
			return none, err
		}
		return none, pprof.StartCPUProfile(h.profile)
	}
	if h.profile != nil {
		pprof.StopCPUProfile()
		err = h.profile.Close()
		h.profile = nil
	}
	if args.Heap != "" {
		err = errors.Join(err, writeHeap(args.Heap))
	}
	return none, err
}

// writeHeap writes what is live, and what has been allocated since the start.
func writeHeap(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	runtime.GC()
	return errors.Join(pprof.WriteHeapProfile(f), f.Close())
}
