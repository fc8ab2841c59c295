package fsm

import "github.com/inelpandzic/imdgo/internal/command"

// shrinkEntries is about how many entries a batch evicts for a limit that
// has been lowered. Like those that expire, they hold up the writes beside
// them.
const shrinkEntries = 2048

// Offer adds to v what a batch with so many bytes of operations may evict. It is
// for the leader; the choice of victims is its policies', which no other node's
// need agree with. What is offered and not taken is offered again, the first of
// its map; so it is where v can take no more, and the operations come again.
func (m *Machine) Offer(v *command.Victims, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer v.Done()
	m.suppliers = m.suppliers[:0]
	for _, t := range m.tables {
		if c := t.contents.Load(); c != nil && c.policy != nil && c.policy.Len() > 0 {
			m.suppliers = append(m.suppliers, supplier{name: t.name, contents: c})
		}
	}
	defer m.suppliers.end()
	need := m.used - m.target
	if m.used > m.target {
		need = min(need, shrinkEntries*m.used/max(m.entries(), 1)+1)
	}
	if bytes > 0 {
		need = max(need, m.used+m.demand.expect(bytes)-m.limit)
	}
	most := v.Most
	v.Most = most / 2 // or a map at its own limit might never be offered anything
	m.suppliers.offerOldest(v, need)
	v.Most = most
	for i := range m.suppliers { // behind the others, which go first when all need room
		m.suppliers[i].offerOwn(v, bytes)
	}
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
