package imdgo_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo"
	"github.com/inelpandzic/imdgo/imdgotest"
)

// within fails the test if a node is accounted for more than its budget.
func within(t *testing.T, c *imdgotest.Cluster) {
	t.Helper()
	for _, n := range c.Nodes() {
		if s := n.Cache.Stats(); s.AccountedBytes > s.BudgetBytes {
			t.Errorf("%s is accounted for %d bytes, the budget is %d: %+v", n.Name, s.AccountedBytes, s.BudgetBytes, s)
		}
	}
}

// Far more is written than there is room for, of all sizes and on all nodes. The
// budget holds at every moment, the replicas agree on what is left, and it is
// most of what may be there.
func TestTheBudgetHoldsWhileItIsFilled(t *testing.T) {
	const limit = 8 << 20
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 3, imdgotest.With(imdgo.WithMemoryLimit(limit)))
		var writing sync.WaitGroup
		var done atomic.Int32
		for i, n := range c.Nodes() {
			m := table[[]byte](t, c, n.Name, "filled")
			writing.Go(func() {
				defer done.Add(1)
				random := rand.New(rand.NewPCG(uint64(i), 0))
				for j := range 300 {
					values := make(map[string][]byte)
					for k := range 1 + random.IntN(40) {
						values[fmt.Sprintf("%d/%d/%d", i, j, k)] = make([]byte, random.IntN(1<<random.IntN(14)))
					}
					ok(t, m.SetMany(ctx, values))
				}
			})
		}
		for done.Load() < 3 {
			within(t, c)
			time.Sleep(5 * time.Millisecond)
		}
		writing.Wait()
		within(t, c)
		ok(t, c.Converged(ctx))
		s := c.Leader().Cache.Stats()
		if s.Evictions == 0 || s.AccountedBytes < limit*3/4 {
			t.Errorf("after much more than fits: %+v", s)
		}
		t.Logf("%d entries, %d evictions, %d of %d bytes", s.Entries, s.Evictions, s.AccountedBytes, s.BudgetBytes)
	})
}

// What must not be evicted stays, and a write that finds no room is refused with
// nothing of it done.
func TestWithoutEvictionAFullCacheRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 3, imdgotest.With(imdgo.WithMemoryLimit(2<<20)))
		for _, n := range c.Nodes() {
			cache := n.Cache
			kept, err := imdgo.OpenMap[string, []byte](cache, "kept", imdgo.NoEviction)
			ok(t, err)
			value := make([]byte, 10_000)
			var full error
			stored := 0
			for ; full == nil; stored++ {
				full = kept.Set(ctx, fmt.Sprint(n.Name, stored), value)
			}
			wants(t, full, imdgo.ErrFull)
			before := kept.Len()
			wants(t, kept.SetMany(ctx, map[string][]byte{"a": value, "b": value}), imdgo.ErrFull)
			_, _, err = kept.SetIfAbsent(ctx, "c", value)
			wants(t, err, imdgo.ErrFull)
			ok(t, kept.Set(ctx, fmt.Sprint(n.Name, 0), make([]byte, 9_000))) // smaller than what is there
			if after := kept.Len(); after != before {
				t.Errorf("%d entries, %d after writes that were refused", before, after)
			}
			within(t, c)
			ok(t, kept.Clear(ctx))
		}
		ok(t, c.Converged(ctx))
	})
}

func TestAMapKeepsItsOwnLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 1)
		cache := c.Leader().Cache
		few, err := imdgo.OpenMap[int, string](cache, "few", imdgo.MaxEntries(10), imdgo.LRU)
		ok(t, err)
		other, err := imdgo.OpenMap[int, string](cache, "other")
		ok(t, err)
		for i := range 100 {
			ok(t, few.Set(ctx, i, "v"))
			ok(t, other.Set(ctx, i, "v"))
			few.Get(0)
			if n := few.Len(); n > 10 {
				t.Fatalf("%d entries of at most 10", n)
			}
		}
		if _, there := few.Get(0); !there || few.Len() != 10 || other.Len() != 100 {
			t.Errorf("%d entries, the one that was read is there: %v; %d in the map without a limit", few.Len(), there, other.Len())
		}
		many := map[int]string{}
		for i := range 11 {
			many[1000+i] = "v"
		}
		wants(t, few.SetMany(ctx, many), imdgo.ErrTooLarge)
		delete(many, 1000)
		ok(t, few.SetMany(ctx, many))
		if _, there := few.Get(1001); !there || few.Len() != 10 {
			t.Errorf("%d entries after as many as fit", few.Len())
		}
		// A limit that is lowered brings the map down, without a write.
		if _, err := imdgo.OpenMap[int, string](cache, "other", imdgo.MaxEntries(7)); err != nil {
			t.Fatal(err)
		}
		lower, err := imdgo.OpenMap[int, string](cache, "other", imdgo.MaxEntries(7))
		ok(t, err)
		ok(t, lower.Delete(ctx, -1)) // its first write declares
		eventually(t, "the map has come down", func() bool { return other.Len() == 7 })
		size, err := imdgo.OpenMap[int, []byte](cache, "size", imdgo.MaxBytes(10_000))
		ok(t, err)
		for i := range 100 {
			ok(t, size.Set(ctx, i, make([]byte, 1000)))
		}
		if n := size.Len(); n < 7 || n > 9 {
			t.Errorf("%d entries of 1000 bytes in 10,000", n)
		}
		wants(t, size.Set(ctx, 1, make([]byte, 10_000)), imdgo.ErrTooLarge)
	})
}

// The smallest budget rules, from when its node is let in until it leaves.
func TestTheSmallestBudgetRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 3, imdgotest.With(imdgo.WithMemoryLimit(16<<20)))
		m := table[[]byte](t, c, "n1", "filled")
		for i := range 3000 {
			ok(t, m.Set(ctx, fmt.Sprint(i), make([]byte, 10_000)))
		}
		full := c.Leader().Cache.Stats()
		small := c.Start("n4", imdgo.WithMemoryLimit(5<<20))
		ok(t, small.Cache.Ready(ctx))
		within(t, c)
		for _, n := range c.Nodes() {
			if s := n.Cache.Stats(); s.BudgetOf != small.Cache.Stats().NodeID || s.Entries >= full.Entries/2 {
				t.Errorf("%s with %d entries, of %d before, goes by %s", n.Name, s.Entries, full.Entries, s.BudgetOf)
			}
		}
		if s := small.Cache.Stats(); s.BudgetBytes != 5<<20 {
			t.Errorf("its own budget is %d for the smallest", s.BudgetBytes)
		}
		c.Leave("n4")
		eventually(t, "the others have their room back", func() bool { return c.Leader().Cache.Stats().BudgetBytes == 16<<20 })
	})
}

// A node whose memory happens to be far smaller is not let in, and says why.
func TestATooSmallNodeIsNotLetIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 3)
		poor := c.Start("n4", imdgo.WithMemoryPercent(1))
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		err := poor.Cache.Ready(short)
		if err == nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("ready: %v", err)
		}
		c.Kill("n4")
		for _, what := range []string{"does not let this node in", "under half", "WithMemoryLimit"} {
			if !strings.Contains(err.Error(), what) {
				t.Errorf("ready: %v; it does not say %q", err, what)
			}
		}
	})
}

// Keys that are read only on a follower, which loads them when they are gone, stay,
// while as many as fill the cache over and over are read on the leader, for a while.
func TestReadsOnAFollowerCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 3, imdgotest.With(imdgo.WithMemoryLimit(4<<20)))
		leader, follower := c.Leader(), c.Followers()[0]
		m := table[[]byte](t, c, leader.Name, "filled")
		read := table[[]byte](t, c, follower.Name, "filled")
		value := make([]byte, 1000)
		const hot, writes = 200, 20_000
		loads := 0
		for i := range writes {
			passing := fmt.Sprint("passing/", i)
			ok(t, m.Set(ctx, passing, value))
			m.Get(passing)
			m.Get(passing)
			key := fmt.Sprint("read/", i%hot)
			if _, there := read.Get(key); !there {
				ok(t, read.Set(ctx, key, value))
				if i > writes/2 {
					loads++
				}
			}
			if i%10 == 0 {
				time.Sleep(10 * time.Millisecond) // of the cluster's time
			}
		}
		if s := leader.Cache.Stats(); s.Evictions < 10_000 {
			t.Fatalf("%d evictions", s.Evictions)
		}
		t.Logf("%d of the last %d reads missed", loads, writes/2)
		if loads > writes/2/20 { // without the follower's word it is one in five
			t.Errorf("%d of the last %d reads missed", loads, writes/2)
		}
	})
}
