// Package memory finds out how much memory this process may use, and whether
// Go's garbage collector leaves a budget room in it. It sets nothing.
package memory

import (
	"errors"
	"fmt"
	"math"
	"runtime/metrics"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// Limit is how many bytes something may take, and who says so.
type Limit struct {
	Bytes  int64
	Source string
}

// String says both, in MiB.
func (l Limit) String() string { return fmt.Sprintf("%d MiB (%s)", l.Bytes>>20, l.Source) }

// Sources are where the limits are read. A source without a limit returns 0.
type Sources struct {
	GoMemLimit, Cgroup, Machine func() (int64, error)
}

// System is this process on this machine.
var System = Sources{
	GoMemLimit: func() (int64, error) { return unlessNone(Collector().MemLimit), nil },
	Cgroup:     func() (int64, error) { return provided(memlimit.FromCgroup()) },
	Machine:    func() (int64, error) { return provided(memlimit.FromSystem()) },
}

func provided(bytes uint64, err error) (int64, error) {
	switch {
	case errors.Is(err, memlimit.ErrNoLimit), errors.Is(err, memlimit.ErrNoCgroup), errors.Is(err, memlimit.ErrCgroupsNotSupported):
		return 0, nil
	case err != nil:
		return 0, err
	}
	return int64(min(bytes, math.MaxInt64)), nil
}

// Smallest is what this process may use: the smallest of GOMEMLIMIT, the limit of
// its cgroup and of those above it, and the machine's memory. A source that
// cannot be read is an error if no other one has a limit.
func (s Sources) Smallest() (Limit, error) {
	least := Limit{Bytes: math.MaxInt64}
	var failed error
	for _, source := range []struct {
		name string
		read func() (int64, error)
	}{{"GOMEMLIMIT", s.GoMemLimit}, {"cgroup", s.Cgroup}, {"machine", s.Machine}} {
		bytes, err := source.read()
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("reading the memory limit of the %s: %w", source.name, err))
		} else if bytes > 0 && bytes < least.Bytes {
			least = Limit{bytes, source.name}
		}
	}
	if least.Source == "" {
		return Limit{}, errors.Join(errors.New("nothing says how much memory there is"), failed)
	}
	return least, nil
}

// GC is how the garbage collector has been set.
type GC struct {
	Percent  int64 // GOGC; math.MaxInt64 when it is off
	MemLimit int64 // GOMEMLIMIT in bytes; math.MaxInt64 when there is none
}

// Collector reads it.
func Collector() GC {
	samples := []metrics.Sample{{Name: "/gc/gogc:percent"}, {Name: "/gc/gomemlimit:bytes"}}
	metrics.Read(samples)
	return GC{number(samples[0].Value), number(samples[1].Value)}
}

func number(v metrics.Value) int64 {
	if v.Kind() != metrics.KindUint64 {
		return math.MaxInt64
	}
	return int64(min(v.Uint64(), math.MaxInt64))
}

// Overhead is what a heap that is collected under GOMEMLIMIT needs beside what
// lives, as a share of that: with less the collector hardly ever rests. Fixed is
// what a process needs apart from that, in bytes: some 6 MiB of the runtime's, 10 of
// the program's file, what is on its way to Raft's log and in it, and room in which
// the collector can do its work. With 8 MiB in its place a process with a budget of
// 128 MiB survives as well, but takes in half as many bytes per second
// (TestResidentMemory of the root package).
const (
	Overhead = 0.10
	Fixed    = 48 << 20
)

// Needs is what a process needs that holds so many live bytes, all in all.
func Needs(live int64) int64 { return live + int64(float64(live)*Overhead) + Fixed }

// Misfit says why so many live bytes may not fit into what the process may use,
// "" if they do. Go lets the heap grow to (1 + GOGC/100) times what lives unless
// GOMEMLIMIT stops it, and knows nothing of the cgroup's limit.
// (A Guide to the Go Garbage Collector, go.dev/doc/gc-guide.)
func (gc GC) Misfit(live int64, process Limit) string {
	if needs := Needs(live); needs > process.Bytes {
		return fmt.Sprintf("with %d %% and %d MiB beside it, it needs %d MiB of memory, and there are %s",
			int(Overhead*100), Fixed>>20, needs>>20, process)
	}
	if gc.MemLimit < math.MaxInt64 {
		return ""
	}
	if gc.Percent == math.MaxInt64 {
		return "GOGC is off, and no GOMEMLIMIT is set: nothing is ever collected"
	}
	if peak := float64(live) * (1 + float64(gc.Percent)/100); peak > float64(process.Bytes) {
		return fmt.Sprintf("at GOGC=%d the heap grows to %d MiB, and there are %s: set GOMEMLIMIT",
			gc.Percent, int64(peak)>>20, process)
	}
	return ""
}

func unlessNone(limit int64) int64 {
	if limit == math.MaxInt64 {
		return 0
	}
	return limit
}
