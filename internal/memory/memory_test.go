package memory_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/inelpandzic/imdgo/internal/memory"
)

const mib = 1 << 20

// says is a source that answers with so many bytes.
func says(bytes int64) func() (int64, error) {
	return func() (int64, error) { return bytes, nil }
}

var errUnread = errors.New("no permission")

func fails() (int64, error) { return 0, errUnread }

func TestTheSmallestLimitCounts(t *testing.T) {
	tests := []struct {
		name                string
		goMem, cgroup, host func() (int64, error)
		want                memory.Limit
	}{
		{"only the machine's", says(0), says(0), says(8 << 30), memory.Limit{Bytes: 8 << 30, Source: "machine"}},
		{"the cgroup's is smaller", says(0), says(512 * mib), says(8 << 30), memory.Limit{Bytes: 512 * mib, Source: "cgroup"}},
		{"the cgroup's is larger than the machine", says(0), says(1 << 40), says(8 << 30), memory.Limit{Bytes: 8 << 30, Source: "machine"}},
		{"GOMEMLIMIT below the cgroup's", says(450 * mib), says(512 * mib), says(8 << 30), memory.Limit{Bytes: 450 * mib, Source: "GOMEMLIMIT"}},
		{"GOMEMLIMIT above it", says(600 * mib), says(512 * mib), says(8 << 30), memory.Limit{Bytes: 512 * mib, Source: "cgroup"}},
		{"two that are equal", says(512 * mib), says(512 * mib), says(512 * mib), memory.Limit{Bytes: 512 * mib, Source: "GOMEMLIMIT"}},
		{"one that cannot be read", fails, says(512 * mib), fails, memory.Limit{Bytes: 512 * mib, Source: "cgroup"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := memory.Sources{GoMemLimit: test.goMem, Cgroup: test.cgroup, Machine: test.host}.Smallest()
			if err != nil || got != test.want {
				t.Errorf("got %v, %v, want %v", got, err, test.want)
			}
		})
	}
}

func TestNobodySaysHowMuchThereIs(t *testing.T) {
	if got, err := (memory.Sources{GoMemLimit: says(0), Cgroup: says(0), Machine: says(0)}).Smallest(); err == nil {
		t.Errorf("%v out of nothing", got)
	}
	_, err := memory.Sources{GoMemLimit: says(0), Cgroup: fails, Machine: fails}.Smallest()
	if !errors.Is(err, errUnread) || !strings.Contains(err.Error(), "of the cgroup") || !strings.Contains(err.Error(), "of the machine") {
		t.Errorf("two sources could not be read: %v", err)
	}
}

// What this machine says can be read, and is at least what a test needs.
func TestThisProcessHasMemory(t *testing.T) {
	limit, err := memory.System.Smallest()
	if err != nil || limit.Bytes < 64*mib || limit.Bytes == math.MaxInt64 {
		t.Errorf("%v, %v", limit, err)
	}
	if gc := memory.Collector(); gc.Percent <= 0 || gc.MemLimit <= 0 {
		t.Errorf("the collector's settings: %+v", gc)
	}
}

func TestWhatDoesNotFitIsSaid(t *testing.T) {
	const none = math.MaxInt64
	const live = 1000 * mib
	tests := []struct {
		name    string
		gc      memory.GC
		process int64
		says    string // "": it fits
	}{
		{"a fifth of the machine", memory.GC{Percent: 100, MemLimit: none}, 5 * live, ""},
		{"the heap may double", memory.GC{Percent: 100, MemLimit: none}, 2 * live, ""},
		{"and there is less than that", memory.GC{Percent: 100, MemLimit: none}, 2*live - 1, "GOGC=100"},
		{"a smaller GOGC", memory.GC{Percent: 50, MemLimit: none}, 2*live - 1, ""},
		{"GOMEMLIMIT is set", memory.GC{Percent: 100, MemLimit: memory.Needs(live)}, memory.Needs(live), ""},
		{"GOMEMLIMIT is too small", memory.GC{Percent: 100, MemLimit: memory.Needs(live) - 1}, memory.Needs(live) - 1, "it needs"},
		{"GOGC is off, and GOMEMLIMIT is set", memory.GC{Percent: none, MemLimit: memory.Needs(live)}, memory.Needs(live), ""},
		{"GOGC is off, and nothing else", memory.GC{Percent: none, MemLimit: none}, 100 * live, "GOGC is off"},
		{"more than all there is", memory.GC{Percent: 100, MemLimit: none}, live, "it needs"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			why := test.gc.Misfit(live, memory.Limit{Bytes: test.process, Source: "cgroup"})
			if test.says == "" && why != "" || !strings.Contains(why, test.says) {
				t.Errorf("it says %q, and is to say %q", why, test.says)
			}
		})
	}
}
