package imdgo_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo"
	"github.com/inelpandzic/imdgo/imdgotest"
)

// Each of these plays one schedule, in which the interleaving matters.

// The schedule: one caller waits for slow followers. Beside it, on the same
// node, more callers than there are sequences in a window ask and give up before
// they are answered. An entry whose sequence is too far ahead of the patient
// caller's could be applied by no replica: it would stop all of them.
func TestImpatientCallersStopNobody(t *testing.T) {
	const waves, callers = 70, 1000 // a window is 1 << 16
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 3)
		leader := c.Leader().Name
		for _, n := range c.Followers() {
			c.Delay(leader, n.Name, waves*time.Millisecond)
		}
		m := table[int](t, c, leader, "m")
		patient := make(chan error, 1)
		go func() { patient <- m.Set(ctx, "patient", 1) }()
		synctest.Wait() // it is on its way
		for range waves {
			short, cancel := context.WithTimeout(ctx, time.Millisecond)
			var asking sync.WaitGroup
			for range callers {
				asking.Go(func() { _ = m.Set(short, "impatient", 1) })
			}
			asking.Wait()
			cancel()
		}
		select {
		case err := <-patient:
			t.Fatalf("the patient caller was answered before the others had asked: %v", err)
		default:
		}
		ok(t, <-patient)
		for _, n := range c.Nodes() {
			ok(t, n.Cache.Set("by "+n.Name, 1))
		}
	})
}

// The schedule: a map's TTL is declared; two of three nodes restart, and with
// the majority all that was known is gone. The third goes along to the new
// cluster, and so does whoever has opened the map there.
func TestAMapDeclaresItsTTLInANewCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 3)
		m := open[string, int](t, c.Node("n1").Cache, "m", imdgo.TTL(5*time.Second))
		ok(t, m.Set(ctx, "before", 1))
		c.Kill("n2")
		c.Kill("n3")
		c.Start("n2")
		c.Start("n3")
		c.WaitReady()
		if _, found := m.Get("before"); found {
			t.Error("it is the same cluster, which cannot be")
		}
		ok(t, m.Set(ctx, "after", 1))
		if ttl, found := m.TTL("after"); !found || ttl <= 0 || ttl > 5*time.Second {
			t.Errorf("TTL %v, %v", ttl, found)
		}
	})
}

// The schedule: nobody leads, and many write to a map whose TTL has yet to be
// declared. Whoever declares it takes all the time there is; those who wait for
// their turn must not each begin to count then.
func TestWritesThatWaitForADeclarationHaveATimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 3, imdgotest.With(imdgo.WithTimeout(time.Second)))
		c.Isolate("n1")
		eventually(t, "n1 knows no leader", func() bool { return c.Node("n1").Cache.Stats().Leader == "" })
		m := open[string, int](t, c.Node("n1").Cache, "m", imdgo.TTL(5*time.Second))
		begun := time.Now()
		var writing sync.WaitGroup
		for range 50 {
			writing.Go(func() {
				err := m.Set(ctx, "k", 1)
				if undecided(t, err) {
					t.Errorf("it was sent before its map was declared: %v", err)
				}
				if took := time.Since(begun); took > 1100*time.Millisecond {
					t.Errorf("a write that may take a second took %v: %v", took, err)
				}
			})
		}
		writing.Wait()
	})
}

// The schedule: a load waits for its database when the cache is closed. Its
// context ends, and Close returns after the load has.
func TestCloseWaitsForLoads(t *testing.T) {
	leave := func(c *imdgo.Cache) error { return c.Leave(ctx) }
	for i, end := range []func(*imdgo.Cache) error{(*imdgo.Cache).Close, leave} {
		t.Run([]string{"Close", "Leave"}[i], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const cleanup = time.Second
				c := alone(t)
				m := open[string, int](t, c, "m")
				ended := false
				var calling sync.WaitGroup
				calling.Go(func() {
					_, err := m.GetOrLoad(ctx, "k", func(ctx context.Context, _ string) (int, error) {
						<-ctx.Done()
						time.Sleep(cleanup)
						ended = true
						return 0, ctx.Err()
					})
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				})
				synctest.Wait() // the load is under way
				begun := time.Now()
				ok(t, end(c))
				if !ended { // the race detector looks as well
					t.Error("the cache was closed before the load had ended")
				}
				if took := time.Since(begun); took > 2*cleanup {
					t.Errorf("it took %v: nobody has told the load", took)
				}
				calling.Wait()
			})
		})
	}
}

// The schedule: a load takes no notice of its context's end. Close tells it,
// waits a while, and no longer.
func TestALoadThatIsDeafDoesNotHoldCloseUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := alone(t)
		m := open[string, int](t, c, "m")
		gate := make(chan struct{})
		var calling sync.WaitGroup
		calling.Go(func() {
			_, _ = m.GetOrLoad(ctx, "k", func(context.Context, string) (int, error) {
				<-gate
				return 1, nil
			})
		})
		synctest.Wait()
		begun := time.Now()
		ok(t, c.Close())
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		close(gate)
		calling.Wait()
	})
}

// The schedule: a follower is being sent the state, slowly, when its cable is
// pulled, for longer than anybody is patient. Writes go on. While the state is
// under way the log keeps what follows it; it must not for as long as somebody
// might still read it.
func TestAHungFollowerDoesNotGrowTheLog(t *testing.T) {
	const limit, size, keys = 1 << 20, 64 << 10, 80
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 3, imdgotest.With(imdgo.WithLogLimit(limit)))
		leader, late := c.Leader(), c.Followers()[0].Name
		m := table[[]byte](t, c, leader.Name, "filler")
		logBytes := func() int64 { return leader.Cache.Stats().LogBytes }
		written := 0
		write := func() {
			ok(t, m.Set(ctx, fmt.Sprint(written%keys), make([]byte, size)))
			written++
			time.Sleep(50 * time.Millisecond)
		}
		for range keys {
			write()
		}
		state := leader.Cache.Stats().AccountedBytes
		eventually(t, "the log has been trimmed", func() bool { return logBytes() <= limit })
		for _, n := range c.Nodes() {
			if n.Name != late {
				c.Delay(n.Name, late, 50*time.Millisecond)
			}
		}
		restarted := c.Restart(late)
		for logBytes() < limit*5/4 { // not trimmed, so the state is on its way
			write()
		}
		if n := restarted.Cache.Stats().Entries; n != 0 {
			t.Fatalf("%s has got %d entries: the state has come already", late, n)
		}
		c.Isolate(late)
		most, begun := int64(0), time.Now()
		for time.Since(begun) < 30*time.Second {
			write()
			most = max(most, logBytes())
		}
		if bound := int64(3*limit + 4*size); most > bound {
			t.Errorf("the log took up to %d bytes, want no more than %d", most, bound)
		}
		t.Logf("%d MB of state, up to %d MB of log, %d MB written meanwhile", state>>20, most>>20, int64(written-keys)*size>>20)
		c.Heal()
		c.WaitReady()
		ok(t, c.Converged(ctx))
		if n := restarted.Cache.Stats().Entries; n != keys {
			t.Errorf("%s has %d entries", late, n)
		}
	})
}

// The schedules: nodes form a cluster over slow links. At a moment that the seed
// decides one of them is killed and started again, often when it has promises and
// nobody knows that it has founded a cluster with them. Answers that are on their
// way are older than a promise that is given meanwhile, and are no reason to take
// it back; and nobody waits for a cluster that counts on votes which it will
// never get. The seeds are such that nodes which take no such care are never ready.
func TestPromisesOutliveOldAnswers(t *testing.T) {
	for size, seeds := range map[int][]uint64{
		3: {393, 501, 514, 617, 950, 1091, 1210, 1632, 2482},
		5: {491, 749, 1417, 1455, 1943},
	} {
		for _, seed := range seeds {
			t.Run(fmt.Sprint("nodes=", size, ",seed=", *firstSeed+seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					formWithADeath(t, size, rand.New(rand.NewPCG(*firstSeed+seed, 0)))
				})
			})
		}
	}
}

func formWithADeath(t *testing.T, size int, random *rand.Rand) {
	c := imdgotest.NewCluster(t, size, imdgotest.Unstarted())
	name := func(i int) string { return fmt.Sprint("n", i%size+1) }
	for i := range size {
		for j := range i {
			if random.IntN(2) == 0 {
				c.Delay(name(i), name(j), time.Duration(random.IntN(80))*time.Millisecond)
			}
		}
	}
	for i := range size {
		c.Start(name(i))
	}
	doze(random, 900*time.Millisecond)
	victim := 0 // the first of the list is who asks for promises
	if random.IntN(3) == 0 {
		victim = random.IntN(size)
	}
	if random.IntN(2) == 0 {
		c.Cut(name(victim), name(victim+1))
		doze(random, 100*time.Millisecond)
	}
	c.Kill(name(victim))
	doze(random, 100*time.Millisecond)
	c.Heal()
	c.Start(name(victim))
	short, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for _, n := range c.Nodes() {
		if err := n.Cache.Ready(short); err != nil {
			t.Fatalf("%s was killed, and %s is never ready: %v", name(victim), n.Name, err)
		}
	}
}

// Nothing but the push tells an idle leader's followers so soon: raft's timer takes half a second.
func TestFollowersOfAnIdleLeaderLearnOfACommitAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 3)
		leader := table[string](t, c, c.Leader().Name, "m")
		for i := range 20 {
			time.Sleep(3 * time.Second) // so that everybody is idle
			value := fmt.Sprint(i)
			if err := leader.Set(t.Context(), "k", value); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Millisecond)
			for _, f := range c.Followers() {
				if got, _ := table[string](t, c, f.Name, "m").Get("k"); got != value {
					t.Errorf("%s has %q, want %q", f.Name, got, value)
				}
			}
		}
	})
}
