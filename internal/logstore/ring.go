// Package logstore keeps Raft's log, in memory (Ring) or on disk (Durable), and
// knows how many bytes it takes, which is what its length must be bounded by:
// raft itself counts entries, and ten thousand batches can be gigabytes.
package logstore

import (
	"fmt"
	"sync"

	"github.com/hashicorp/raft"
)

// entryOverhead is about what an entry takes beside its data: a place in the ring,
// 96 bytes, of which there are one to two for each entry, and up to four when the
// log has been trimmed.
const entryOverhead = 176

// smallest is the ring's least length.
const smallest = 256

// Ring is a raft.LogStore of consecutive entries. It copies the raft.Log that
// it is given, since that one is part of a future and would keep the response
// alive (raft.InmemStore keeps it), and shares the entry's data.
type Ring struct {
	mu          sync.RWMutex
	slots       []raft.Log // by index, modulo the length, which is a power of two
	first, last uint64     // 0 and 0: empty
	bytes       int64
	pin         uint64 // entries from it on stay; 0: none has to
	limit       int64
	over        func()
}

// NewRing returns an empty log. over is called, with a lock held, whenever
// entries are stored and the log takes more than limit bytes.
func NewRing(limit int64, over func()) *Ring {
	return &Ring{slots: make([]raft.Log, smallest), limit: limit, over: over}
}

// Pin keeps the entries from index on in the log, also when raft trims it, until
// Unpin. There is one pin: a later one replaces it.
func (r *Ring) Pin(index uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pin = index
}

// Unpin ends what Pin began.
func (r *Ring) Unpin() { r.Pin(0) }

// Tail is how many of the newest entries take up to bytes together, at least 1.
func (r *Ring) Tail(bytes int64) uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n, taken := uint64(0), int64(0)
	for i := r.last; i != 0 && i >= r.first; i-- {
		if taken += size(r.at(i)); taken > bytes {
			break
		}
		n++
	}
	return max(n, 1)
}

// FirstIndex returns the index of the oldest entry, 0 for none.
func (r *Ring) FirstIndex() (uint64, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.first, nil
}

// LastIndex returns the index of the newest entry, 0 for none.
func (r *Ring) LastIndex() (uint64, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.last, nil
}

// Bytes is what the entries take.
func (r *Ring) Bytes() int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.bytes
}

// IsMonotonic tells raft that entries follow each other without a gap, so that
// after a restored snapshot everything before it has to go.
func (r *Ring) IsMonotonic() bool { return true }

// GetLog copies the entry at index to log. raft.ErrLogNotFound is returned when
// it is not there.
func (r *Ring) GetLog(index uint64, log *raft.Log) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if index == 0 || index < r.first || index > r.last {
		return raft.ErrLogNotFound
	}
	*log = *r.at(index)
	return nil
}

// StoreLog adds an entry.
func (r *Ring) StoreLog(log *raft.Log) error { return r.StoreLogs([]*raft.Log{log}) }

// StoreLogs adds entries, which must follow the last one.
func (r *Ring) StoreLogs(logs []*raft.Log) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, log := range logs {
		if r.last != 0 && log.Index != r.last+1 {
			return fmt.Errorf("storing log entry %d: the last one is %d", log.Index, r.last)
		}
		if r.last == 0 {
			r.first = log.Index
		}
		r.resize(log.Index - r.first + 1)
		r.last = log.Index
		*r.at(log.Index) = *log
		r.bytes += size(log)
	}
	if r.bytes > r.limit {
		r.over()
	}
	return nil
}

// DeleteRange removes the entries from lowest to highest, which must be at one
// end of the log or all of it: raft trims the head after a snapshot and the
// tail when a new leader overrules it. Of the head, what is pinned stays.
func (r *Ring) DeleteRange(lowest, highest uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	lowest, highest = max(lowest, r.first), min(highest, r.last)
	if r.pin != 0 && lowest == r.first && highest < r.last {
		highest = min(highest, r.pin-1)
	}
	if r.last == 0 || lowest > highest {
		return nil
	}
	if lowest != r.first && highest != r.last {
		return fmt.Errorf("deleting log entries %d to %d would leave a gap between %d and %d",
			lowest, highest, r.first, r.last)
	}
	for i := lowest; i <= highest; i++ {
		r.bytes -= size(r.at(i))
		*r.at(i) = raft.Log{}
	}
	switch {
	case lowest == r.first && highest == r.last:
		r.first, r.last = 0, 0
	case lowest == r.first:
		r.first = highest + 1
	default:
		r.last = lowest - 1
	}
	r.resize(r.last - r.first + 1)
	return nil
}

func (r *Ring) at(index uint64) *raft.Log { return &r.slots[index&uint64(len(r.slots)-1)] }

// resize makes room for n entries, and gives back what a burst has left: the
// ring doubles when it is full and is halved at an eighth.
func (r *Ring) resize(n uint64) {
	length := uint64(len(r.slots))
	for length < n {
		length *= 2
	}
	for length > smallest && n <= length/8 {
		length /= 2
	}
	if length == uint64(len(r.slots)) {
		return
	}
	slots := make([]raft.Log, length)
	if r.last != 0 {
		for i := r.first; i <= r.last; i++ {
			slots[i&(length-1)] = *r.at(i)
		}
	}
	r.slots = slots
}

// size goes by the capacities: a batch is put together in a buffer that is a little
// larger, and that of a single small write is mostly air.
func size(log *raft.Log) int64 {
	return int64(cap(log.Data)+cap(log.Extensions)) + entryOverhead
}

// Close does nothing: the log ends with the process.
func (r *Ring) Close() error { return nil }
