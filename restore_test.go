package imdgo_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo"
	"github.com/inelpandzic/imdgo/imdgotest"
)

// resending is a cluster of which one node, away, has been cut off until the others'
// logs begin after what it has. Links to it are slow, so that the state takes a while.
type resending struct {
	*testing.T
	*imdgotest.Cluster
	away   *imdgotest.Node
	values int

	running context.Context
	stop    context.CancelFunc
	tasks   sync.WaitGroup

	mu     sync.Mutex // guards all below
	wrong  map[string]bool
	pause  time.Duration // between two samples
	hashes map[uint64]uint64
	peak   int64 // of what entries take on the node that was away
	missed int   // samples of followers that had no state
	found  int   // linearizable reads there that found what is there
}

// small is the budget of most nodes: 3 MiB for entries, of which there are as many
// values of 5 kB as newResending is told. 590 would fill it.
var small = []imdgo.Option{imdgo.WithLogLimit(1 << 20), imdgo.WithMemoryLimit(6 << 20)}

const muchOfIt, littleOfIt = 500, 200

func newResending(t *testing.T, values, size int, opts ...imdgotest.Option) *resending {
	return cutOff(t, values, 1+5000/values, imdgotest.NewCluster(t, size, append(opts, imdgotest.With(small...))...))
}

func cutOff(t *testing.T, values, times int, c *imdgotest.Cluster) *resending {
	r := &resending{T: t, Cluster: c, values: values, hashes: map[uint64]uint64{}, wrong: map[string]bool{}}
	r.running, r.stop = context.WithCancel(ctx)
	r.away = r.Followers()[0]
	pinned, err := imdgo.OpenMap[string, string](r.Leader().Cache, "pinned", imdgo.NoEviction)
	ok(t, err)
	ok(t, pinned.Set(ctx, "k", "there"))
	ok(t, r.away.Cache.Set("read here", "and decoded"))
	r.fill()
	ok(t, r.Converged(ctx))
	if v, _ := r.away.Cache.Get("read here"); v != "and decoded" {
		t.Error("what was written is not there")
	}
	r.Isolate(r.away.Name)
	for range times {
		r.fill()
		time.Sleep(time.Second) // for snapshots on disk
	}
	for _, n := range r.Nodes() {
		if n != r.away {
			r.Delay(n.Name, r.away.Name, 10*time.Millisecond)
		}
	}
	r.tasks.Go(r.watch)
	r.tasks.Go(r.read)
	t.Cleanup(r.end)
	return r
}

func (r *resending) fill() {
	filler := table[[]byte](r.T, r.Cluster, r.Leader().Name, "filler")
	for i := 0; i < r.values; i += 10 {
		batch := map[string][]byte{}
		for j := range 10 {
			batch[fmt.Sprint(i+j)] = make([]byte, 5000)
		}
		ok(r.T, filler.SetMany(ctx, batch, imdgo.TTL(time.Hour)))
	}
}

// has reports whether there is a state on the node that was away.
func (r *resending) has() bool { return r.away.Cache.Stats().AppliedIndex > 0 }

func (r *resending) watch() {
	for i := 0; r.running.Err() == nil; i++ {
		r.sample(i%16 == 0)
		time.Sleep(cmp.Or(r.pause, 2*time.Millisecond))
	}
}

// sample looks whether every node is within its budget and none rules without a state,
// and at the hashes if that is asked for: they take long.
func (r *resending) sample(hashes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.Nodes() {
		s := n.Cache.Stats()
		if s.AccountedBytes > s.BudgetBytes {
			r.wrong[n.Name+" is accounted for more bytes than it may take"] = true
		}
		if s.AppliedIndex == 0 && s.Role == imdgo.Leader {
			r.wrong[n.Name+" leads without a state"] = true
		}
		if s.AppliedIndex == 0 && s.Role == imdgo.Follower {
			r.missed++
		}
		if !hashes {
			continue
		}
		index, hash := n.Cache.StateHash()
		if former, ok := r.hashes[index]; ok && former != hash {
			r.wrong[fmt.Sprintf("%s has at %d the state %x; there has been %x", n.Name, index, hash, former)] = true
		}
		r.hashes[index] = hash
	}
	if r.away != nil {
		r.peak = max(r.peak, entryBytes(r.away))
	}
}

func entryBytes(n *imdgotest.Node) int64 {
	s := n.Cache.Stats()
	return s.AccountedBytes - s.LogBytes
}

// read reads what is always there, on the node that was away.
func (r *resending) read() {
	m, err := imdgo.OpenMap[string, string](r.away.Cache, "pinned")
	for r.running.Err() == nil && err == nil {
		short, cancel := context.WithTimeout(r.running, time.Second)
		e, err := m.Read(short, "k", imdgo.Linearizable)
		cancel()
		r.mu.Lock()
		if err == nil && e.Value == "there" {
			r.found++
		} else if err == nil || errors.Is(err, imdgo.ErrNotFound) {
			r.wrong["a linearizable read did not find what is there"] = true
		}
		r.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
}

func (r *resending) end() {
	r.stop()
	r.tasks.Wait()
}

// check is at the end: all are equal again, and nothing was wrong in between.
func (r *resending) check() {
	r.Helper()
	r.WaitReady()
	ok(r.T, r.Converged(ctx))
	imdgotest.Eventually(r.T, time.Minute, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.found == 0 {
			return errors.New("no linearizable read has found anything")
		}
		return nil
	})
	r.end()
	for w := range r.wrong {
		r.Error(w)
	}
	for _, n := range r.Nodes() {
		m, err := imdgo.OpenMap[string, string](n.Cache, "pinned")
		ok(r.T, err)
		if v, _ := m.Get("k"); v != "there" {
			r.Errorf("%s has %q", n.Name, v)
		}
	}
}

// same checks that the node that was away has not begun another life.
func (r *resending) same(id string) {
	r.Helper()
	if now := r.away.Cache.Stats().NodeID; now != id {
		r.Errorf("it was %s, and is %s: a vote less", id, now)
	}
}

// half waits until the former state has made room, and a part of the other has come.
func (r *resending) half() {
	r.Helper()
	imdgotest.Eventually(r.T, time.Minute, func() error {
		if r.has() || entryBytes(r.away) < 1<<18 {
			return fmt.Errorf("it has its state, or nothing of another: %+v", r.away.Cache.Stats())
		}
		return nil
	})
}

// stateless checks what a node without a state answers.
func (r *resending) stateless() {
	r.Helper()
	if _, there := r.away.Cache.Get("read here"); there || r.away.Cache.Count() != 0 {
		r.Error("a reader sees something of a state that is being replaced")
	}
	if s := r.away.Cache.Stats(); s.AppliedIndex != 0 || s.DecodedBytes != 0 {
		r.Errorf("it has a state, or keeps something decoded: %+v", s)
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if r.away.Cache.Ready(short) == nil {
		r.Error("it says that it is ready")
	}
}

// onStores runs a test with all state in memory, and with data directories.
func onStores(t *testing.T, test func(t *testing.T, opts ...imdgotest.Option)) {
	t.Run("in memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t) })
	})
	t.Run("on disk", func(t *testing.T) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) { test(t, imdgotest.Durable(dir)) })
	})
}

func TestAStateThatDoesNotFitBesideTheFormerTakesItsPlace(t *testing.T) {
	onStores(t, func(t *testing.T, opts ...imdgotest.Option) {
		r := newResending(t, muchOfIt, 3, opts...)
		id := r.away.Cache.Stats().NodeID
		r.Heal()
		r.half()
		r.stateless()
		r.check()
		r.same(id)
	})
}

// A state that fits beside the former one is built there, and readers see the one
// or the other.
func TestASmallStateIsBuiltBesideTheFormer(t *testing.T) {
	onStores(t, func(t *testing.T, opts ...imdgotest.Option) {
		r := newResending(t, littleOfIt, 3, opts...)
		r.Heal()
		r.check()
		if now := entryBytes(r.away); len(opts) == 0 && r.peak < now*3/2 {
			t.Errorf("both states together took %d bytes, and the one takes %d", r.peak, now)
		}
		if r.missed > 0 {
			t.Error("it dropped its state without need")
		}
	})
}

// The transfer breaks off half-way, again and again, while the others go on.
func TestATransferThatBreaksOffIsBegunAnew(t *testing.T) {
	onStores(t, func(t *testing.T, opts ...imdgotest.Option) {
		r := newResending(t, muchOfIt, 3, opts...)
		id := r.away.Cache.Stats().NodeID
		for range 3 {
			r.Heal()
			r.half()
			r.Isolate(r.away.Name)
			time.Sleep(20 * time.Second) // longer than a transfer may stand still, and an election takes
			r.stateless()
			r.fill()
		}
		r.Heal()
		r.check()
		r.same(id)
	})
}

// Two are left of three, and one of them has no state: its vote counts, and what was
// acknowledged is on the other one.
func TestTheLeaderDiesWhileItSendsItsState(t *testing.T) {
	onStores(t, func(t *testing.T, opts ...imdgotest.Option) {
		r := newResending(t, muchOfIt, 3, opts...)
		id := r.away.Cache.Stats().NodeID
		r.Heal()
		r.half()
		former := r.Leader()
		ok(t, former.Cache.Set("last", "acknowledged"))
		r.half()
		r.Kill(former.Name)
		if r.Leader() == r.away {
			t.Error("the one without a state leads")
		}
		ok(t, r.away.Cache.Set("next", "too"))
		for _, key := range []string{"last", "next"} {
			if _, there := r.away.Cache.Get(key); !there {
				t.Errorf("%q is lost", key)
			}
		}
		r.same(id)
		r.Start(former.Name)
		r.check()
	})
}

// Of five, the leader and then the next one die while they send their state.
func TestSeveralLeadersDieWhileTheySendTheirState(t *testing.T) {
	onStores(t, func(t *testing.T, opts ...imdgotest.Option) {
		r := newResending(t, muchOfIt, 5, opts...)
		id := r.away.Cache.Stats().NodeID
		r.Heal()
		for i := range 2 {
			r.half()
			leader := r.Leader()
			ok(t, leader.Cache.Set(fmt.Sprint("of leader ", i), "acknowledged"))
			r.Kill(leader.Name)
		}
		r.check()
		r.same(id)
		for i := range 2 {
			if _, there := r.away.Cache.Get(fmt.Sprint("of leader ", i)); !there {
				t.Errorf("what leader %d has acknowledged is lost", i)
			}
		}
	})
}

// Whoever has no state stands for election when it hears of no leader, and is not
// elected: not while it is alone, and not when it is heard by one that has no leader
// either.
func TestANodeWithoutAStateDoesNotRule(t *testing.T) {
	onStores(t, func(t *testing.T, opts ...imdgotest.Option) {
		r := newResending(t, muchOfIt, 3, opts...)
		r.Heal()
		r.half()
		leader := r.Leader()
		r.Partition([]string{leader.Name}) // the other one follows, and has all that is acknowledged
		imdgotest.Eventually(t, time.Minute, func() error {
			if now := r.Leader(); now == leader || now == r.away {
				return fmt.Errorf("%s leads", now.Name)
			}
			return nil
		})
		r.Heal()
		r.check()
	})
}

// A process that is killed without a state in memory has the former one on disk.
func TestAProcessThatIsKilledWhileItIsSentAState(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newResending(t, muchOfIt, 3, imdgotest.Durable(dir))
		before, id := r.away.Cache.Stats(), r.away.Cache.Stats().NodeID
		r.Heal()
		r.half()
		r.Kill(r.away.Name)
		r.end()
		r.Isolate(r.away.Name)
		again := r.Start(r.away.Name)
		if now := again.Cache.Stats(); now.NodeID != id || now.Entries != before.Entries {
			t.Errorf("it had %d entries as %s, and has %d as %s", before.Entries, id, now.Entries, now.NodeID)
		}
		r.Heal()
		r.WaitReady()
		ok(t, r.Converged(ctx))
	})
}

// The one who takes over has a larger budget, and its log goes back beyond what the node
// without a state has, or to its beginning: raft would send that, which is of no use.
func TestALeaderWithALongerLogSendsItsState(t *testing.T) {
	for name, test := range map[string]struct {
		log    int64
		before int // times the state that is written before the node is cut off
		option imdgo.Option
	}{
		"whole":          {32 << 20, 1, imdgo.WithMemoryLimit(256 << 20)},
		"whole, on disk": {64 << 20, 1, imdgo.WithDataDir(t.TempDir())},
		"trimmed":        {16 << 20, 5, imdgo.WithMemoryLimit(256 << 20)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := imdgotest.NewCluster(t, 3, imdgotest.Unstarted(), imdgotest.With(small...))
				c.Start("n1")
				c.Start("n2")
				c.WaitReady()
				c.Start("n3", imdgo.WithMemoryLimit(256<<20), imdgo.WithLogLimit(test.log), test.option)
				c.WaitReady()
				r := &resending{T: t, Cluster: c, values: muchOfIt}
				for range test.before - 1 {
					r.fill()
				}
				r = cutOff(t, muchOfIt, 2, c)
				if c.Leader().Name == "n3" || r.away.Name == "n3" {
					t.Fatal("the third one leads, or is away")
				}
				id := r.away.Cache.Stats().NodeID
				r.Heal()
				r.half()
				former := c.Leader().Name
				c.Kill(former)
				ok(t, c.Node("n3").Cache.Set("with", "two of three"))
				r.same(id)
				c.Start(former)
				r.check()
			})
		})
	}
}

// Nodes are cut off until they need the whole state, get some of it, are cut off again,
// and leaders die in between. Whatever was acknowledged is there in the end, and at no
// index there are two states.
func TestStatesAreSentThroughTrouble(t *testing.T) {
	for _, size := range []int{3, 5} {
		t.Run(fmt.Sprint("nodes=", size), func(t *testing.T) {
			onSeeds(t, 3, func(t *testing.T, random *rand.Rand) { resendThroughTrouble(t, size, random) })
		})
	}
}

func resendThroughTrouble(t *testing.T, size int, random *rand.Rand) {
	c := slowCluster(t, size, random, imdgotest.With(small...))
	r := &resending{T: t, Cluster: c, pause: 10 * time.Millisecond, hashes: map[uint64]uint64{}, wrong: map[string]bool{}}
	r.running, r.stop = context.WithCancel(ctx)
	r.tasks.Go(r.watch)
	defer r.end()
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	var count atomic.Int64
	stop := workers(t, c, 1, random, func(node string, _ int, random *rand.Rand) {
		batch := map[string][]byte{}
		for range 1 + random.IntN(10) {
			batch[fmt.Sprint(random.IntN(2000))] = make([]byte, random.IntN(5000))
		}
		if err := table[[]byte](t, c, node, "filler").SetMany(ctx, batch); err != nil {
			undecided(t, err)
		}
		m, err := imdgo.OpenMap[string, int](c.Node(node).Cache, "kept", imdgo.NoEviction)
		ok(t, err)
		key := fmt.Sprint(count.Add(1))
		if err := m.Set(ctx, key, 1); err != nil {
			undecided(t, err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		acknowledged[key] = true
	})
	for range 4 {
		victim := c.Followers()[random.IntN(len(c.Followers()))].Name
		for range 1 + random.IntN(3) {
			c.Isolate(victim)
			doze(random, 15*time.Second)
			c.Heal()
			doze(random, 300*time.Millisecond)
		}
		if leader := c.Leader().Name; leader != victim && random.IntN(2) == 0 {
			c.Kill(leader)
			doze(random, 5*time.Second)
			c.Restart(leader)
		}
		c.WaitReady()
	}
	stop()
	c.WaitReady()
	ok(t, c.Converged(ctx))
	r.end()
	for w := range r.wrong {
		t.Error(w)
	}
	for _, n := range c.Nodes() {
		m := table[int](t, c, n.Name, "kept")
		for key := range acknowledged {
			if _, there := m.Get(key); !there {
				t.Errorf("%s has lost %s", n.Name, key)
			}
		}
	}
	t.Logf("%d writes were acknowledged; %d samples of nodes without a state", len(acknowledged), r.missed)
}
