package process

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Usage is what a process has used of the machine.
type Usage struct {
	CPU     time.Duration // user and system, since it began
	RSS     int64         // bytes resident now
	Heap    int64         // bytes of live and not yet collected objects
	Mallocs uint64        // objects allocated since it began
}

// Add adds another process's.
func (u Usage) Add(v Usage) Usage {
	return Usage{u.CPU + v.CPU, u.RSS + v.RSS, u.Heap + v.Heap, u.Mallocs + v.Mallocs}
}

// CPU is the processor time that this process has had, by getrusage.
func CPU() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("asking for the processor time: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// Here is this process's usage.
func Here() (Usage, error) {
	cpu, err := CPU()
	if err != nil {
		return Usage{}, err
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Usage{CPU: cpu, RSS: resident(), Heap: int64(m.HeapAlloc), Mallocs: m.Mallocs}, nil
}

// resident is this process's resident memory, 0 where there is no /proc.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
