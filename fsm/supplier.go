package fsm

import (
	"container/heap"
	"iter"

	"github.com/inelpandzic/imdgo/internal/command"
)

const (
	// together is how many victims of a map are offered in one go when several
	// have some.
	together = 64
	// attentive is for how many batches a map that nothing is written to is
	// offered room under its own limits. With a thousand such maps that would
	// make every batch longer for nothing; the next write comes again once.
	attentive = 256
)

// supplier is a map that may offer something.
type supplier struct {
	name string
	*contents
	stamp       uint64 // of its oldest entry
	next        func() (*Entry, bool)
	stop        func()
	count, cost int64 // of what it has offered
}

type suppliers []supplier

// offerOldest adds victims until they have this cost, always of the map whose
// entries wait longest.
func (s suppliers) offerOldest(v *command.Victims, need int64) {
	if need <= 0 || len(s) == 0 {
		return
	}
	if len(s) == 1 {
		s[0].offer(v, need, 0)
		return
	}
	for i := range s {
		s[i].stamp, _ = s[i].policy.Oldest()
	}
	heap.Init(&s)
	for need > 0 && len(s) > 0 && !v.Full() {
		before := s[0].cost
		more := s[0].turn(v, need)
		need -= s[0].cost - before
		if s[0].stamp, _ = s[0].policy.Oldest(); more {
			heap.Fix(&s, 0)
		} else {
			heap.Pop(&s)
		}
	}
}

// turn adds a few victims. They stand together, because a run for each would be
// dear where two maps are of the same age. False means that there is none left.
func (s *supplier) turn(v *command.Victims, need int64) bool {
	if s.next == nil {
		s.next, s.stop = iter.Pull(s.policy.Victims)
	}
	for most := s.cost + need; s.cost < most && !v.Full(); {
		e, ok := s.next()
		if !ok {
			return false
		}
		s.add(v, e)
		if s.count%together == 0 {
			break
		}
	}
	return true
}

// offerOwn adds what a map's own limits want to go, beyond what it has offered.
func (s *supplier) offerOwn(v *command.Victims, bytes int64) {
	if s.limits.none() {
		return
	}
	entries, cost := s.entries.Load()-s.limits.entries, s.contents.cost-s.limits.bytes
	if s.over() {
		per := s.contents.cost/s.entries.Load() + 1
		entries, cost = min(entries, shrinkEntries), min(cost, shrinkEntries*per)
	}
	if arrivals, grows := s.arrivals.expect(bytes), s.demand.expect(bytes); bytes > 0 && s.demand.idle < attentive {
		entries += arrivals
		cost += grows
	}
	s.offer(v, cost-s.cost, entries-s.count)
}

// offer adds victims until they have this cost and are so many.
func (s *supplier) offer(v *command.Victims, cost, entries int64) {
	cost += s.cost
	entries += s.count
	skip := s.count
	wanted := func() bool { return (s.cost < cost || s.count < entries) && !v.Full() }
	for wanted() {
		if s.next == nil {
			s.policy.Victims(func(e *Entry) bool {
				if skip > 0 { // offered already
					skip--
					return true
				}
				s.add(v, e)
				return wanted()
			})
			return
		}
		e, ok := s.next()
		if !ok {
			return
		}
		s.add(v, e)
	}
}

func (s *supplier) add(v *command.Victims, e *Entry) {
	v.Add(s.name, e.Key(), e.value.Load().version)
	s.count++
	s.cost += e.Cost()
}

// end lets go of what the suppliers hold.
func (s suppliers) end() {
	for i := range s {
		if s[i].stop != nil {
			s[i].stop()
		}
	}
	clear(s)
}

// Len implements heap.Interface.
func (s suppliers) Len() int { return len(s) }

// Less implements heap.Interface: the longest waiting is the first.
func (s suppliers) Less(i, j int) bool { return s[i].stamp < s[j].stamp }

// Swap implements heap.Interface.
func (s suppliers) Swap(i, j int) { s[i], s[j] = s[j], s[i] }

// Push implements heap.Interface. Nobody comes.
func (s *suppliers) Push(any) {}

// Pop implements heap.Interface. Nobody asks who has gone.
func (s *suppliers) Pop() any { *s = (*s)[:len(*s)-1]; return nil }
