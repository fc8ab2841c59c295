package fsm

import (
	"cmp"
	"container/heap"
	"math"
	"math/bits"
	"slices"

	"github.com/inelpandzic/imdgo/internal/command"
)

// tick is the width of a slot of the index of deadlines. A slot is looked at
// once all of it is past, so an entry goes at most this much, and what the
// leader's round takes, after its deadline.
const tick = int64(250e6)

// deadlines is the index of a map's deadlines: slots of one tick, each a list
// of entries linked through themselves. An entry is linked when it first gets
// a deadline and left alone when a write moves the deadline back, which is
// what almost every overwrite does; it is put where it belongs when its slot
// comes up. (A heap costs 0.25 µs on every overwrite, maps of buckets 0.67.)
//
// A slot takes some 70 bytes. So that deadlines which are spread over a day, each
// in a slot of its own, do not take a third more than the entries are accounted
// for, a new slot takes in more than its tick when there are many for so few
// entries, the further ahead the more. What is in it is put where it belongs when
// it comes up.
//
// The arrangement is a node's own business and no part of the state.
type deadlines struct {
	slots  map[int64]*slot
	order  slotHeap
	linked int // entries
}

const (
	// freely is how many slots there may be in any case, and perSlot from how
	// many entries for a slot on.
	freely  = 256
	perSlot = 16
	// octave is how many slots the time ahead is divided into, in bits, each
	// time that it doubles.
	octave = 6
)

// slot holds the entries that were due between number*tick and the next slot, or,
// in a coarse one, some time later.
// A slot in the index is never empty.
type slot struct {
	number int64
	first  *Entry
	place  int // in the heap; outside once it has been taken out
}

const outside = -1

// last is the latest deadline that belongs into the slot. The very last slot,
// for deadlines 292 years away, is cut short by the end of time.
func (s *slot) last() int64 {
	first := s.number * tick
	return first + min(tick-1, math.MaxInt64-first)
}

func slotOf(deadline int64) int64 { return deadline / tick }

// schedule sees to it that e is looked at no later than its deadline demands. now
// is about the time.
func (d *deadlines) schedule(e *Entry, deadline, now int64) {
	switch {
	case deadline == 0:
		d.remove(e)
	case e.slot == nil:
		d.insert(e, slotOf(deadline), now)
	case slotOf(deadline) < e.slot.number:
		d.remove(e)
		d.insert(e, slotOf(deadline), now)
	}
}

func (d *deadlines) insert(e *Entry, number, now int64) {
	s := d.slots[number]
	if s == nil && len(d.slots) >= max(freely, d.linked/perSlot) {
		number = coarse(number, slotOf(now))
		s = d.slots[number]
	}
	if s == nil {
		s = &slot{number: number}
		if d.slots == nil {
			d.slots = make(map[int64]*slot)
		}
		d.slots[number] = s
		heap.Push(&d.order, s)
	}
	e.slot, e.prev, e.next = s, nil, s.first
	if s.first != nil {
		s.first.prev = e
	}
	s.first = e
	d.linked++
}

// coarse is the number of the slot for what is due in slot number, far ahead of
// now: an earlier one, but by no more than a 64th of the time till then.
func coarse(number, now int64) int64 {
	ahead := number - now
	if ahead < 1<<(octave+1) {
		return number
	}
	return number &^ (1<<(bits.Len64(uint64(ahead))-octave-1) - 1)
}

// remove takes e out, and its slot with the last one: TTLs of a year that are
// overwritten every second must not leave a year of empty slots behind.
func (d *deadlines) remove(e *Entry) {
	if e.slot == nil {
		return
	}
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		e.slot.first = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
	if e.slot.first == nil && e.slot.place != outside {
		heap.Remove(&d.order, e.slot.place)
		delete(d.slots, e.slot.number)
	}
	e.slot, e.prev, e.next = nil, nil, nil
	d.linked--
}

// settle puts the entries of s that are due later where they belong, and returns
// how many stay.
func (d *deadlines) settle(s *slot, now int64) int {
	stay := 0
	for e := s.first; e != nil; {
		next := e.next
		if number := slotOf(e.value.Load().deadline); number > s.number {
			d.remove(e)
			d.insert(e, number, now)
		} else {
			stay++
		}
		e = next
	}
	return stay
}

// due finds a threshold that covers about most of the entries that are due at
// now, the earliest ones, and at least one. False means that no whole slot is past.
func (d *deadlines) due(now int64, most int) (t command.Threshold, found bool) {
	var passed []*slot
	for len(d.order) > 0 && d.order[0].last() <= now && (most > 0 || !found) {
		s := d.order[0]
		stay := d.settle(s, now)
		if stay == 0 {
			continue // the slot has gone
		}
		t, found = s.threshold(most, stay), true
		most -= stay
		passed = append(passed, heap.Pop(&d.order).(*slot))
	}
	for _, s := range passed {
		heap.Push(&d.order, s)
	}
	return t, found
}

// threshold covers about n of the entries of s, the earliest ones: it is taken
// from a sample, since sorting a hundred thousand would hold up the writes.
func (s *slot) threshold(n, of int) command.Threshold {
	if of <= n {
		return command.Threshold{Deadline: s.last(), Version: math.MaxUint64}
	}
	step := of/1024 + 1
	var sample []command.Threshold
	i := 0
	for e := s.first; e != nil; e = e.next {
		if i%step == 0 {
			v := e.value.Load()
			sample = append(sample, command.Threshold{Deadline: v.deadline, Version: v.version})
		}
		i++
	}
	slices.SortFunc(sample, func(a, b command.Threshold) int {
		return cmp.Or(cmp.Compare(a.Deadline, b.Deadline), cmp.Compare(a.Version, b.Version))
	})
	return sample[max(n/step, 1)-1]
}

// covered calls f, which removes the entry, for every entry that t covers.
func (d *deadlines) covered(t command.Threshold, f func(*Entry)) {
	var left []*slot
	for len(d.order) > 0 && d.order[0].number <= slotOf(t.Deadline) {
		s := heap.Pop(&d.order).(*slot)
		delete(d.slots, s.number)
		d.settle(s, t.Deadline)
		for e := s.first; e != nil; {
			next := e.next
			if v := e.value.Load(); t.Covers(v.deadline, v.version) {
				f(e)
			}
			e = next
		}
		if s.first != nil {
			left = append(left, s)
		}
	}
	for _, s := range left {
		d.slots[s.number] = s
		heap.Push(&d.order, s)
	}
}

// slotHeap orders slots by time. There is one per tick in use, so it is small
// and seldom touched.
type slotHeap []*slot

func (h slotHeap) Len() int           { return len(h) }
func (h slotHeap) Less(i, j int) bool { return h[i].number < h[j].number }

func (h slotHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push implements heap.Interface.
func (h *slotHeap) Push(x any) {
	s := x.(*slot)
	s.place = len(*h)
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
