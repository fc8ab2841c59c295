package imdgo_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/inelpandzic/imdgo"
	"github.com/inelpandzic/imdgo/imdgotest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Most tests of clusters run in a synctest bubble: elections and timeouts cost nothing there. Time
// passes only while everybody waits, so whoever works in a loop has to sleep in it.

var firstSeed = flag.Uint64("seed", 0, "the first `seed` of the tests that take several")

// onSeeds runs a test in a bubble for a number of seeds. A seed decides what goes wrong and when, as far
// as the test does; in which order goroutines run, nobody does.
func onSeeds(t *testing.T, seeds int, test func(t *testing.T, random *rand.Rand)) {
	t.Parallel()
	for seed := *firstSeed; seed < *firstSeed+uint64(seeds); seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

// slowCluster starts nodes whose links take up to 10 ms: without that nobody could die between two steps
// of anything, as in a bubble they take no time.
func slowCluster(t *testing.T, size int, random *rand.Rand, opts ...imdgotest.Option) *imdgotest.Cluster {
	c := imdgotest.NewCluster(t, size, opts...)
	nodes := c.Nodes()
	for i, a := range nodes {
		for _, b := range nodes[:i] {
			c.Delay(a.Name, b.Name, time.Duration(random.Int64N(int64(10*time.Millisecond))))
		}
	}
	return c
}

// doze sleeps for up to d.
func doze(random *rand.Rand, d time.Duration) { time.Sleep(1 + time.Duration(random.Int64N(int64(d)))) }

func table[V any](t *testing.T, c *imdgotest.Cluster, node, name string) *imdgo.Map[string, V] {
	m, err := imdgo.OpenMap[string, V](c.Node(node).Cache, name)
	if err != nil {
		t.Error(err)
	}
	return m
}

// workers runs work again and again, on workers that each belong to a node, until stop is called.
func workers(t *testing.T, c *imdgotest.Cluster, each int, random *rand.Rand, work func(node string, id int, random *rand.Rand)) (stop func()) {
	var running sync.WaitGroup
	var stopped atomic.Bool
	for i, n := range c.Nodes() {
		for j := range each {
			id, seed := i*each+j, random.Uint64()
			running.Go(func() {
				own := rand.New(rand.NewPCG(seed, 0))
				for !stopped.Load() {
					work(n.Name, id, own)
					doze(own, 100*time.Millisecond)
				}
			})
		}
	}
	return func() {
		t.Helper()
		stopped.Store(true)
		running.Wait()
	}
}

// trouble kills or cuts off the leader or some other node, several times, and lets the cluster recover
// in between.
func trouble(c *imdgotest.Cluster, rounds int, random *rand.Rand) {
	for range rounds {
		victim := c.Leader().Name
		if random.IntN(3) == 0 {
			victim = c.Followers()[0].Name
		}
		switch random.IntN(4) {
		case 0:
			c.Kill(victim)
			doze(random, 4*time.Second)
			c.Restart(victim)
		case 1:
			c.Isolate(victim)
			doze(random, 6*time.Second)
			c.Heal()
		case 2:
			for range 30 {
				for _, other := range c.Nodes() {
					c.Reset(victim, other.Name)
				}
				doze(random, 200*time.Millisecond)
			}
		default:
			cutSome(c, victim, random)
			doze(random, 6*time.Second)
			c.Heal()
		}
		c.WaitReady()
		doze(random, time.Second)
	}
}

// cutSome cuts one or both directions of a node's link to one other node.
func cutSome(c *imdgotest.Cluster, victim string, random *rand.Rand) {
	for _, other := range c.Nodes() {
		if other.Name == victim || random.IntN(2) == 0 {
			continue
		}
		switch random.IntN(3) {
		case 0:
			c.CutOneWay(victim, other.Name)
		case 1:
			c.CutOneWay(other.Name, victim)
		default:
			c.Cut(victim, other.Name)
		}
	}
}

// undecided reports whether a write may have been applied or not, and fails the test on an error that a
// cluster in trouble has no reason for.
func undecided(t *testing.T, err error) bool {
	switch {
	case errors.Is(err, imdgo.ErrUnknownOutcome):
		return true
	case errors.Is(err, imdgo.ErrNoLeader), errors.Is(err, imdgo.ErrTimeout), errors.Is(err, imdgo.ErrClosed):
	default:
		t.Errorf("what kind of error is this: %v", err)
	}
	return false
}

// Every increment that was acknowledged counts once, one of unknown outcome once or not at all, and any
// other not.
func TestCountersThroughTrouble(t *testing.T) {
	onSeeds(t, 3, func(t *testing.T, random *rand.Rand) {
		c := slowCluster(t, 3, random, imdgotest.With(imdgo.WithTimeout(3*time.Second)))
		var acknowledged, unknown atomic.Int64
		stop := workers(t, c, 2, random, func(node string, _ int, _ *rand.Rand) {
			m, ctx := table[int64](t, c, node, "counters"), context.Background()
			e, err := m.Read(ctx, "hits", imdgo.Local)
			if err != nil && !errors.Is(err, imdgo.ErrNotFound) {
				undecided(t, err)
				return
			}
			switch _, swapped, err := m.CompareAndSwap(ctx, "hits", e.Version, e.Value+1); {
			case err == nil && swapped:
				acknowledged.Add(1)
			case err != nil && undecided(t, err):
				unknown.Add(1)
			}
		})
		trouble(c, 8, random)
		stop()
		e, err := table[int64](t, c, "n1", "counters").Read(t.Context(), "hits", imdgo.Linearizable)
		least, most := acknowledged.Load(), acknowledged.Load()+unknown.Load()
		if err != nil || e.Value < least || e.Value > most {
			t.Errorf("counted %d, %v; want from %d to %d", e.Value, err, least, most)
		}
		t.Logf("%d increments, %d of unknown outcome, counted %d", least, most-least, e.Value)
	})
}

// Nobody gets a lock that somebody else has.
func TestLocksThroughTrouble(t *testing.T) {
	onSeeds(t, 3, func(t *testing.T, random *rand.Rand) {
		c := slowCluster(t, 3, random, imdgotest.With(imdgo.WithTimeout(3*time.Second)))
		var holders, taken, attempts atomic.Int64
		stop := workers(t, c, 2, random, func(node string, _ int, random *rand.Rand) {
			locks := func() *imdgo.Map[string, int64] { return table[int64](t, c, node, "locks") }
			me, ctx := attempts.Add(1), context.Background()
			version, held, err := locks().SetIfAbsent(ctx, "lock", me)
			if err != nil && !undecided(t, err) || err == nil && !held {
				return
			}
			for err != nil { // it is me, or it is not
				var e imdgo.Entry[int64]
				e, err = locks().Read(ctx, "lock", imdgo.Linearizable)
				version = e.Version
				if errors.Is(err, imdgo.ErrNotFound) || err == nil && e.Value != me {
					return // and never will: the patience of the write is over, too
				}
				doze(random, 100*time.Millisecond)
			}
			if n := holders.Add(1); n != 1 {
				t.Errorf("%d hold the lock", n)
			}
			taken.Add(1)
			doze(random, 10*time.Millisecond)
			holders.Add(-1)
			for {
				if _, err := locks().CompareAndDelete(ctx, "lock", version); err == nil {
					return // by this call or by the one before it
				}
				doze(random, 100*time.Millisecond)
			}
		})
		trouble(c, 8, random)
		stop()
		if e, err := table[int64](t, c, "n1", "locks").Read(t.Context(), "lock", imdgo.Linearizable); !errors.Is(err, imdgo.ErrNotFound) {
			t.Errorf("the lock is left with %v, %v", e, err)
		}
		t.Logf("taken %d times in %d attempts", taken.Load(), attempts.Load())
		if taken.Load() == 0 {
			t.Error("nobody ever got the lock")
		}
	})
}

// What was acknowledged outlives any number of deaths, as long as a minority is dead at a time, and was
// applied once: a second time would have given it another version.
func TestAcknowledgedWritesSurvive(t *testing.T) {
	for _, size := range []int{3, 5} {
		t.Run(fmt.Sprint("nodes=", size), func(t *testing.T) {
			onSeeds(t, 3, func(t *testing.T, random *rand.Rand) { survive(t, size, random) })
		})
	}
}

func survive(t *testing.T, size int, random *rand.Rand) {
	c := slowCluster(t, size, random)
	var mu sync.Mutex
	acknowledged := make(map[string]imdgo.Version) // 0: not looked at
	var count atomic.Int64
	stop := workers(t, c, 2, random, func(node string, _ int, _ *rand.Rand) {
		key, m := fmt.Sprint("key", count.Add(1)), table[int64](t, c, node, "all")
		if err := m.Set(t.Context(), key, 1); err != nil {
			undecided(t, err)
			return
		}
		e, err := m.Read(t.Context(), key, imdgo.Local)
		if err != nil {
			undecided(t, err) // it has been killed since
		}
		mu.Lock()
		defer mu.Unlock()
		acknowledged[key] = e.Version
	})
	for range 6 {
		killSome(c, size, random)
		c.WaitReady()
	}
	stop()
	c.WaitReady()
	for _, n := range c.Nodes() {
		m := table[int64](t, c, n.Name, "all")
		for key, version := range acknowledged {
			e, err := m.Read(t.Context(), key, imdgo.Local)
			if err != nil || version != 0 && e.Version != version {
				t.Errorf("%s has version %d of %s, %v; want %d", n.Name, e.Version, key, err, version)
			}
		}
	}
	t.Logf("%d writes were acknowledged", len(acknowledged))
}

// killSome kills a minority, often with the leader in it, and restarts it later.
func killSome(c *imdgotest.Cluster, size int, random *rand.Rand) {
	dead := []string{c.Leader().Name}
	for _, i := range random.Perm(size) {
		if name := fmt.Sprint("n", i+1); name != dead[0] && len(dead) < (size-1)/2 {
			dead = append(dead, name)
		}
	}
	if random.IntN(4) == 0 {
		dead[0] = c.Followers()[0].Name
	}
	slices.Sort(dead)
	dead = slices.Compact(dead)
	for _, name := range dead {
		c.Kill(name)
	}
	doze(random, 5*time.Second)
	for _, name := range dead {
		c.Restart(name)
	}
}

// A linearizable read on any node sees what was acknowledged before it began.
func TestLinearizableReads(t *testing.T) {
	onSeeds(t, 3, func(t *testing.T, random *rand.Rand) {
		c := slowCluster(t, 3, random, imdgotest.With(imdgo.WithTimeout(3*time.Second)))
		const registers = 3
		var histories [registers]history
		var values atomic.Int64
		stop := workers(t, c, 3, random, func(node string, _ int, random *rand.Rand) {
			i := random.IntN(registers)
			h, key, ctx := &histories[i], fmt.Sprint("register", i), context.Background()
			m := table[int64](t, c, node, "registers")
			if random.IntN(2) == 0 {
				o := operation{write: true, value: values.Add(1), begin: h.begin(), end: never}
				err := m.Set(ctx, key, o.value)
				if err == nil {
					o.end = h.begin()
				} else if !undecided(t, err) {
					return // not applied: if anybody reads it, it has come out of nowhere
				}
				h.add(o)
				return
			}
			o := operation{begin: h.begin()}
			e, err := m.Read(ctx, key, imdgo.Linearizable)
			if err != nil && !errors.Is(err, imdgo.ErrNotFound) {
				undecided(t, err)
				return
			}
			o.value, o.end = e.Value, h.begin()
			h.add(o)
		})
		trouble(c, 8, random)
		stop()
		for i := range histories {
			if err := histories[i].check(); err != nil {
				t.Errorf("register %d, %d operations: %v", i, len(histories[i].operations), err)
			}
		}
		t.Logf("%d writes", values.Load())
	})
}

// Whoever has written reads it on the same node at once, whatever the kind of write and whoever leads.
func TestReadYourWrites(t *testing.T) {
	onSeeds(t, 3, func(t *testing.T, random *rand.Rand) {
		c := slowCluster(t, 3, random)
		stop := workers(t, c, 2, random, func(node string, id int, random *rand.Rand) {
			m, value := table[int64](t, c, node, "own"), random.Int64()
			key := fmt.Sprint("of ", id, ": ", value) // a new one: what an earlier death left open is not looked at
			ctx := context.Background()
			check := func(what string, err error, want int64, there bool) (goOn bool) {
				if got, ok := m.Get(key); err == nil && (ok != there || got != want) && m.Set(ctx, key, 0) == nil {
					t.Errorf("after %s on %s: got %d, %v; want %d, %v", what, node, got, ok, want, there)
				}
				return err == nil
			}
			goOn := check("Set", m.Set(ctx, key, value), value, true)
			goOn = goOn && check("SetMany", m.SetMany(ctx, map[string]int64{key: value + 1, key + "'": 1}), value+1, true)
			goOn = goOn && check("Delete", m.Delete(ctx, key, key+"'"), 0, false)
			if !goOn {
				return
			}
			version, stored, err := m.SetIfAbsent(ctx, key, value)
			if !check("SetIfAbsent", err, value, true) || !stored {
				return
			}
			version, _, err = m.CompareAndSwap(ctx, key, version, value+2)
			if !check("CompareAndSwap", err, value+2, true) {
				return
			}
			_, err = m.Expire(ctx, key, time.Hour)
			if left, _ := m.TTL(key); err == nil && left == 0 {
				t.Errorf("after Expire on %s: no deadline", node)
			}
			_, err = m.CompareAndDelete(ctx, key, version)
			check("CompareAndDelete", err, 0, false)
		})
		trouble(c, 5, random)
		stop()
	})
}

// Nodes that start at any moment, while links fail and are mended, become one cluster: never two, and
// not none.
func TestOneClusterForms(t *testing.T) {
	for _, size := range []int{3, 5} {
		t.Run(fmt.Sprint("nodes=", size), func(t *testing.T) {
			onSeeds(t, 30, func(t *testing.T, random *rand.Rand) { form(t, size, random) })
		})
	}
}

func form(t *testing.T, size int, random *rand.Rand) {
	var log lockedBuffer
	c := imdgotest.NewCluster(t, size, imdgotest.Unstarted(),
		imdgotest.With(imdgo.WithLogger(slog.New(slog.NewTextHandler(&log, nil)))))
	for _, i := range random.Perm(size) {
		name := fmt.Sprint("n", i+1)
		for range random.IntN(size) {
			if other := fmt.Sprint("n", 1+random.IntN(size)); random.IntN(2) == 0 {
				c.Cut(name, other)
			} else {
				c.CutOneWay(name, other)
			}
		}
		c.Start(name)
		doze(random, 3*time.Second)
		if random.IntN(3) == 0 {
			c.Heal()
		}
	}
	doze(random, 10*time.Second)
	c.Heal()
	c.WaitReady()
	leader := c.Leader().Cache.Stats().NodeID
	if err := c.Node("n1").Cache.Set("a", "b"); err != nil {
		t.Error(err)
	}
	if err := c.Converged(t.Context()); err != nil {
		t.Error(err)
	}
	for _, n := range c.Nodes() {
		if s := n.Cache.Stats(); s.Leader != leader {
			t.Errorf("%s follows %q, not %q", n.Name, s.Leader, leader)
		}
		if v, _ := n.Cache.Get("a"); v != "b" {
			t.Errorf("%s does not have what n1 set", n.Name)
		}
	}
	if n := log.count("founded a cluster"); n != 1 {
		t.Errorf("%d clusters were founded:\n%s", n, &log)
	}
}

// lockedBuffer is a log that can be looked into.
type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.b.Bytes(), []byte(text))
}

// A hundred thousand entries that are due together go soon, and those who write meanwhile do not notice.
// This one takes real time: what it looks at is work.
func TestManyExpireTogether(t *testing.T) {
	const entries, batch = 100_000, 1000
	c := imdgotest.NewCluster(t, 3)
	m := table[string](t, c, c.Leader().Name, "many")
	for i := range entries / batch {
		values := make(map[string]string, batch)
		for j := range batch {
			values[fmt.Sprint("key", i*batch+j)] = "a value of some length"
		}
		if err := m.SetMany(t.Context(), values, imdgo.TTL(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Converged(t.Context()); err != nil {
		t.Fatal(err)
	}
	var writes atomic.Int64
	var slowest time.Duration // of one writer on a follower
	var writing sync.WaitGroup
	var stop atomic.Bool
	writer := table[int64](t, c, c.Followers()[0].Name, "writes")
	writing.Go(func() {
		for !stop.Load() {
			start := time.Now()
			if err := writer.Set(t.Context(), "a", writes.Add(1)); err != nil {
				t.Error(err)
			}
			slowest = max(slowest, time.Since(start))
		}
	})
	c.Tick(time.Hour)
	start := time.Now()
	imdgotest.Eventually(t, 20*time.Second, func() error {
		for _, n := range c.Nodes() {
			if left := n.Cache.Stats().Entries; left > 1 {
				return fmt.Errorf("%s still has %d entries", n.Name, left)
			}
		}
		return nil
	})
	took := time.Since(start)
	stop.Store(true)
	writing.Wait()
	t.Logf("gone on all nodes within %v; meanwhile %d writes, the slowest took %v", took, writes.Load(), slowest)
	if slowest > 5*time.Second {
		t.Errorf("a write waited %v", slowest)
	}
}

// In trouble or not, a closed cluster leaves no goroutine behind.
func TestCloseLeavesNothingBehind(t *testing.T) {
	c := imdgotest.NewCluster(t, 3, imdgotest.Loopback(), imdgotest.Unchecked())
	if err := c.Node("n1").Cache.Set("a", 1); err != nil {
		t.Error(err)
	}
	leader := c.Leader().Name
	c.Isolate(leader)
	const size = 10_000 // more than anything else that the log could get meanwhile
	before := c.Node(leader).Cache.Stats().LogBytes
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if err := c.Node(leader).Cache.Set("a", make([]byte, size)); !errors.Is(err, imdgo.ErrUnknownOutcome) {
			t.Errorf("a write that Close ended: %v", err)
		}
	})
	eventually(t, "the write is under way", func() bool {
		return c.Node(leader).Cache.Stats().LogBytes >= before+size
	})
	for _, n := range c.Nodes() {
		c.Stop(n.Name)
	}
	waiting.Wait()
}
