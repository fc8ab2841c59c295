package imdgo

import (
	"math"

	"github.com/inelpandzic/imdgo/internal/memory"
	"github.com/inelpandzic/imdgo/internal/node"
)

const (
	// DefaultMemoryPercent is the cache's share of the application's memory.
	DefaultMemoryPercent = 20.0
	// MinMemory is the least budget a cache works with, in bytes.
	MinMemory = 1 << 20
)

// decodedPart is the part of the budget that decoded values may take beside it.
const decodedPart = 4

// budgetSettings is what the options say of memory.
type budgetSettings struct {
	percent  float64 // 0: not named
	bytes    int64   // 0: not named
	decoded  int64   // of decoded values; -1: not named
	logLimit int64   // 0: not named
}

// WithMemoryPercent bounds the cache by a share of the application's memory,
// which is the smallest of GOMEMLIMIT, the memory limit of the process's cgroup
// and of those above it, and what the machine has. It is more than 0 and at most
// 100; 20 unless named. WithMemoryLimit names bytes instead.
//
// The budget holds keys and values with all that their entries need (index,
// order of eviction, versions, deadlines) and Raft's log. An eighth of it is for
// the log and for sending the state to another node. When the rest is used,
// entries are evicted in the same step that needs their room, on all nodes alike
// ([EvictionPolicy] says which). Of nodes with different budgets the smallest
// rules for all, see [Stats.BudgetOf]; a node that would more than halve it is
// not let in, unless its budget is one in bytes.
//
// Decoded values that were read on this node come on top, see WithDecodedLimit,
// and so does what Go's garbage collector leaves lying: at GOGC=100 the heap grows
// to about twice what lives in it. Go does not know the cgroup's limit. Set
// GOMEMLIMIT, for instance to nine tenths of it, where the share is a third or
// more. Under GOMEMLIMIT a process needs 1.10 times the budget with the decoded
// values, 48 MiB, and what the application needs. New warns when the budget cannot
// hold.
//
// A node that has fallen far behind is sent the whole state. If that has no room
// beside the former one, the former goes first, and until the new one is complete
// local reads there miss, linearizable reads and writes wait. Only if it is behind
// by fewer than 8 batches, or its log ends with writes that no majority has, it
// holds both, which may be twice the budget.
//
// What the heap grows by is within a tenth of what is accounted for, and within an
// eighth where the values have but a few bytes. That is not so of maps with the
// policies [LRU] and [TwoQueue], and after much has been deleted, until there is as
// much again.
func WithMemoryPercent(percent float64) Option {
	return option(func(s *settings) error {
		if !(percent > 0 && percent <= 100) { // nor NaN
			return invalid("memory budget of %v %%: it is more than 0 and at most 100 %%", percent)
		}
		s.memory.percent = percent
		return nil
	})
}

// WithMemoryLimit bounds the cache by bytes, at least [MinMemory]. What they
// hold is said at WithMemoryPercent, of which this takes the place.
func WithMemoryLimit(bytes int64) Option {
	return option(func(s *settings) error {
		if bytes < MinMemory {
			return invalid("memory budget of %d bytes: it is at least %d", bytes, MinMemory)
		}
		s.memory.bytes = bytes
		return nil
	})
}

// WithDecodedLimit sets how many bytes the decoded values may take that are kept
// beside the encoded ones on this node, so that the next Get need not decode: a
// quarter of the memory budget unless named. They come on top of that. Their size
// is an estimate; what has not been read for longest goes first. With 0 none are
// kept.
func WithDecodedLimit(bytes int64) Option {
	return option(func(s *settings) error {
		if bytes < 0 {
			return invalid("limit of %d bytes for decoded values: it is negative", bytes)
		}
		s.memory.decoded = bytes
		return nil
	})
}

// plan is what becomes of the memory that a node has.
type plan struct {
	node.Budget
	logLimit int64
	decoded  int64
	process  memory.Limit
}

// plan shares the budget out. durable is whether the log is on disk.
func (b budgetSettings) plan(durable bool) (plan, error) {
	if b.percent != 0 && b.bytes != 0 {
		return plan{}, invalid("WithMemoryPercent(%v) and WithMemoryLimit(%d): name one of them", b.percent, b.bytes)
	}
	process, err := memory.System.Smallest()
	if err != nil && b.bytes == 0 {
		return plan{}, doing("finding the memory budget", "", err)
	}
	total := b.bytes
	if total == 0 {
		percent := b.percent
		if percent == 0 {
			percent = DefaultMemoryPercent
		}
		if total = int64(float64(process.Bytes) * percent / 100); total < MinMemory {
			return plan{}, invalid("memory budget of %v %% of %d bytes (%s): that is %d bytes, and it is at least %d",
				percent, process.Bytes, process.Source, total, MinMemory)
		}
	}
	p := plan{process: process, decoded: b.decoded}
	if p.decoded < 0 {
		p.decoded = total / decodedPart
	}
	p.Log, p.logLimit = logShare(total, b.logLimit, durable)
	if p.Log > total/2 {
		return plan{}, invalid("log limit %d: with what a transfer keeps it may take %d bytes, more than half of the memory budget of %d",
			b.logLimit, p.Log, total)
	}
	p.Entries, p.Named = total-p.Log, b.bytes != 0
	return p, nil
}

// logShare is how much of the budget the log may take in memory, and what a
// transfer of the state keeps, and at how many bytes the log is trimmed.
func logShare(total, named int64, durable bool) (share, limit int64) {
	const (
		part      = 8
		least     = 2 << 20 // or a log that is trimmed late would soon exceed it
		transfers = 3       // times the limit, before a transfer holds up the writes
	)
	share = max(total/part, min(least, total/2))
	switch {
	case durable && named != 0:
		return share, named
	case durable:
		return share, DefaultLogLimit
	case named != 0:
		return transfers * named, named
	}
	return share, min(DefaultLogLimit, share/transfers)
}

// warn says why the budget may not hold, "" if it does.
func (p plan) warn() string {
	if p.process.Bytes == 0 || p.process.Bytes == math.MaxInt64 {
		return ""
	}
	return memory.Collector().Misfit(p.Total()+p.decoded, p.process)
}
