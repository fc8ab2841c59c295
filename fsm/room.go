package fsm

import (
	"cmp"
	"slices"

	"github.com/inelpandzic/imdgo/internal/command"
)

// growth is what an operation is about to add to a map.
type growth struct {
	bytes   int64 // the cost of what comes, less that of what it replaces
	entries int64 // that are new
	whole   int64 // the cost of all that the operation writes
	count   int64 // of entries that it writes
}

func (g *growth) add(h growth) {
	g.bytes += h.bytes
	g.entries += h.entries
	g.whole += h.whole
	g.count += h.count
}

// room sees to it that an operation fits, and evicts for it what the leader has
// offered, as far as needed and nothing of the operation's own, which are in the
// order of their numbers. What it answers depends on the state and the log alone.
// Unless that is Applied, nothing of the operation has been done; what was evicted
// stays so.
func (m *Machine) room(c *contents, g growth, own []*Entry) command.Code {
	m.demand.grown += max(g.bytes, 0)
	c.demand.grown += max(g.bytes, 0)
	c.arrivals.grown += g.entries
	if c.fits(g) && (g.bytes <= 0 || m.used+g.bytes <= m.limit) {
		return command.Applied
	}
	if code := m.never(c, g); code != 0 {
		return code
	}
	entries, bytes := c.entries.Load(), c.cost
	for !c.fits(g) && !c.compensated(g, entries, bytes) {
		if !m.offer.take(m, c, own) {
			m.demand.short, c.demand.short, c.arrivals.short = true, true, true
			return command.Again
		}
	}
	for g.bytes > 0 && m.used+g.bytes > m.limit {
		if !m.offer.takeAny(m, own) {
			m.demand.short = true
			return command.Again
		}
	}
	return command.Applied
}

// never is why an operation cannot be done however much is evicted; 0 if it can.
func (m *Machine) never(c *contents, g growth) command.Code {
	switch {
	case g.whole > m.limit, g.whole > c.limits.bytes, g.count > c.limits.entries:
		return command.TooLarge
	case c.policy == nil && (!c.fits(g) || g.bytes > 0 && m.pinned+g.bytes > m.limit):
		return command.NoRoom
	case c.policy != nil && g.bytes > 0 && m.pinned+g.whole > m.limit:
		return command.NoRoom
	}
	return 0
}

// fits reports whether the map's own limits allow it.
func (c *contents) fits(g growth) bool {
	return (g.bytes <= 0 || c.cost+g.bytes <= c.limits.bytes) && (g.entries <= 0 || c.entries.Load()+g.entries <= c.limits.entries)
}

// compensated reports whether as much has left the map as comes. That is enough
// where a limit was declared that is below what the map holds: what is beyond
// goes a little with every batch, and one write need not wait for all of it.
func (c *contents) compensated(g growth, entries, bytes int64) bool {
	return c.entries.Load()+g.entries <= entries && c.cost+g.bytes <= bytes
}

// among reports whether e is one of own, which are in the order of their numbers.
func (e *Entry) among(own []*Entry) bool {
	at, found := slices.BinarySearchFunc(own, e.number(), func(o *Entry, number uint64) int { return cmp.Compare(o.number(), number) })
	return found && own[at] == e
}

// offer is what the leader lets a batch evict.
type offer struct {
	runs []run
	next int // the first run that may have something left
}

// run are victims of one map.
type run struct {
	contents *contents
	list     command.VictimList
	next     int // run of the map, 1 is the first of all; 0: there is none
}

// runs of a map in the present batch, of which there may be as many as of all maps
// together: to look for them among the others would take too long.
type runs struct{ first, last int }

// open begins to read the victims of a batch. They point into its entry.
func (o *offer) open(m *Machine, v *command.Victims) error {
	o.runs, o.next = o.runs[:0], 0
	return v.Runs(func(name []byte, list command.VictimList) {
		t := m.tables[string(name)]
		if t == nil {
			return
		}
		c := t.contents.Load()
		if c == nil {
			return
		}
		o.runs = append(o.runs, run{contents: c, list: list})
		if n := len(o.runs); c.runs.first == 0 {
			c.runs = runs{n, n}
		} else {
			o.runs[c.runs.last-1].next = n
			c.runs.last = n
		}
	})
}

// takeAny evicts the next of the victims. False means that there is none.
func (o *offer) takeAny(m *Machine, own []*Entry) bool {
	for ; o.next < len(o.runs); o.next++ {
		if o.runs[o.next].take(m, own) {
			return true
		}
	}
	return false
}

// take evicts the next of a map's victims.
func (o *offer) take(m *Machine, c *contents, own []*Entry) bool {
	for c.runs.first != 0 {
		r := &o.runs[c.runs.first-1]
		if r.take(m, own) {
			return true
		}
		c.runs.first = r.next
	}
	return false
}

func (r *run) take(m *Machine, own []*Entry) bool {
	for {
		key, version, ok := r.list.Next()
		if !ok {
			return false
		}
		if r.contents.evict(key, version, own) {
			m.evictions.Add(1)
			return true
		}
	}
}

// rest evicts what is beyond limits that have been lowered, as far as the offer
// goes, and closes it.
func (o *offer) rest(m *Machine) {
	for m.used > m.target && o.takeAny(m, nil) {
	}
	m.settle()
	for i := range o.runs {
		c := o.runs[i].contents
		for c.over() && o.take(m, c, nil) {
		}
	}
	for i := range o.runs {
		o.runs[i].contents.runs = runs{}
	}
	clear(o.runs) // they point into the entry
	o.runs = o.runs[:0]
}
