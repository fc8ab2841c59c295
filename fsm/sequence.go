package fsm

import (
	"slices"
	"sort"
)

// segmentSize is how many entries a segment takes.
const segmentSize = 512

// sequence has a map's entries in the order in which they came, which is the
// order of a snapshot and of a walk, and what a policy builds on. It costs 16
// bytes per entry: a number in the entry and a place in a segment.
//
// It is guarded by the machine's mutex. Who walks it takes that for a segment
// at a time, and remembers the number that it has come to; a number is never
// used again, so nothing comes up twice, wherever segments have been merged.
type sequence struct {
	segments []*segment // by number, none empty
	next     uint64     // the number of the next entry
}

// segment holds entries whose numbers are from first to last, in their order.
// Where one has gone there is a nil.
type segment struct {
	first, last uint64
	entries     []*Entry
	live        int
}

// add puts e at the end.
func (s *sequence) add(e *Entry) {
	s.next++
	e.setNumber(s.next)
	last := len(s.segments) - 1
	if last < 0 || len(s.segments[last].entries) == segmentSize {
		s.segments = append(s.segments, &segment{first: e.number(), entries: make([]*Entry, 0, segmentSize)})
		last++
	}
	g := s.segments[last]
	g.entries = append(g.entries, e)
	g.last = e.number()
	g.live++
}

// remove takes e out, and gives back what sparse segments take.
func (s *sequence) remove(e *Entry) {
	at := s.segmentOf(e.number())
	g := s.segments[at]
	g.entries[g.placeOf(e)] = nil
	if g.live--; g.live > segmentSize/4 {
		return
	}
	if g.live == 0 {
		s.segments = slices.Delete(s.segments, at, at+1)
		return
	}
	if at > 0 && s.segments[at-1].fits(g) {
		s.merge(at - 1)
	} else if at+1 < len(s.segments) && g.fits(s.segments[at+1]) {
		s.merge(at)
	}
}

// segmentOf is the segment that a number is in, or the next one.
func (s *sequence) segmentOf(number uint64) int {
	return sort.Search(len(s.segments), func(i int) bool { return s.segments[i].last >= number })
}

// placeOf finds e, at once unless the segment has been merged.
func (g *segment) placeOf(e *Entry) int {
	if i := int(e.number() - g.first); i < len(g.entries) && g.entries[i] == e {
		return i
	}
	return slices.Index(g.entries, e)
}

// fits reports whether one segment can take what is left of both, with room so
// that they are not merged again at once.
func (g *segment) fits(next *segment) bool { return g.live+next.live <= segmentSize*3/4 }

// merge makes one segment of two neighbours. Whoever has a copy of their
// entries keeps it.
func (s *sequence) merge(at int) {
	a, b := s.segments[at], s.segments[at+1]
	entries := make([]*Entry, 0, a.live+b.live)
	for _, e := range a.entries {
		if e != nil {
			entries = append(entries, e)
		}
	}
	for _, e := range b.entries {
		if e != nil {
			entries = append(entries, e)
		}
	}
	s.segments[at] = &segment{first: a.first, last: b.last, entries: entries, live: len(entries)}
	s.segments = slices.Delete(s.segments, at+1, at+2)
}

// after appends to dst the entries of the first segment that has any with a
// number above number, and returns the number to go on from; false means that
// there is none.
func (s *sequence) after(number uint64, dst []*Entry) (entries []*Entry, reached uint64, ok bool) {
	for at := s.segmentOf(number + 1); at < len(s.segments); at++ {
		g := s.segments[at]
		for _, e := range g.entries {
			if e != nil && e.number() > number {
				dst = append(dst, e)
			}
		}
		if len(dst) > 0 {
			return dst, g.last, true
		}
	}
	return dst, number, false
}

// each calls f for every entry.
func (s *sequence) each(f func(*Entry)) {
	for _, g := range s.segments {
		for _, e := range g.entries {
			if e != nil {
				f(e)
			}
		}
	}
}
