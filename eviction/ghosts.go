package eviction

import "math/bits"

const (
	// ways is how many ghosts are in a bucket: half a cache line.
	ways = 8
	// ticks is the most that the dates of ghosts which are still of interest are
	// apart, a quarter of what 16 bits hold: a bucket is overwritten long before
	// a date comes round again.
	ticks = 1 << 14
)

// ghosts remembers what was evicted lately: a fingerprint of 16 bits and a date
// of 16 bits each, in buckets of eight, as the paper of [S3FIFO] proposes
// (section 4.2). A new ghost takes the place of the oldest in its bucket, so
// there is nothing to sweep. A stranger is taken for a ghost about once in ten
// thousand times.
//
// Dates are readings of a count that the caller keeps, which may wrap around.
type ghosts struct {
	slots []uint32 // fingerprint<<16 | date; 0 is empty
	shift int      // a date is the count without so many of its lower bits
}

// fit makes room for at least so many ghosts, and for at most twice as many. now
// is the count.
func (g *ghosts) fit(least int, now uint32) {
	want := ways << bits.Len(uint(max(least-1, 0)/ways))
	if len(g.slots) == 0 || len(g.slots) >= 4*want {
		g.slots, g.shift = make([]uint32, want), 0
		for want>>g.shift > ticks {
			g.shift++
		}
	}
	for len(g.slots) < want {
		g.double(now)
	}
}

// double makes twice the room. The ghosts of a bucket belong to it or to the new
// one that shares its lower bits; which of them is not kept, so both get them.
func (g *ghosts) double(now uint32) {
	if 2*len(g.slots)>>g.shift > ticks {
		for i, slot := range g.slots {
			if slot != 0 {
				age := uint16(now>>g.shift) - uint16(slot)
				g.slots[i] = slot&^0xffff | uint32(uint16(now>>(g.shift+1))-age/2)
			}
		}
		g.shift++
	}
	g.slots = append(g.slots, g.slots...)
}

func (g *ghosts) bucket(hash uint64) []uint32 {
	i := int(hash&uint64(len(g.slots)/ways-1)) * ways
	return g.slots[i : i+ways]
}

// add remembers the hash of what is evicted, under a count that is not after now.
func (g *ghosts) add(hash uint64, count, now uint32) {
	today := uint16(now >> g.shift)
	b, oldest := g.bucket(hash), 0
	for i, slot := range b {
		if slot == 0 {
			oldest = i
			break
		}
		if today-uint16(slot) > today-uint16(b[oldest]) {
			oldest = i
		}
	}
	b[oldest] = uint32(hash>>48)<<16 | uint32(uint16(count>>g.shift))
}

// take forgets a ghost, and returns how far back its count was; false if there
// is none.
func (g *ghosts) take(hash uint64, now uint32) (age uint32, ok bool) {
	if len(g.slots) == 0 {
		return 0, false
	}
	b := g.bucket(hash)
	for i, slot := range b {
		if slot != 0 && slot>>16 == uint32(hash>>48) {
			b[i] = 0
			age = uint32(uint16(now>>g.shift)-uint16(slot)) << g.shift
			return age, age <= uint32(len(g.slots))
		}
	}
	return 0, false
}
