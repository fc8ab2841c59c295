package main

import (
	"github.com/cespare/xxhash/v2"

	"github.com/inelpandzic/imdgo/eviction"
)

// entry is what stands for a cached value.
type entry struct {
	hook eviction.Hook[*entry]
	key  uint32
}

func (e *entry) Hook() *eviction.Hook[*entry] { return &e.hook }
func (e *entry) Cost() int64                  { return 1 }
func (e *entry) Hash() uint64 {
	k := e.key
	return xxhash.Sum64([]byte{byte(k), byte(k >> 8), byte(k >> 16), byte(k >> 24)})
}

// ours is a cache of one node under a policy of imdgo's.
type ours struct {
	policy  eviction.Policy[*entry]
	entries []*entry // by key
	bound   int
}

func openOurs(p eviction.Policy[*entry], entries, unique int) *ours {
	return &ours{p, make([]*entry, unique), entries}
}

func (c *ours) request(key uint32) bool {
	if e := c.entries[key]; e != nil {
		e.hook.Touch()
		return true
	}
	e := &entry{key: key}
	c.entries[key] = e
	c.policy.Add(e)
	for c.policy.Len() > c.bound {
		for victim := range c.policy.Victims {
			c.entries[victim.key] = nil
			c.policy.Evict(victim)
			break
		}
	}
	return false
}

func (*ours) close() {}
