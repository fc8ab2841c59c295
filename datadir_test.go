package imdgo_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo"
	"github.com/inelpandzic/imdgo/imdgotest"
)

// durable starts three nodes with data directories in dir.
func durable(t *testing.T, dir string, opts ...imdgotest.Option) *imdgotest.Cluster {
	t.Helper()
	return imdgotest.NewCluster(t, 3, append([]imdgotest.Option{imdgotest.Durable(dir)}, opts...)...)
}

var three = []string{"n1", "n2", "n3"}

// All nodes stop, in good order or by SIGKILL, and start again: everything is
// there, TTLs have gone on, and new writes are new.
func TestAllNodesStopAndStart(t *testing.T) {
	stops := map[string]func(c *imdgotest.Cluster, name string){
		"closed": (*imdgotest.Cluster).Stop,
		"killed": (*imdgotest.Cluster).Kill,
	}
	for how, stop := range stops {
		t.Run(how, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				c := durable(t, dir)
				m := table[int](t, c, "n1", "m")
				for i := range 20 {
					ttl := imdgo.TTL([]time.Duration{0, 10 * time.Minute, time.Hour}[i%3])
					if err := m.Set(t.Context(), fmt.Sprint(i), i, ttl); err != nil {
						t.Fatal(err)
					}
				}
				ids := idsOf(c)
				for range 2 {
					for _, name := range three {
						stop(c, name)
					}
					c.Tick(20 * time.Minute)
					for _, name := range three {
						c.Start(name)
					}
					c.WaitReady()
				}
				if now := idsOf(c); now != ids {
					t.Errorf("the nodes were %s and are %s", ids, now)
				}
				for _, name := range three {
					checkAfterAwhile(t, table[int](t, c, name, "m"))
				}
				for i, name := range three {
					m := table[int](t, c, name, "m")
					for j := range 5 {
						if err := m.Set(t.Context(), fmt.Sprint("new", i, j), j); err != nil {
							t.Fatal(err)
						}
						if v, ok := m.Get(fmt.Sprint("new", i, j)); !ok || v != j {
							t.Errorf("what %s wrote after its return is %d, %v", name, v, ok)
						}
					}
				}
			})
		})
	}
}

func idsOf(c *imdgotest.Cluster) (ids string) {
	for _, name := range three {
		ids += " " + c.Node(name).Cache.Stats().NodeID
	}
	return ids
}

// checkAfterAwhile looks at what is left when 40 minutes have passed.
func checkAfterAwhile(t *testing.T, m *imdgo.Map[string, int]) {
	t.Helper()
	for i := range 20 {
		key := fmt.Sprint(i)
		imdgotest.Eventually(t, 5*time.Second, func() error {
			v, ok := m.Get(key)
			left, _ := m.TTL(key)
			switch i % 3 {
			case 0:
				if !ok || v != i || left != 0 {
					return fmt.Errorf("%s is %d, %v for %v", key, v, ok, left)
				}
			case 1:
				if ok {
					return fmt.Errorf("%s is there, 30 minutes after it has expired", key)
				}
			case 2:
				if !ok || left < 18*time.Minute || left > 20*time.Minute {
					return fmt.Errorf("%s is %d, %v for %v", key, v, ok, left)
				}
			}
			return nil
		})
	}
}

// A full stop with snapshots in between, and again.
func TestAllNodesStopAndStartWithSnapshots(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := durable(t, dir, imdgotest.With(imdgo.WithLogLimit(1<<20)))
		value := strings.Repeat("x", 10_000)
		for round := range 2 {
			m := table[string](t, c, "n2", "m")
			for i := range 100 {
				values := map[string]string{}
				for j := range 10 {
					values[fmt.Sprint(i%30, "-", j)] = fmt.Sprint(round, i, value)
				}
				if err := m.SetMany(t.Context(), values); err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range three {
				imdgotest.Eventually(t, 10*time.Second, func() error {
					if found, _ := filepath.Glob(filepath.Join(dir, name, "snapshots", "*-*-*", "state.bin")); len(found) == 0 {
						return fmt.Errorf("%s has taken no snapshot", name)
					}
					return nil
				})
			}
			if err := c.Converged(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, name := range three {
				c.Kill(name)
			}
			for _, name := range three {
				c.Start(name)
			}
			c.WaitReady()
			for _, name := range three {
				m := table[string](t, c, name, "m")
				if n := m.Len(); n != 300 {
					t.Errorf("%s has %d entries", name, n)
				}
				for i := 70; i < 100; i++ {
					if v, _ := m.Get(fmt.Sprint(i%30, "-", 3)); v != fmt.Sprint(round, i, value) {
						t.Errorf("%s has the entry of round %.4s", name, v)
					}
				}
			}
		}
	})
}

// One node goes and comes back while the others write, first by entries and
// then by a snapshot.
func TestADurableNodeComesBack(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := durable(t, dir, imdgotest.With(imdgo.WithLogLimit(1<<20)))
		for round, amount := range []int{10, 600} {
			id := c.Node("n3").Cache.Stats().NodeID
			c.Kill("n3")
			m := table[[]byte](t, c, c.Leader().Name, "m")
			for i := range amount {
				if err := m.Set(t.Context(), fmt.Sprint(round, i%50), make([]byte, 10_000), imdgo.TTL(time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
			c.Start("n3")
			c.WaitReady()
			if now := c.Node("n3").Cache.Stats().NodeID; now != id {
				t.Errorf("n3 was %s and is %s", id, now)
			}
			if err := c.Converged(t.Context()); err != nil {
				t.Fatal(err)
			}
			imdgotest.Eventually(t, 5*time.Second, func() error {
				if _, ok := table[[]byte](t, c, "n3", "m").Get(fmt.Sprint(round, 3)); !ok {
					return fmt.Errorf("n3 does not read what has an hour to go")
				}
				return nil
			})
		}
	})
}

// Close keeps a node a member. One that has left, or lost its directory, comes
// back as somebody else: nothing is voted for twice.
func TestADirectoryIsALife(t *testing.T) {
	for how, test := range map[string]struct {
		end  func(t *testing.T, c *imdgotest.Cluster, dir string)
		same bool
	}{
		"closed": {func(_ *testing.T, c *imdgotest.Cluster, _ string) { c.Stop("n2") }, true},
		"left": {func(t *testing.T, c *imdgotest.Cluster, dir string) {
			c.Leave("n2")
			if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, error %v", left, err)
			}
		}, false},
		"lost": {func(t *testing.T, c *imdgotest.Cluster, dir string) {
			c.Stop("n2")
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		t.Run(how, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				c := durable(t, dir)
				if err := c.Node("n1").Cache.Set("a", 1); err != nil {
					t.Fatal(err)
				}
				former := c.Node("n2").Cache.Stats().NodeID
				test.end(t, c, filepath.Join(dir, "n2"))
				c.Start("n2")
				c.WaitReady()
				if now := c.Node("n2").Cache.Stats().NodeID; (now == former) != test.same {
					t.Errorf("it was %s and is %s", former, now)
				}
			})
		})
	}
}

// A write on a node that has just come back is applied, although the time that
// its disk knows is long past.
func TestWriteAtOnceAfterTheReturn(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := durable(t, dir)
		for i := range 3 {
			if err := c.Node("n1").Cache.Set(fmt.Sprint("a", i), 1, imdgo.TTL(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range three {
			c.Kill(name)
		}
		c.Tick(10 * time.Hour)
		for _, name := range three {
			c.Start(name)
		}
		for _, name := range three {
			if err := c.Node(name).Cache.Set(name, 2); err != nil {
				t.Error(err)
			}
			if _, ok := c.Node(name).Cache.Get("a0"); ok {
				t.Errorf("%s returns what expired nine hours ago", name)
			}
		}
	})
}

// BenchmarkSetDurable is what a write costs on the leader of three nodes in this
// process, in memory and with data directories, from 1 and 64 callers.
func BenchmarkSetDurable(b *testing.B) {
	for _, where := range []string{"memory", "disk"} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprint(where, "/", callers), func(b *testing.B) {
				opts := []imdgotest.Option{imdgotest.Loopback()}
				if where == "disk" {
					opts = append(opts, imdgotest.Durable(b.TempDir()))
				}
				c := imdgotest.NewCluster(b, 3, opts...)
				leader := c.Leader().Cache
				b.SetParallelism(max(1, callers/runtime.GOMAXPROCS(0)))
				if callers == 1 {
					for b.Loop() {
						if err := leader.Set("a", "a value of a hundred bytes or thereabouts"); err != nil {
							b.Fatal(err)
						}
					}
					return
				}
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := leader.Set("a", "a value of a hundred bytes or thereabouts"); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}

// A survivor knows the time, however wrong the wall clocks of those are who come
// back and lead.
func TestASurvivorKnowsTheTime(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := durable(t, dir)
		for round := range 4 {
			key := fmt.Sprint(round)
			if err := c.Node("n1").Cache.Set(key, 1, imdgo.TTL(time.Hour)); err != nil {
				t.Fatal(err)
			}
			if err := c.Converged(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.Kill("n1")
			c.Kill("n2")
			c.Skew("n1", time.Duration(round+1)*10*time.Hour)
			c.Skew("n2", time.Duration(round+1)*10*time.Hour)
			c.Tick(10 * time.Minute)
			c.Start("n1")
			c.Start("n2")
			c.WaitReady()
			for _, name := range three {
				mustHaveLeft(t, c, name, key, 49*time.Minute, 50*time.Minute)
			}
		}
	})
}

func mustHaveLeft(t *testing.T, c *imdgotest.Cluster, name, key string, least, most time.Duration) {
	t.Helper()
	m := table[any](t, c, name, "")
	imdgotest.Eventually(t, 5*time.Second, func() error {
		left, ok := m.TTL(key)
		if !ok || left < least || left > most {
			return fmt.Errorf("%s has %s for %v, %v", name, key, left, ok)
		}
		return nil
	})
}

// Wall clocks that have gone back while the cluster was away move no deadline.
func TestWallClocksThatHaveGoneBack(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := durable(t, dir)
		if err := c.Node("n1").Cache.Set("a", 1, imdgo.TTL(time.Hour)); err != nil {
			t.Fatal(err)
		}
		for _, name := range three {
			c.Stop(name)
			c.Skew(name, -10*time.Hour)
		}
		for _, name := range three {
			c.Start(name)
		}
		c.WaitReady()
		for _, name := range three {
			mustHaveLeft(t, c, name, "a", 59*time.Minute, time.Hour)
		}
	})
}

// A node that has come back and reaches nobody does not know what the time is:
// what never expires can be read, what may have expired cannot.
func TestReadsBeforeTheTimeIsKnown(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		c := durable(t, dir, imdgotest.With(imdgo.WithLogLimit(1<<20)))
		m := table[[]byte](t, c, "n1", "m")
		for i := range 150 {
			ttl := imdgo.TTL([]time.Duration{0, time.Hour}[i%2])
			if err := m.Set(t.Context(), fmt.Sprint(i%10), make([]byte, 10_000), ttl); err != nil {
				t.Fatal(err)
			}
		}
		imdgotest.Eventually(t, 5*time.Second, func() error {
			if len(snapshotsIn(t, filepath.Join(dir, "n3"))) == 0 {
				return fmt.Errorf("no snapshot")
			}
			return nil
		})
		c.Kill("n3")
		c.Isolate("n3")
		c.Start("n3")
		m = table[[]byte](t, c, "n3", "m")
		time.Sleep(5 * time.Second) // of the bubble's: it could have stood for election
		if _, ok := m.Get("2"); !ok {
			t.Error("what never expires is not there")
		}
		if _, ok := m.Get("3"); ok {
			t.Error("what may have expired is returned")
		}
		c.Heal()
		c.WaitReady()
		imdgotest.Eventually(t, 5*time.Second, func() error {
			if _, ok := m.Get("3"); !ok {
				return fmt.Errorf("what has an hour to go is not returned")
			}
			return nil
		})
	})
}
