package fsm

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// Hash is a digest of the whole state at a log index: entries with versions
// and deadlines, declarations, request results and the clock. Replicas at the
// same index have the same one. It walks everything while nothing is applied,
// about 0.2 µs per entry.
//
// Sets are hashed element by element and the digests added up, because neither
// Go's maps nor a restored replica keep an order. (Bellare and Micciancio,
// "A New Paradigm for Collision-free Hashing", 1997; against accidents, not
// against an adversary.)
func (m *Machine) Hash() (index, hash uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := newDigest()
	d.numbers(m.version, uint64(m.clock.Load()), uint64(m.wall), uint64(m.limit))
	d.numbers(m.hashTables(), m.hashOrigins(), m.hashBudgets())
	return m.index.Load(), d.Sum64()
}

func (m *Machine) hashTables() (sum uint64) {
	for name, table := range m.tables {
		c := table.contents.Load()
		if c == nil {
			continue
		}
		d := newDigest()
		d.text(name)
		d.numbers(uint64(c.kind), uint64(c.ttl.nanoseconds), number(c.ttl.declared),
			uint64(c.limits.entries), uint64(c.limits.bytes), uint64(c.limits.policy), c.hash())
		sum += d.Sum64()
	}
	return sum
}

func (c *contents) hash() (sum uint64) {
	d := newDigest()
	c.sequence.each(func(e *Entry) {
		v := e.value.Load()
		d.Reset()
		d.numbers(v.version, uint64(v.deadline))
		d.text(e.Key())
		_, _ = d.Write(v.Bytes()) // a Digest never fails
		sum += d.Sum64()
	})
	return sum
}

func (m *Machine) hashBudgets() (sum uint64) {
	for member, bytes := range m.budgets {
		d := newDigest()
		d.text(member)
		d.numbers(uint64(bytes))
		sum += d.Sum64()
	}
	return sum
}

func (m *Machine) hashOrigins() (sum uint64) {
	clock := m.clock.Load()
	for id, o := range m.origins {
		if o.forgotten(clock) {
			continue
		}
		d := newDigest()
		d.numbers(id, o.low, uint64(o.horizon))
		rows := newDigest()
		var rowSum uint64
		o.live(clock, func(r row) {
			rows.Reset()
			rows.numbers(r.sequence, uint64(r.notAfter), uint64(r.result.Code), r.result.Version)
			rowSum += rows.Sum64()
		})
		d.numbers(rowSum)
		sum += d.Sum64()
	}
	return sum
}

// digest hashes numbers and texts so that no two sequences of them look alike.
type digest struct{ xxhash.Digest }

func newDigest() *digest {
	d := new(digest)
	d.Reset()
	return d
}

func (d *digest) numbers(numbers ...uint64) {
	var b [8]byte
	for _, n := range numbers {
		binary.LittleEndian.PutUint64(b[:], n)
		_, _ = d.Write(b[:])
	}
}

func (d *digest) text(s string) {
	d.numbers(uint64(len(s)))
	_, _ = d.WriteString(s)
}

func number(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
