package suite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/inelpandzic/imdgo/bench/internal/local"
	"github.com/inelpandzic/imdgo/bench/internal/process"
	"github.com/inelpandzic/imdgo/bench/internal/report"
)

// CaseLocal is a read of a cache in one process, on so many processors.
func CaseLocal(procs int) string { return fmt.Sprintf("local/%d", procs) }

// CaseHeap is what an entry costs in a cache in one process.
const CaseHeap = "heap"

// procs are how many processors read at once.
var procs = []int{1, 2}

// localParts are those of the caches that live in one process.
func (r *Run) localParts() (parts []part) {
	if r.wanted("local") {
		// A round of reads takes seconds: they have more rounds within one part,
		// so that their processes need not start anew.
		parts = append(parts, part{"local", "reads of 512 hot entries, decoded structs", 1, r.localReads})
	}
	if r.wanted(CaseHeap) {
		parts = append(parts, part{CaseHeap, "memory of an entry of 16 + 100 bytes in one process", 1, r.localHeap})
	}
	return parts
}

// cacheProcess is a child that hosts one kind of cache.
type cacheProcess struct {
	kind string
	*process.Process
}

func (r *Run) localReads(ctx context.Context, _ int) (err error) {
	var children []cacheProcess
	defer func() {
		for _, c := range children {
			c.Kill()
		}
	}()
	for _, kind := range r.options.Caches {
		p, err := r.child(kind)
		if err != nil {
			return err
		}
		children = append(children, cacheProcess{kind, p})
		if _, err := process.Ask[process.None](ctx, p, local.OpOpen, kind); err != nil {
			return err
		}
	}
	for round := range r.options.Rounds {
		for _, n := range procs {
			for _, c := range rotated(children, round) {
				if err := r.localRead(ctx, c, n, round); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *Run) localRead(ctx context.Context, c cacheProcess, n, round int) error {
	const most = 300 * time.Millisecond
	args := local.ReadsArgs{Procs: n, For: min(r.options.Duration, most)}
	reads, err := process.Ask[local.Reads](ctx, c.Process, local.OpReads, args)
	if err != nil {
		return err
	}
	r.report.Add(CaseLocal(n), c.kind, report.Took, reads.Nanoseconds)
	r.report.Add(CaseLocal(n), c.kind, report.Allocs, reads.Allocations)
	r.progress("  %d  %d procs  %-21s %6.1f ns, %.2f allocations", round+1, n, c.kind, reads.Nanoseconds, reads.Allocations)
	return nil
}

// localHeap fills each kind of cache, in a process that holds nothing else.
func (r *Run) localHeap(ctx context.Context, _ int) error {
	for _, kind := range r.options.Caches {
		if err := r.heapOf(ctx, kind); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			r.note("%s, %s: %v", CaseHeap, kind, err)
		}
	}
	return nil
}

func (r *Run) heapOf(ctx context.Context, kind string) error {
	p, err := r.child(kind)
	if err != nil {
		return err
	}
	defer p.Kill()
	n := float64(r.options.Entries)
	if n < 1 {
		return errors.New("there are no entries to be measured")
	}
	f, err := process.Ask[local.Filled](ctx, p, local.OpFill, local.FillArgs{Kind: kind, Entries: int(r.options.Entries)})
	if err != nil {
		return err
	}
	r.report.Add(CaseHeap, kind, report.HeapBytes, float64(f.Heap)/n)
	r.report.Add(CaseHeap, kind, report.RSSBytes, float64(f.RSS)/n)
	r.report.Add(CaseHeap, kind, report.LogBytes, float64(f.Log)/n)
	r.progress("  %-21s heap %.0f (of it log %.0f), resident %.0f bytes an entry", kind, float64(f.Heap)/n, float64(f.Log)/n, float64(f.RSS)/n)
	return nil
}
