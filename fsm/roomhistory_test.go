package fsm

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/inelpandzic/imdgo/eviction"
	"github.com/inelpandzic/imdgo/internal/command"
)

// What the histories have of room: budgets, limits, and victims, of which the
// machine under test names some and chance the others.

func (h *history) budgets() (budgets []command.Budget) {
	for h.IntN(12) == 0 {
		b := command.Budget{Member: []string{"n1", "n2", "n3"}[h.IntN(3)], Bytes: 500 + h.Int64N(5000)}
		if h.IntN(4) == 0 {
			b.Bytes = 0
		}
		budgets = append(budgets, b)
	}
	return budgets
}

func (h *history) options() (options []command.Option) {
	ttl := command.Option{Field: command.FieldTTL, Value: uint64(h.ttl().Nanoseconds)}
	if !h.tight {
		return []command.Option{ttl}
	}
	for _, o := range []command.Option{ttl,
		{Field: command.FieldEntries, Value: h.Uint64N(7)},
		{Field: command.FieldBytes, Value: h.Uint64N(2) * (200 + h.Uint64N(2000))},
		{Field: command.FieldPolicy, Value: h.Uint64N(uint64(command.NoEviction) + 1)}} {
		if h.IntN(3) == 0 {
			options = append(options, o)
		}
	}
	return options
}

// victims are mostly what a leader offers, with some that make no sense in between.
func (h *history) victims() (victims []modelVictim) {
	if h.leader != nil && h.IntN(4) > 0 {
		victims = h.leader.offers(h.Int64N(1000))
	}
	if h.IntN(3) == 0 {
		return victims
	}
	for range h.IntN(8) {
		victims = slices.Insert(victims, h.IntN(len(victims)+1), h.madeUp(victims))
	}
	return victims
}

// madeUp is a victim that may be there or not, may be named already, and may be
// written in the same batch.
func (h *history) madeUp(named []modelVictim) modelVictim {
	if len(named) > 0 && h.IntN(4) == 0 {
		return named[h.IntN(len(named))]
	}
	v := modelVictim{table: []string{"", "a", "b", "c"}[h.IntN(4)], key: h.key(), version: h.model.version, alone: h.IntN(5) == 0}
	if mm := h.model.maps[v.table]; mm != nil {
		v.version = mm.entries[v.key].version
	}
	switch h.IntN(12) {
	case 0:
		v.version += h.Uint64N(5) // which something may have that is yet to be written
	case 1:
		v.version -= min(v.version, 1)
	case 2:
		v.key = strings.Repeat("k", command.MaxKey+1)
	}
	return v
}

// offers is what a leader would let the next batch evict.
func (m *Machine) offers(bytes int64) (victims []modelVictim) {
	var v command.Victims
	m.Offer(&v, bytes)
	_ = v.Runs(func(name []byte, list command.VictimList) { // it is well formed
		first := true
		for key, version, ok := list.Next(); ok; key, version, ok = list.Next() {
			victims = append(victims, modelVictim{table: string(name), key: string(key), version: version, alone: first})
			first = false
		}
	})
	return victims
}

// trouble has the policies of a replica know and order other things than those of
// its neighbours: no result may depend on it.
func (h *history) trouble(m *Machine) {
	for _, name := range shuffled(h.Rand, m.tables) {
		c := m.tables[name].contents.Load()
		if c == nil || c.policy == nil {
			continue
		}
		c.sequence.each(func(e *Entry) {
			for range h.IntN(3) {
				e.hook.Touch()
			}
			if h.IntN(9) == 0 {
				c.remote.Note(e.Hash(), 2)
			}
		})
		if h.IntN(3) > 0 {
			continue
		}
		declared, former := c.limits.policy, c.policy
		c.limits.policy = command.Policy(h.IntN(int(command.NoEviction)))
		c.policy = watched{c.newPolicy(), c.ledger, h.t}
		c.limits.policy = declared
		c.sequence.each(func(e *Entry) {
			former.Remove(e)
			c.policy.Restore(e)
		})
	}
	m.offers(math.MaxInt32 * h.Int64N(2))
}

// watched is a policy that sees every single entry come and change: within an
// operation, too, no more is used than may be.
type watched struct {
	eviction.Policy[*Entry]
	ledger *ledger
	t      testing.TB
}

func (w watched) Add(e *Entry) {
	w.check()
	w.Policy.Add(e)
}

func (w watched) Resize(e *Entry, by int64) {
	w.check()
	w.Policy.Resize(e, by)
}

func (w watched) check() {
	if w.ledger.used > w.ledger.limit {
		w.t.Errorf("in the middle of an operation %d bytes are used, and may be %d", w.ledger.used, w.ledger.limit)
	}
}
