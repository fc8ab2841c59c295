package fsm

import (
	"math"

	"github.com/inelpandzic/imdgo/internal/command"
)

const (
	// slack is what is offered beyond what is expected to be needed.
	slack = 1.25
	// shrinkEntries is about how many entries a batch evicts for a limit that
	// has been lowered. Like those that expire, they hold up the writes beside
	// them.
	shrinkEntries = 2048
	// mostRatio bounds what is expected of a byte of operations.
	mostRatio = 256
)

// demand expects from the batches before how much room a batch will need. The
// leader cannot look at each operation: that would cost it as much as applying
// it. What is too little makes an operation come again, and teaches.
type demand struct {
	ratio float64 // of what was needed to what was asked for
	asked int64   // for the next batch; 0 on a replica that was not asked
	grown int64   // in the present batch
	short bool    // it was not enough
}

// expect is how much a batch of this size will need.
func (d *demand) expect(asked int64) int64 {
	d.asked = max(asked, 1)
	if d.ratio == 0 {
		d.ratio = 8 // a small entry's overhead
	}
	return int64(d.ratio*float64(asked)*slack) + 1
}

// learn looks at what the batch needed.
func (d *demand) learn() {
	if d.asked > 0 {
		d.ratio = max(float64(d.grown)/float64(d.asked), d.ratio*0.9)
		if d.short {
			d.ratio *= 4
		}
		d.ratio = min(d.ratio, mostRatio)
	}
	d.asked, d.grown, d.short = 0, 0, false
}

// Offer adds to v what a batch with so many bytes of operations may evict. It is
// for the leader; the choice of victims is its policies', which no other node's
// need agree with. What is offered and not taken is offered again first.
func (m *Machine) Offer(v *command.Victims, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer v.Done()
	for _, t := range m.tables {
		if c := t.contents.Load(); c != nil {
			c.offered = 0
			m.offerOwn(v, t.name, c, bytes)
		}
	}
	need := m.used - m.target
	if m.used > m.target {
		need = min(need, shrinkEntries*m.used/max(m.entries(), 1)+1)
	}
	if bytes > 0 {
		need = max(need, m.used+m.demand.expect(bytes)-m.limit)
	}
	for need > 0 {
		freed := m.offerOldest(v, need)
		if freed == 0 {
			return
		}
		need -= freed
	}
}

// offerOwn adds what a map's own limits want to go.
func (m *Machine) offerOwn(v *command.Victims, name string, c *contents, bytes int64) {
	if c.policy == nil || c.limits.none() {
		return
	}
	entries, cost := c.entries.Load()-c.limits.entries, c.cost-c.limits.bytes
	if c.over() {
		per := c.cost/max(c.entries.Load(), 1) + 1
		entries, cost = min(entries, shrinkEntries), min(cost, shrinkEntries*per)
	}
	if bytes > 0 {
		entries += c.arrivals.expect(bytes)
		cost += c.demand.expect(bytes)
	}
	if entries > 0 || cost > 0 {
		c.offerTo(v, name, cost, entries, math.MaxInt64)
	}
}

// offerOldest adds victims of the map whose next one has waited longest, and
// returns their cost, 0 if there are none. They are few where there are other
// maps, which may be the next to give.
func (m *Machine) offerOldest(v *command.Victims, need int64) int64 {
	var from *Table
	var lowest uint64
	others := -1
	for _, t := range m.tables {
		c := t.contents.Load()
		if c == nil || c.policy == nil || c.offered >= c.policy.Len() {
			continue
		}
		others++
		if stamp, ok := c.policy.Oldest(); ok && (from == nil || stamp < lowest) {
			from, lowest = t, stamp
		}
	}
	if from == nil {
		return 0
	}
	most := int64(math.MaxInt64)
	if others > 0 {
		most = 64
	}
	return from.contents.Load().offerTo(v, from.name, need, 0, most)
}

// offerTo adds victims until they have this cost and are so many, but at most
// that many, and returns their cost.
func (c *contents) offerTo(v *command.Victims, name string, cost, entries, most int64) (freed int64) {
	skip := c.offered
	var count int64
	c.policy.Victims(func(e *Entry) bool {
		if skip > 0 {
			skip--
			return true
		}
		v.Add(name, e.key, e.value.Load().version)
		c.offered++
		count++
		freed += e.Cost()
		return count < most && (freed < cost || count < entries)
	})
	return freed
}

// Shrinking reports whether entries must be evicted although nothing is written,
// because a limit has been lowered.
func (m *Machine) Shrinking() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.used > m.target && m.used > m.pinned {
		return true
	}
	for _, t := range m.tables {
		if c := t.contents.Load(); c != nil && c.policy != nil && c.over() {
			return true
		}
	}
	return false
}

func (m *Machine) entries() (n int64) {
	for _, t := range m.tables {
		n += int64(t.Len())
	}
	return n
}
