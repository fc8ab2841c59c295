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

// deadlines is the index of a map's deadlines: slots of one tick, each with its
// entries. An entry is put into one when it first gets a deadline and left alone
// when a write moves the deadline back, which is what almost every overwrite
// does, or takes it away; it is put where it belongs when its slot comes up. (A heap
// costs 0.25 µs on every overwrite, maps of buckets 0.67; to take an entry out of its
// slot 0.4 where there are millions, which is four cache misses.)
//
// An entry has the id of its slot, which is its place in a table, and its own place
// in the slot: 8 bytes, and 8 to 15 in the slot if it has a deadline. Links
// through the entries would take 24 of every one.
//
// A slot takes some 110 bytes. So that deadlines which are spread over a day, each
// in a slot of its own, do not take half more than the entries are accounted
// for, a new slot takes in more than its tick when there are many for so few
// entries, the further ahead the more. What is in it is put where it belongs when
// it comes up.
//
// The arrangement is a node's own business and no part of the state.
type deadlines struct {
	slots  map[int64]*slot
	order  slotHeap
	table  []*slot  // by id; 0 is none
	free   []uint32 // ids that are used again
	linked int      // entries in slots
	timed  int      // of them, those that have a deadline
}

const (
	// freely is how many slots there may be in any case, and perSlot from how
	// many entries for a slot on.
	freely  = 256
	perSlot = 16
	// settleMost is after how many entries that were looked at the search for what
	// is due is over for this time: about 10 ms.
	settleMost = 1 << 16
	// octave is how many slots the time ahead is divided into, in bits, each
	// time that it doubles.
	octave = 6
)

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
	d.note(e, deadline != 0)
	switch {
	case deadline == 0: // it stays in its slot, if it is in one
	case e.slot == 0:
		d.insert(e, slotOf(deadline), now)
	case slotOf(deadline) < d.table[e.slot].number:
		d.unlink(e)
		d.insert(e, slotOf(deadline), now)
	}
}

// note keeps count of the entries that have a deadline.
func (d *deadlines) note(e *Entry, timed bool) {
	if timed == e.timed {
		return
	}
	e.timed = timed
	if timed {
		d.timed++
	} else {
		d.timed--
	}
}

func (d *deadlines) insert(e *Entry, number, now int64) {
	s := d.slots[number]
	if s == nil && len(d.slots) >= max(freely, d.linked/perSlot) {
		number = coarse(number, slotOf(now))
		s = d.slots[number]
	}
	if s == nil {
		s = d.open(number)
	}
	s.add(e)
	d.linked++
}

// open adds a slot, which must be given an entry.
func (d *deadlines) open(number int64) *slot {
	if d.slots == nil {
		d.slots, d.table = make(map[int64]*slot), []*slot{nil}
	}
	s := &slot{number: number}
	if last := len(d.free) - 1; last >= 0 {
		s.id, d.free = d.free[last], d.free[:last]
		d.table[s.id] = s
	} else {
		s.id = uint32(len(d.table))
		d.table = append(d.table, s)
	}
	d.slots[number] = s
	heap.Push(&d.order, s)
	return s
}

// shut drops an empty slot that has been taken out of the heap.
func (d *deadlines) shut(s *slot) {
	delete(d.slots, s.number)
	d.table[s.id] = nil
	d.free = append(d.free, s.id)
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

// remove forgets an entry that leaves the map.
func (d *deadlines) remove(e *Entry) {
	d.note(e, false)
	d.unlink(e)
}

// unlink takes e out, and its slot with the last one: TTLs of a year that are
// made shorter every second must not leave a year of empty slots behind.
func (d *deadlines) unlink(e *Entry) {
	if e.slot == 0 {
		return
	}
	s := d.table[e.slot]
	s.remove(e)
	d.linked--
	if s.size() == 0 && s.place != outside {
		heap.Remove(&d.order, int(s.place))
		d.shut(s)
	}
}

// settle puts the entries of s that are due later where they belong, takes out those
// that have no deadline any more, and returns how many stay. What is put elsewhere
// comes into s never again, nor into a slot before it: now is not before s.
//
// It goes backwards, so that what a removal puts in the place of the entry has
// been looked at.
func (d *deadlines) settle(s *slot, now int64) int {
	for i := s.size() - 1; i >= 0; i-- {
		e := *s.at(i)
		if !e.timed {
			d.unlink(e)
		} else if number := slotOf(e.value.Load().deadline); number > s.number {
			d.unlink(e)
			d.insert(e, number, now)
		}
	}
	return s.size()
}

// due finds a threshold that covers about most of the entries that are due at
// now, the earliest ones, and at least one. False means that no whole slot is past,
// or that there was so much to settle that the rest must wait for the next time.
func (d *deadlines) due(now int64, most int) (t command.Threshold, found bool) {
	var passed []*slot
	looked := 0
	for len(d.order) > 0 && d.order[0].last() <= now && (most > 0 || !found) && looked < settleMost {
		s := d.order[0]
		looked += s.size()
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
	for i := 0; i < of; i += step {
		v := (*s.at(i)).value.Load()
		sample = append(sample, command.Threshold{Deadline: v.deadline, Version: v.version})
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
		for i := d.settle(s, t.Deadline) - 1; i >= 0; i-- { // backwards, as there
			e := *s.at(i)
			if v := e.value.Load(); t.Covers(v.deadline, v.version) {
				f(e)
			}
		}
		if s.size() > 0 {
			left = append(left, s)
		} else {
			d.shut(s)
		}
	}
	for _, s := range left {
		heap.Push(&d.order, s)
	}
}
