package eviction

import (
	"math"
	"math/rand/v2"
	"sort"
)

// zipf draws from n keys, of which the r-th has weight 1/r^s.
func zipf(rng *rand.Rand, s float64, n int) func() uint64 {
	sums, sum := make([]float64, n), 0.0
	for r := range sums {
		sum += math.Pow(float64(r+1), -s)
		sums[r] = sum
	}
	return func() uint64 { return uint64(min(sort.SearchFloat64s(sums, rng.Float64()*sum), n-1)) }
}

// node is a cache of one replica: entries by number, under a policy.
type node struct {
	policy  policy
	entries map[uint64]*item
}

func newNode(p policy) *node { return &node{p, make(map[uint64]*item)} }

// read reports whether an entry is there, and marks it.
func (n *node) read(id uint64) bool {
	e := n.entries[id]
	if e != nil {
		e.hook.Touch()
	}
	return e != nil
}

func (n *node) add(id uint64) {
	e := newItem(id)
	n.entries[id] = e
	n.policy.Add(e)
}

func (n *node) evict(id uint64) {
	n.policy.Evict(n.entries[id])
	delete(n.entries, id)
}

// request asks one cache alone for an entry, which is added if it is not there.
func (n *node) request(id uint64, bound int) bool {
	if n.read(id) {
		return true
	}
	n.add(id)
	for n.policy.Len() > bound {
		n.evict(victims(n.policy, 1)[0].id)
	}
	return false
}

// hits is the part of requests answered, in percent.
func (n *node) hits(requests int, bound int, next func(i int) uint64) float64 {
	hits := 0
	for i := range requests {
		if n.request(next(i), bound) {
			hits++
		}
	}
	return 100 * float64(hits) / float64(requests)
}
