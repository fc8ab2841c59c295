package eviction

import "math/bits"

const (
	// ways is how many fingerprints are in a bucket: half a cache line.
	ways = 8
	// ticks is the span of the clock that ghosts are dated by, a quarter of what
	// 16 bits hold: a bucket is overwritten long before a date comes round again.
	ticks = 1 << 14
)

// ghosts remembers what was evicted lately: a fingerprint of 16 bits and a date
// of 16 bits each, in buckets of eight, as the paper of [S3FIFO] proposes
// (section 4.2.1). What is as old as the span is forgotten, and overwritten when
// its bucket needs the place; there is nothing to sweep. A stranger is taken for
// a ghost about once in ten thousand times.
type ghosts struct {
	slots []uint32 // fingerprint<<16 | date; 0 is empty
	span  int      // how many are remembered
	date  uint16   // never 0
	since int      // ghosts since the date last changed
}

// fit makes room for span ghosts.
func (g *ghosts) fit(span int) {
	g.span = span
	want := ways << bits.Len(uint(max(span-1, 0)/ways)) // one to two slots per ghost
	switch {
	case len(g.slots) == 0 || len(g.slots) >= 8*want:
		g.slots, g.date = make([]uint32, want), 1
	default:
		for len(g.slots) < want {
			// A bucket's ghosts belong to it or to the new one that shares its
			// lower bits; which, is not kept, so both get them.
			g.slots = append(g.slots, g.slots...)
		}
	}
}

func (g *ghosts) bucket(hash uint64) []uint32 {
	i := int(hash) & (len(g.slots)/ways - 1) * ways
	return g.slots[i : i+ways]
}

// per is how many ghosts share a date.
func (g *ghosts) per() int { return g.span/ticks + 1 }

// add remembers the hash of what was evicted.
func (g *ghosts) add(hash uint64) {
	if g.since++; g.since >= g.per() {
		g.since = 0
		if g.date++; g.date == 0 {
			g.date = 1
		}
	}
	b, oldest := g.bucket(hash), 0
	for i, slot := range b {
		if slot == 0 {
			oldest = i
			break
		}
		if g.date-uint16(slot) > g.date-uint16(b[oldest]) {
			oldest = i
		}
	}
	b[oldest] = uint32(hash>>48)<<16 | uint32(g.date)
}

// take forgets a ghost, and reports whether it was there and how many ghosts
// came after it.
func (g *ghosts) take(hash uint64) (age int, ok bool) {
	if len(g.slots) == 0 {
		return 0, false
	}
	b := g.bucket(hash)
	for i, slot := range b {
		if slot != 0 && slot>>16 == uint32(hash>>48) {
			b[i] = 0
			age = int(g.date-uint16(slot)) * g.per()
			return age, age < g.span
		}
	}
	return 0, false
}
