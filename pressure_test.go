package imdgo_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo"
	"github.com/inelpandzic/imdgo/imdgotest"
)

// pressure is a cluster that is written to far beyond its budget. Each writer has
// keys of its own, each write a number in its value that only grows.
type pressure struct {
	*testing.T
	*imdgotest.Cluster
	largest int
	pause   time.Duration // of a writer, between two writes

	watching sync.WaitGroup
	writing  sync.WaitGroup
	stop     context.CancelFunc
	running  context.Context
	samples  int

	mu      sync.Mutex // guards all below
	acked   map[string]uint64
	unknown map[string]uint64 // the newest write that may have been applied
	writes  int
	over    string
}

func newPressure(t *testing.T, c *imdgotest.Cluster) *pressure {
	p := &pressure{T: t, Cluster: c, largest: 2000, pause: time.Millisecond, acked: map[string]uint64{}, unknown: map[string]uint64{}}
	p.running, p.stop = context.WithCancel(ctx)
	p.watching.Go(func() {
		for p.running.Err() == nil {
			p.sample()
			time.Sleep(2 * time.Millisecond)
		}
	})
	t.Cleanup(p.end)
	return p
}

// sample looks whether every node is within its budget.
func (p *pressure) sample() {
	p.samples++
	for _, n := range p.Nodes() {
		s := n.Cache.Stats()
		if s.AccountedBytes > s.BudgetBytes {
			p.mu.Lock()
			if p.over == "" {
				p.over = fmt.Sprintf("%s is accounted for %d bytes, %d of them in the log, and may take %d: %+v", n.Name, s.AccountedBytes, s.LogBytes, s.BudgetBytes, s)
			}
			p.mu.Unlock()
		}
	}
}

// write begins to write on every node of now, by name, whoever that is later.
func (p *pressure) write(keys int) {
	for i, n := range p.Nodes() {
		name := n.Name
		p.writing.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 0))
			for number := uint64(1); p.running.Err() == nil; number++ {
				p.writeOnce(name, random, number, keys)
				time.Sleep(p.pause)
			}
		})
	}
}

func (p *pressure) writeOnce(name string, random *rand.Rand, number uint64, keys int) {
	m, err := imdgo.OpenMap[string, []byte](p.Node(name).Cache, "pressed")
	if err != nil {
		return // it has ended
	}
	values := make(map[string][]byte)
	for range 1 + random.IntN(30) {
		value := binary.BigEndian.AppendUint64(nil, number)
		values[fmt.Sprint(name, "/", random.IntN(keys))] = append(value, make([]byte, random.IntN(p.largest))...)
	}
	short, cancel := context.WithTimeout(p.running, 2*time.Second)
	defer cancel()
	err = m.SetMany(short, values, imdgo.TTL(time.Hour))
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range values {
		switch {
		case err == nil:
			p.acked[key] = number
			p.writes++
		case errors.Is(err, imdgo.ErrUnknownOutcome), errors.Is(err, imdgo.ErrClosed):
			p.unknown[key] = number
		}
	}
}

// end stops the writers, and the samples.
func (p *pressure) end() {
	p.stop()
	p.writing.Wait()
	p.watching.Wait()
	if p.over != "" {
		p.Error(p.over)
		p.over = ""
	}
}

// check is at the end: the replicas are equal, and every write that was acknowledged
// is there, unless it was evicted or something newer is.
func (p *pressure) check() {
	p.Helper()
	p.end()
	p.Heal()
	p.WaitReady()
	ok(p.T, p.Converged(ctx))
	within(p.T, p.Cluster)
	m := table[[]byte](p.T, p.Cluster, p.Nodes()[0].Name, "pressed")
	there := 0
	for key, acked := range p.acked {
		value, found := m.Get(key)
		if !found {
			continue
		}
		there++
		if got := binary.BigEndian.Uint64(value); got < acked || got > max(acked, p.unknown[key]) {
			p.Errorf("%s is of write %d, acknowledged was %d, perhaps applied %d", key, got, acked, p.unknown[key])
		}
	}
	s := p.Leader().Cache.Stats()
	if there == 0 || s.Evictions == 0 {
		p.Errorf("of %d keys %d are there, %d evictions", len(p.acked), there, s.Evictions)
	}
	p.Logf("%d entries acknowledged, %d of %d keys are there, %d samples, %+v", p.writes, there, len(p.acked), p.samples, s)
}

// Whatever happens to the leader while entries are evicted, the budget holds on
// every node, the replicas are equal, and what is there is right.
func TestEvictionsOverLeaderChanges(t *testing.T) {
	evictions := 20_000
	if os.Getenv("IMDGO_LONG") != "" {
		evictions = 1_000_000
	}
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 0))
		p := newPressure(t, slowCluster(t, 3, random, imdgotest.With(imdgo.WithMemoryLimit(4<<20))))
		p.write(1000)
		var total atomic.Uint64
		count := func(n *imdgotest.Node) { total.Add(n.Cache.Stats().Evictions) }
		for round := 0; total.Load() < uint64(evictions); round++ {
			time.Sleep(2 * time.Second)
			leader := p.Leader()
			count(leader)
			switch name := leader.Name; round % 3 {
			case 0:
				p.Restart(name)
			case 1:
				p.Isolate(name)
				time.Sleep(5 * time.Second)
				p.Heal()
			case 2:
				p.Stop(name)
				p.Start(name)
			}
			p.WaitReady()
		}
		p.check()
	})
}

// fill waits until entries have been evicted for a while.
func (p *pressure) fill() {
	p.Helper()
	imdgotest.Eventually(p.T, time.Minute, func() error {
		if n := p.Leader().Cache.Stats().Evictions; n < 1000 {
			return fmt.Errorf("%d evictions", n)
		}
		return nil
	})
}

// rules waits until every node goes by the budget of one.
func (p *pressure) rules(who string, within time.Duration) {
	p.Helper()
	id := p.Node(who).Cache.Stats().NodeID
	imdgotest.Eventually(p.T, within, func() error {
		for _, n := range p.Nodes() {
			if s := n.Cache.Stats(); s.BudgetOf != id {
				return fmt.Errorf("%s goes by %s, not by %s (%s)", n.Name, s.BudgetOf, who, id)
			}
		}
		return nil
	})
}

// Nodes come and go while the cache is full and written to: one with as much memory,
// a smaller one, which rules from then on, and one that is started anew.
func TestJoiningWhileEntriesAreEvicted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPressure(t, imdgotest.NewCluster(t, 3, imdgotest.With(imdgo.WithMemoryLimit(16<<20))))
		p.pause = 5 * time.Millisecond
		p.write(8000)
		p.fill()
		p.Start("n4", imdgo.WithMemoryLimit(32<<20))
		p.WaitReady()
		p.Restart("n2")
		p.WaitReady()
		small := p.Start("n5", imdgo.WithMemoryLimit(6<<20))
		ok(t, small.Cache.Ready(ctx))
		p.rules("n5", time.Second)
		time.Sleep(3 * time.Second)
		if s := p.Leader().Cache.Stats(); s.BudgetBytes > 9<<20 {
			t.Errorf("with a node of 6 MiB the leader goes by %+v", s)
		}
		p.Restart(p.Leader().Name)
		p.WaitReady()
		p.rules("n5", time.Second)
		// It dies, and comes back with more: what it had rules only until then.
		before := p.Leader().Cache.Stats().Entries
		p.Kill("n5")
		larger := p.Start("n5", imdgo.WithMemoryLimit(16<<20))
		ok(t, larger.Cache.Ready(ctx))
		eventually(t, "the others have their room back", func() bool { return p.Node("n1").Cache.Stats().BudgetBytes == 16<<20 })
		eventually(t, "and use it", func() bool { return p.Leader().Cache.Stats().Entries > before*3/2 })
		p.check()
	})
}

// Two smaller nodes come at the same time; one of them dies while room is made for
// it, and its budget rules for a few seconds only.
func TestASmallNodeThatDiesOnItsWayIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPressure(t, slowCluster(t, 3, rand.New(rand.NewPCG(1, 0)), imdgotest.With(imdgo.WithMemoryLimit(16<<20))))
		p.pause = 5 * time.Millisecond
		p.write(8000)
		p.fill()
		p.Start("n4", imdgo.WithMemoryLimit(9<<20))
		p.Start("n5", imdgo.WithMemoryLimit(4<<20))
		leader := p.Leader()
		for leader.Cache.Stats().BudgetBytes > 8<<20 { // on the way from 16 to 4
			time.Sleep(time.Millisecond)
		}
		p.Kill("n5")
		ok(t, p.Node("n4").Cache.Ready(ctx))
		p.rules("n4", 15*time.Second)
		time.Sleep(2 * time.Second)
		p.Start("n5", imdgo.WithMemoryLimit(7<<20))
		time.Sleep(20 * time.Millisecond) // and the leader, while room is made
		p.Restart(p.Leader().Name)
		p.WaitReady()
		p.rules("n5", time.Second)
		p.check()
	})
}

// An operator restarts the nodes one after the other with another limit, on their
// data directories: they are the same members and have another budget.
func TestRestartingWithAnotherLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPressure(t, imdgotest.NewCluster(t, 3, imdgotest.Durable(t.TempDir()), imdgotest.With(imdgo.WithMemoryLimit(8<<20))))
		p.pause = 50 * time.Millisecond
		p.write(6000)
		p.fill()
		for i, limit := range []int64{4 << 20, 16 << 20} {
			for _, name := range []string{"n1", "n2", "n3"} {
				time.Sleep(time.Second)
				p.Stop(name)
				p.Start(name, imdgo.WithMemoryLimit(limit))
				p.WaitReady()
				if i == 0 {
					p.rules("n1", 6*time.Second)
				}
			}
			eventually(t, "all know the new limit", func() bool {
				for _, n := range p.Nodes() {
					if n.Cache.Stats().BudgetBytes != limit {
						return false
					}
				}
				return true
			})
		}
		p.check()
	})
}

// A rolling redeploy lowers a map's limit: the last declaration counts, and the map
// comes down while it is written to.
func TestALimitLoweredByARedeploy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 3)
		open := func(name string, most int) *imdgo.Map[int, string] {
			m, err := imdgo.OpenMap[int, string](c.Node(name).Cache, "limited", imdgo.MaxEntries(most))
			ok(t, err)
			return m
		}
		m := open("n1", 20_000)
		for i := range 20 {
			many := make(map[int]string)
			for j := range 1000 {
				many[i*1000+j] = "v"
			}
			ok(t, m.SetMany(ctx, many))
		}
		for _, name := range []string{"n1", "n2", "n3"} {
			c.Restart(name)
			c.WaitReady()
			lower := open(name, 500)
			before := lower.Len()
			for i := range 5 { // a write need not wait until the map has come down
				ok(t, lower.Set(ctx, -i, "new"))
			}
			if name == "n1" && (before != 20_000 || lower.Len() > before) {
				t.Errorf("%d entries before, %d after the declaration", before, lower.Len())
			}
			eventually(t, "the map has come down", func() bool { return lower.Len() == 500 })
			if _, there := lower.Get(0); !there {
				t.Error("what was written last has gone first")
			}
		}
	})
}
