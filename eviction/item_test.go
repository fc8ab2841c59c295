package eviction

import (
	"fmt"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// item is an entry of these tests.
type item struct {
	hook Hook[*item]
	id   uint64
	cost int64
}

func (i *item) Hook() *Hook[*item] { return &i.hook }
func (i *item) Cost() int64        { return i.cost }
func (i *item) Hash() uint64       { return hashOf(i.id) }
func (i *item) String() string     { return fmt.Sprint(i.id) }

func hashOf(id uint64) uint64 {
	var b [8]byte
	for n := range b {
		b[n] = byte(id >> (8 * n))
	}
	return xxhash.Sum64(b[:])
}

func newItem(id uint64) *item { return &item{id: id, cost: 1} }

type policy = Policy[*item]

// policies makes each of the policies.
var policies = map[string]func(Config) policy{
	"S3FIFO":   func(c Config) policy { return NewS3FIFO[*item](c) },
	"LRU":      func(c Config) policy { return NewLRU[*item](c) },
	"TwoQueue": func(c Config) policy { return NewTwoQueue[*item](c) },
}

// eachPolicy runs a specification of all policies.
func eachPolicy(t *testing.T, spec func(t *testing.T, build func(Config) policy)) {
	t.Helper()
	for name, build := range policies {
		t.Run(name, func(t *testing.T) { spec(t, build) })
	}
}

// victims returns the next n.
func victims(p policy, n int) (got []*item) {
	for e := range p.Victims {
		if len(got) == n {
			break
		}
		got = append(got, e)
	}
	return got
}

// victim evicts the next one.
func victim(p policy) *item {
	for e := range p.Victims {
		p.Evict(e)
		return e
	}
	return nil
}

// fill adds entries with the numbers from lo up to but not hi.
func fill(p policy, lo, hi uint64) (all []*item) {
	for id := lo; id < hi; id++ {
		e := newItem(id)
		p.Add(e)
		all = append(all, e)
	}
	return all
}
