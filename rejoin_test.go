package imdgo_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo"
	"github.com/inelpandzic/imdgo/imdgotest"
)

// The schedule that a blank voter would lose a write by: A and B acknowledge it
// with C cut off; B restarts without its memory; A is gone; C comes back. B's
// address is in C's configuration, and a blank raft votes for anybody. (With the
// incarnation left out of account it does, see internal/node.)
func TestARestartedNodeDoesNotVoteForWhatItHasForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 3)
		a, followers := c.Leader(), c.Followers()
		b, late := followers[0], followers[1]
		c.Isolate(late.Name)
		ok(t, a.Cache.Set("k", "acknowledged"))
		c.Kill(b.Name)
		c.Partition([]string{a.Name}, []string{b.Name, late.Name})
		b = c.Start(b.Name)
		// Longer than any election, and than anybody waits for a promise.
		for range 20 {
			short, cancel := context.WithTimeout(ctx, 3*time.Second)
			err := open[string, string](t, late.Cache, "other").Set(short, "k", "of a cluster without it")
			cancel()
			if err == nil {
				t.Fatal("a leader was elected with the help of a node that has forgotten everything")
			}
		}
		if _, found := b.Cache.Get("k"); found {
			t.Error("a node that was restarted has something in memory")
		}
		c.Heal()
		c.WaitReady()
		for _, n := range c.Nodes() {
			if v, _ := n.Cache.Get("k"); v != "acknowledged" {
				t.Errorf("%s has %v", n.Name, v)
			}
		}
	})
}

// full is a cluster whose log holds a fraction of what is written, so that who
// comes late is sent the state.
func full(t *testing.T, n int) *imdgotest.Cluster {
	c := imdgotest.NewCluster(t, n, imdgotest.With(imdgo.WithLogLimit(1<<20)))
	m := table[[]byte](t, c, c.Leader().Name, "filler")
	for i := range 40 {
		many := make(map[string][]byte)
		for j := range 100 {
			many[fmt.Sprint(i, " ", j)] = make([]byte, 1000)
		}
		ok(t, m.SetMany(ctx, many, imdgo.TTL(time.Duration(i%3)*time.Hour)))
	}
	for _, node := range c.Nodes() {
		if bytes := node.Cache.Stats().LogBytes; bytes > 3<<20 {
			t.Errorf("%s holds %d bytes of log", node.Name, bytes)
		}
	}
	return c
}

func TestWhoComesLateIsSentTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := full(t, 3)
		ok(t, c.Leader().Cache.Set("k", "v"))
		c.Restart(c.Followers()[0].Name)
		c.Start("n4")
		c.Start("n5") // both at once: one waits for the other's transfer
		c.WaitReady()
		ok(t, c.Converged(ctx))
		for _, n := range c.Nodes() {
			if v, _ := n.Cache.Get("k"); v != "v" || n.Cache.Stats().Entries != 4001 {
				t.Errorf("%s has %v and %d entries", n.Name, v, n.Cache.Stats().Entries)
			}
		}
	})
}

// A follower that was cut off while the log went on is a voter, and is sent the
// state. What it asks for then is applied once, and can be read there.
func TestAFollowerThatWasAwayIsSentTheState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 3, imdgotest.With(imdgo.WithLogLimit(1<<20)))
		away := c.Followers()[0]
		ok(t, away.Cache.Set("before", 1))
		c.Isolate(away.Name)
		m := table[[]byte](t, c, c.Leader().Name, "filler")
		for i := range 300 {
			ok(t, m.Set(ctx, fmt.Sprint(i), make([]byte, 10_000)))
		}
		c.Heal()
		if v, _ := away.Cache.Get("before"); v != int64(1) {
			t.Error("what it had is gone")
		}
		counter := table[int](t, c, away.Name, "counter")
		for i := range 10 {
			e, _ := counter.Read(ctx, "n")
			if _, swapped, err := counter.CompareAndSwap(ctx, "n", e.Version, e.Value+1); err != nil || !swapped {
				t.Fatal(i, swapped, err)
			}
		}
		if e, err := counter.Read(ctx, "n", imdgo.Linearizable); err != nil || e.Value != 10 {
			t.Error(e, err)
		}
		ok(t, c.Converged(ctx))
	})
}

// Replicas are the same after replay, restored states, restarts and joins, with
// TTLs running, whatever the history. The cluster looks at the end of the test.
func TestReplicasAreTheSameAfterAnyHistory(t *testing.T) {
	onSeeds(t, 4, func(t *testing.T, random *rand.Rand) {
		c := imdgotest.NewCluster(t, 3, imdgotest.With(imdgo.WithLogLimit(1<<20)))
		stop := workers(t, c, 2, random, func(node string, id int, random *rand.Rand) {
			m := table[[]byte](t, c, node, "m")
			key := fmt.Sprint(random.IntN(300))
			short, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			// What comes of it is for other tests: here it is only history.
			switch random.IntN(8) {
			case 0:
				_ = m.Delete(short, key)
			case 1:
				_, _ = m.Expire(short, key, time.Duration(random.IntN(5))*time.Second)
			case 2:
				_, _, _ = m.SetIfAbsent(short, key, make([]byte, random.IntN(20_000)), imdgo.TTL(time.Second))
			case 3:
				if random.IntN(20) == 0 {
					_ = m.Clear(short)
				}
			default:
				_ = m.Set(short, key, make([]byte, random.IntN(20_000)), imdgo.TTL(time.Duration(random.IntN(10))*time.Second))
			}
		})
		trouble(c, 4, random)
		c.Start("n4")
		c.WaitReady()
		stop()
	})
}

// While there are writes without a pause, a node that is further away than the
// others is always some entries short of what is committed. It votes all the same.
func TestANodeThatIsFarAwayGetsItsVoteUnderWrites(t *testing.T) {
	for _, far := range []time.Duration{3 * time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond} {
		t.Run(far.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := imdgotest.NewCluster(t, 3)
				leader, near, away := c.Leader(), c.Followers()[0].Name, c.Followers()[1].Name
				c.Delay(leader.Name, near, 500*time.Microsecond)
				c.Delay(leader.Name, away, far)
				busy := table[int](t, c, leader.Name, "busy")
				stop := make(chan struct{})
				var writing sync.WaitGroup
				defer writing.Wait()
				defer close(stop)
				for i := range 4 {
					writing.Go(func() {
						for ; ; i++ {
							select {
							case <-stop:
								return
							default:
								_ = busy.Set(ctx, "k", i) // none of them matters
							}
						}
					})
				}
				c.Restart(away)
				short, cancel := context.WithTimeout(ctx, 5*time.Second)
				defer cancel()
				ok(t, c.Node(away).Cache.Ready(short))
			})
		})
	}
}
