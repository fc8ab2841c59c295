package fsm

const (
	// chunkSize is how many entries a full chunk of a slot has: 512 bytes, beyond
	// which Go's allocator puts a header before what has pointers in it, and takes
	// the next size.
	chunkSize = 64
	// chunkStep is by how many entries the only chunk of a slot grows and shrinks.
	chunkStep = 8
)

// slot holds the entries that were due between number*tick and the next slot, or,
// in a coarse one, some time later. An entry knows its place, and when it is taken
// out the last one takes that.
// A slot in the index is never empty.
//
// The entries are in chunks of which only the last one grows. A slot may hold
// millions, and to copy them to a larger array would hold up the writes; or few,
// and there may be a slot for every 16 entries.
type slot struct {
	number int64
	id     uint32 // its place in the table of slots
	place  int32  // in the heap; outside once it has been taken out
	full   []*[chunkSize]*Entry
	tail   []*Entry // empty only between a removal and the next, or in an empty slot
}

const outside = -1

func (s *slot) size() int { return len(s.full)*chunkSize + len(s.tail) }

// at is where the entry at place i is.
func (s *slot) at(i int) **Entry {
	if chunk := i / chunkSize; chunk < len(s.full) {
		return &s.full[chunk][i%chunkSize]
	}
	return &s.tail[i%chunkSize]
}

func (s *slot) add(e *Entry) {
	if len(s.tail) == chunkSize {
		s.full = append(s.full, (*[chunkSize]*Entry)(s.tail))
		s.tail = make([]*Entry, 0, chunkSize)
	}
	if n := len(s.tail); n == cap(s.tail) {
		s.resize(n + max(1, min(n, chunkStep)))
	}
	e.slot, e.place = s.id, uint32(s.size())
	s.tail = append(s.tail, e)
}

// remove takes e out. The chunk that is emptied goes with the next removal, so that
// an entry which comes and goes does not take a new one each time.
func (s *slot) remove(e *Entry) {
	if len(s.tail) == 0 {
		end := len(s.full) - 1
		s.tail, s.full[end] = s.full[end][:], nil
		s.full = s.full[:end]
	}
	end := len(s.tail) - 1
	moved := s.tail[end]
	*s.at(int(e.place)), moved.place = moved, e.place
	s.tail[end] = nil
	s.tail = s.tail[:end]
	e.slot, e.place = 0, 0
	if spare := cap(s.tail) - end; len(s.full) == 0 && spare >= 2*chunkStep {
		s.resize(end + chunkStep)
	}
}

// resize gives the last chunk room for so many.
func (s *slot) resize(room int) { s.tail = append(make([]*Entry, 0, room), s.tail...) }

// slotHeap orders slots by time. There is one per tick in use, so it is small
// and seldom touched.
type slotHeap []*slot

// Len implements heap.Interface.
func (h slotHeap) Len() int { return len(h) }

// Less implements heap.Interface: the earliest is the first.
func (h slotHeap) Less(i, j int) bool { return h[i].number < h[j].number }

// Swap implements heap.Interface.
func (h slotHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = int32(i), int32(j)
}

// Push implements heap.Interface.
func (h *slotHeap) Push(x any) {
	s := x.(*slot)
	s.place = int32(len(*h))
	*h = append(*h, s)
}

// Pop implements heap.Interface.
func (h *slotHeap) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	s.place = outside
	return s
}
