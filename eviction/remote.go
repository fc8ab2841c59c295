package eviction

import "math/bits"

const (
	leastRemote = 1 << 10
	mostRemote  = 1 << 24 // bytes
)

// RemoteReads is what this node was told of reads on other nodes: one byte per
// slot, six bits of the hash and a count of two bits. It is lossy in both ways:
// a hash takes the slot of another, and one in 64 of the hashes that meet a taken
// slot looks like the one it was taken for. The caller of the policies that use
// it holds their lock around every call.
type RemoteReads struct {
	slots []uint8
	taken int
}

// Fit sizes it for so many entries: to the next power of two, from 1,024 up to
// 16 Mi slots. When that changes, what was noted is forgotten.
func (r *RemoteReads) Fit(entries int) {
	want := min(max(leastRemote, 1<<bits.Len(uint(max(entries-1, 0)))), mostRemote)
	if want > len(r.slots) || want*4 <= len(r.slots) {
		r.slots, r.taken = make([]uint8, want), 0
	}
}

// Note counts reads of the entry with this hash, up to 3.
func (r *RemoteReads) Note(hash uint64, count uint8) {
	if count == 0 {
		return
	}
	if len(r.slots) == 0 {
		r.Fit(leastRemote)
	}
	slot, tag := r.slot(hash)
	was := *slot
	if was == 0 {
		r.taken++
	} else if was>>2 == tag {
		count += was & 3
	}
	*slot = tag<<2 | min(count, most)
}

// Take returns the reads noted of the entry with this hash, 0 to 3, and forgets
// them.
func (r *RemoteReads) Take(hash uint64) uint8 {
	if r.Len() == 0 {
		return 0
	}
	slot, tag := r.slot(hash)
	was := *slot
	if was == 0 || was>>2 != tag {
		return 0
	}
	*slot = 0
	r.taken--
	return was & 3
}

// Len returns how many slots are taken. That of nil is 0.
func (r *RemoteReads) Len() int {
	if r == nil {
		return 0
	}
	return r.taken
}

func (r *RemoteReads) slot(hash uint64) (slot *uint8, tag uint8) {
	return &r.slots[hash&uint64(len(r.slots)-1)], uint8(hash >> 58)
}
