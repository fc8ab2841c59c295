package fsm

import (
	"sync/atomic"

	"github.com/inelpandzic/imdgo/internal/command"
)

// noticed is how many entries of a map are told the leader about at a time.
const noticed = 2048

// notices has the entries of a map that have been read on this node and that the
// leader is to hear of. It is lossy: once it is full, what else is read is not
// noticed until it has been emptied; and an entry that a slow reader puts into a
// list which is being emptied is told with the next.
//
// An entry is noticed once until it has been told, however often it is read, so a
// hot key costs its readers nothing: see eviction.Hook.Flag.
type notices struct {
	lists   [2]noticeList
	current atomic.Uint32
}

type noticeList struct {
	n       atomic.Uint32
	entries [noticed]atomic.Pointer[Entry]
}

func (n *notices) add(e *Entry) {
	l := &n.lists[n.current.Load()]
	if l.n.Load() >= noticed || !e.hook.Flag() {
		return
	}
	if i := l.n.Add(1) - 1; i < noticed {
		l.entries[i].Store(e)
	} else {
		e.hook.Unflag()
	}
}

// empty calls f for every entry that was noticed. It must not be called
// concurrently.
func (n *notices) empty(f func(*Entry)) {
	former := n.current.Load()
	n.current.Store(1 - former)
	l := &n.lists[former]
	for i := range l.entries {
		if e := l.entries[i].Swap(nil); e != nil {
			e.hook.Unflag()
			f(e)
		}
	}
	l.n.Store(0)
}

// Touch notes that an entry of this map was read.
func (t *Table) Touch(e *Entry) {
	e.hook.Touch()
	if n := t.notices.Load(); n != nil {
		n.add(e)
	}
}

// Notice sees to it that reads are noticed, of maps from which something may soon
// be evicted, or of none.
func (m *Machine) Notice(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	tight := m.used > m.limit/2
	for _, t := range m.tables {
		c := t.contents.Load()
		wanted := on && c != nil && c.policy != nil && (tight || c.tight())
		if there := t.notices.Load() != nil; wanted && !there {
			t.notices.Store(new(notices))
		} else if there && !wanted {
			t.notices.Load().empty(func(*Entry) {})
			t.notices.Store(nil)
		}
	}
}

// tight reports whether the map has used half of what its own limits leave it: the
// rest may be used before anybody looks again.
func (c *contents) tight() bool {
	return c.entries.Load() > c.limits.entries/2 || c.cost > c.limits.bytes/2
}

// Reads returns a report of what was read here since it was last called, of at most
// so many bytes. What does not fit is forgotten.
func (m *Machine) Reads(most int) []byte {
	m.mu.Lock()
	tables := make([]*Table, 0, len(m.tables))
	for _, t := range m.tables {
		tables = append(tables, t)
	}
	m.mu.Unlock()
	var report []byte
	var entries []*Entry
	for _, t := range tables {
		n := t.notices.Load()
		if n == nil {
			continue
		}
		entries = entries[:0]
		n.empty(func(e *Entry) { entries = append(entries, e) })
		left := most - len(report) - len(t.name) - 16
		entries = entries[:max(0, min(len(entries), left/9))]
		if len(entries) == 0 {
			continue
		}
		report = command.AppendReads(report, t.name, len(entries))
		for _, e := range entries {
			report = command.AppendRead(report, e.Hash(), uint8(e.hook.Touched()))
		}
	}
	return report
}

// Hear takes in a report of what was read on another node.
func (m *Machine) Hear(report []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return command.ReadReads(report, func(name []byte, hash uint64, count uint8) {
		if t := m.tables[string(name)]; t != nil {
			if c := t.contents.Load(); c != nil && c.policy != nil {
				c.remote.Fit(int(c.entries.Load()))
				c.remote.Note(hash, count)
			}
		}
	})
}
