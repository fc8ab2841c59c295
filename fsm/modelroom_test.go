package fsm

import (
	"fmt"
	"maps"
	"math"

	"github.com/inelpandzic/imdgo/internal/command"
)

// modelRoom is the part of the model that is about room.
type modelRoom struct {
	limit   int64
	budgets map[string]int64
	offered []*modelOffered // in the present batch
}

func newModelRoom() modelRoom { return modelRoom{limit: math.MaxInt64, budgets: map[string]int64{}} }

// modelVictim is a victim as a batch names it. One that is malformed has a key
// that is too long.
type modelVictim struct {
	table, key string
	version    uint64
	alone      bool // in another run than the one before, though of the same map
}

func (v modelVictim) malformed() bool { return len(v.key) > command.MaxKey }

// modelOffered is a victim that was named, in the map that it was named for: what
// comes after that is cleared is another one.
type modelOffered struct {
	modelVictim
	of   *modelMap
	used bool // it has been looked at, and need not be there
}

func (mm *modelMap) pinned() bool { return mm.limits.policy == command.NoEviction }

func (e modelEntry) cost(key string) int64 { return Cost(len(key), len(e.value)) }

func (mm *modelMap) cost() (sum int64) {
	for key, e := range mm.entries {
		sum += e.cost(key)
	}
	return sum
}

// used is what all entries take, and pinned those of them that are never evicted.
func (m *model) used() (used, pinned int64) {
	for _, mm := range m.maps {
		used += mm.cost()
		if mm.pinned() {
			pinned += mm.cost()
		}
	}
	return used, pinned
}

// target is the smallest budget.
func (m *model) target() int64 {
	least := int64(math.MaxInt64)
	for _, b := range m.budgets {
		least = min(least, b)
	}
	return least
}

func (m *model) budget(b command.Budget) {
	m.budgets[b.Member] = b.Bytes
	maps.DeleteFunc(m.budgets, func(_ string, bytes int64) bool { return bytes == 0 })
	m.settle()
}

// settle: the limit goes up at once, and down only as far as what is there lets it.
func (m *model) settle() {
	used, _ := m.used()
	m.limit = max(m.target(), min(m.limit, used))
}

func (mm *modelMap) declare(o command.Option) {
	switch o.Field {
	case command.FieldTTL:
		mm.declared, mm.ttl = true, int64(o.Value)
	case command.FieldEntries:
		mm.limits.entries = orNone(o.Value)
	case command.FieldBytes:
		mm.limits.bytes = orNone(o.Value)
	case command.FieldPolicy:
		mm.limits.policy = command.Policy(o.Value)
	}
}

// open takes the victims of a batch, those of maps that are there.
func (m *model) open(victims []modelVictim) {
	m.offered = nil
	broken, before := false, ""
	for _, v := range victims {
		if v.alone || v.table != before {
			broken, before = false, v.table
		}
		if broken = broken || v.malformed(); broken {
			continue // nor what follows in its run
		}
		if mm := m.maps[v.table]; mm != nil {
			m.offered = append(m.offered, &modelOffered{modelVictim: v, of: mm})
		}
	}
}

// take evicts the next of the victims that can go, of one map or, if that is nil,
// of any. What an operation is about to write is spared.
func (m *model) take(from *modelMap, spared modelSpared) bool {
	for _, v := range m.offered {
		if v.used || from != nil && v.of != from {
			continue
		}
		v.used = true
		e, there := v.of.entries[v.key]
		if there && e.version == v.version && !v.of.cleared && !v.of.pinned() && !(v.of == spared.of && spared.keys[v.key]) {
			delete(v.of.entries, v.key)
			return true
		}
	}
	return false
}

// modelSpared are the keys that an operation writes.
type modelSpared struct {
	of   *modelMap
	keys map[string]bool
}

// room makes room for pairs that are about to be written to a map, and says
// whether they may be.
func (m *model) room(mm *modelMap, pairs ...[2]string) command.Code {
	var whole, gone int64 // the cost of what comes, and of what it replaces
	replaced := map[string]bool{}
	fresh := int64(0)
	for _, p := range pairs {
		whole += modelEntry{value: p[1]}.cost(p[0])
		e, there := mm.entries[p[0]]
		if !there {
			fresh++
		} else if !replaced[p[0]] {
			replaced[p[0]] = true
			gone += e.cost(p[0])
		}
	}
	grows := whole - gone
	inMap := func() bool {
		return (grows <= 0 || mm.cost()+grows <= mm.limits.bytes) && (fresh == 0 || int64(len(mm.entries))+fresh <= mm.limits.entries)
	}
	inAll := func() bool {
		used, _ := m.used()
		return grows <= 0 || used+grows <= m.limit
	}
	if inMap() && inAll() {
		return command.Applied
	}
	_, pinned := m.used()
	switch {
	case whole > m.limit, whole > mm.limits.bytes, int64(len(pairs)) > mm.limits.entries:
		return command.TooLarge
	case mm.pinned() && (!inMap() || grows > 0 && pinned+grows > m.limit):
		return command.NoRoom
	case !mm.pinned() && grows > 0 && pinned+whole > m.limit:
		return command.NoRoom
	}
	// A map that holds more than it may need not come down for one write: it is
	// enough if as much goes as comes.
	entries, cost := int64(len(mm.entries)), mm.cost()
	for !inMap() && (int64(len(mm.entries))+fresh > entries || mm.cost()+grows > cost) {
		if !m.take(mm, modelSpared{mm, replaced}) {
			return command.Again
		}
	}
	for !inAll() {
		if !m.take(nil, modelSpared{mm, replaced}) {
			return command.Again
		}
	}
	return command.Applied
}

// rest evicts what is beyond limits that have been lowered.
func (m *model) rest() {
	for used, _ := m.used(); used > m.target() && m.take(nil, modelSpared{}); used, _ = m.used() {
	}
	m.settle()
	for _, v := range m.offered {
		mm := v.of
		for (int64(len(mm.entries)) > mm.limits.entries || mm.cost() > mm.limits.bytes) && m.take(mm, modelSpared{}) {
		}
	}
	m.offered = nil
}

func (m *model) differsInRoom(n *Machine) error {
	used, pinned := m.used()
	entries := 0
	for _, mm := range m.maps {
		entries += len(mm.entries)
	}
	if a := n.Account(); a.Entries != entries || a.Used != used || a.Limit != m.limit || a.Target != m.target() {
		return fmt.Errorf("%+v, want %d entries of %d bytes, limit %d, target %d", a, entries, used, m.limit, m.target())
	}
	if n.pinned != pinned || !maps.Equal(n.Budgets(), m.budgets) {
		return fmt.Errorf("%d bytes are pinned, budgets %v, want %d, %v", n.pinned, n.Budgets(), pinned, m.budgets)
	}
	return nil
}
