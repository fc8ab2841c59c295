package eviction

import "testing"

// TestOldest: of two maps the one whose entries go unread for longer gives way.
func TestOldest(t *testing.T) {
	eachPolicy(t, func(t *testing.T, build func(Config) policy) {
		var writes uint64
		c := Config{Clock: func() uint64 { return writes }}
		hot, cold := build(c), build(c)
		if _, ok := hot.Oldest(); ok {
			t.Error("the oldest of none")
		}
		var all []*item
		for id := range uint64(200) {
			writes++
			if id%2 == 0 {
				e := newItem(id)
				hot.Add(e)
				all = append(all, e)
			} else {
				cold.Add(newItem(id))
			}
		}
		for range 50 {
			writes++
			for _, e := range all {
				e.hook.Touch()
			}
			h, _ := hot.Oldest()
			c, _ := cold.Oldest()
			if c < h {
				victim(cold)
			} else {
				victim(hot)
			}
		}
		if hot.Len() < 90 || cold.Len() > 60 {
			t.Errorf("%d entries are left of 100 that are read, %d of those that are not", hot.Len(), cold.Len())
		}
	})
}

// TestOldestHasNoClock: without one, nothing is known of time.
func TestOldestHasNoClock(t *testing.T) {
	eachPolicy(t, func(t *testing.T, build func(Config) policy) {
		p := build(Config{})
		fill(p, 0, 10)
		if stamp, ok := p.Oldest(); stamp != 0 || !ok {
			t.Errorf("%d, %v", stamp, ok)
		}
	})
}
