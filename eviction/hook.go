package eviction

import "sync/atomic"

// most is the number of reads at which a mark stays: two bits, as in the paper
// of [S3FIFO]. More would take longer to forget.
const most = 3

// place is where an entry stands.
type place uint8

const (
	nowhere   place = iota
	probation       // the queue of the new, where a policy has one
	protected       // the queue of those that have proved themselves, or the only one
	condemned       // named as a victim, and not gone yet
)

// Hook is what a policy keeps in an entry, 24 bytes. The zero value is that of
// an entry in no policy; an entry is in one at a time. All but the mark is
// guarded by the lock of the policy's caller.
type Hook[E any] struct {
	prev, next E // in the queue: prev is the younger one

	mark atomic.Uint32
	// where is a count and two places. The count, of 28 bits, is of the policy's
	// additions when the entry came or was last reprieved.
	where uint32
}

const (
	placeBits = 2
	placeMask = 1<<placeBits - 1
	countBits = 32 - 2*placeBits
	countMask = 1<<countBits - 1
)

// at is where the entry stands.
func (h *Hook[E]) at() place { return place(h.where & placeMask) }

func (h *Hook[E]) setAt(p place) { h.where = h.where&^placeMask | uint32(p) }

// from is the queue that an entry stood in which is named; see vouch for others.
func (h *Hook[E]) from() place { return place(h.where >> placeBits & placeMask) }

func (h *Hook[E]) setFrom(p place) {
	h.where = h.where&^(placeMask<<placeBits) | uint32(p)<<placeBits
}

// count is when it came or was last reprieved, in additions.
func (h *Hook[E]) count() uint32 { return h.where >> (2 * placeBits) }

func (h *Hook[E]) setCount(n uint32) {
	h.where = n<<(2*placeBits) | h.where&(1<<(2*placeBits)-1)
}

// vouch notes of an entry of the main queue whether the last that passed it over
// was another node, for reads that this one has not seen. It counts as one read
// here, so that a replica without reads that comes to lead knows who was read.
func (h *Hook[E]) vouch(yes bool) {
	h.setFrom(nowhere)
	if yes {
		h.setFrom(protected)
	}
}

func (h *Hook[E]) vouched() bool { return h.at() == protected && h.from() == protected }

// Touch marks the entry as read, or overwritten. It may be called at any time
// and by many at once, without the lock. It loses marks: two that touch at the
// same time may count as one, and so may one that meets the policy's judgement.
// Once the mark is at its limit nothing is written, so the cache line of an
// entry that many cores read stays shared between them.
func (h *Hook[E]) Touch() {
	if m := h.mark.Load(); m&counted < most {
		h.mark.CompareAndSwap(m, m+1)
	}
}

// Touched returns how many touches the policy has not yet judged, at most 3.
func (h *Hook[E]) Touched() int { return int(h.mark.Load() & counted) }

// The mark is a number of touches and a bit that is the caller's.
const (
	counted = 1<<2 - 1
	flagged = 1 << 2
)

// setTouched replaces the number of touches.
func (h *Hook[E]) setTouched(n uint32) {
	for {
		m := h.mark.Load()
		if h.mark.CompareAndSwap(m, m&^counted|n) {
			return
		}
	}
}

// Flag sets a bit that no policy looks at, and reports whether it was not set
// before. Who holds entries back for some purpose of its own uses it to have each
// of them once. Like Touch it may be called at any time.
func (h *Hook[E]) Flag() bool {
	for m := h.mark.Load(); m&flagged == 0; m = h.mark.Load() {
		if h.mark.CompareAndSwap(m, m|flagged) {
			return true
		}
	}
	return false
}

// Unflag takes the bit back.
func (h *Hook[E]) Unflag() {
	for m := h.mark.Load(); m&flagged != 0; m = h.mark.Load() {
		if h.mark.CompareAndSwap(m, m&^flagged) {
			return
		}
	}
}
