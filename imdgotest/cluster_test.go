package imdgotest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo"
	"github.com/inelpandzic/imdgo/imdgotest"
)

// onClusters runs a test with a cluster of three in a bubble, and with one over TCP outside.
func onClusters(t *testing.T, test func(t *testing.T, c *imdgotest.Cluster)) {
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, imdgotest.NewCluster(t, 3)) })
	})
	t.Run("tcp", func(t *testing.T) {
		t.Parallel()
		test(t, imdgotest.NewCluster(t, 3, imdgotest.Loopback()))
	})
}

func names(nodes []*imdgotest.Node) string {
	var all []string
	for _, n := range nodes {
		all = append(all, n.Name)
	}
	return strings.Join(all, " ")
}

func TestClusterLeadersAndFollowers(t *testing.T) {
	onClusters(t, func(t *testing.T, c *imdgotest.Cluster) {
		if got := names(c.Nodes()); got != "n1 n2 n3" {
			t.Errorf("nodes %s", got)
		}
		old := c.Leader()
		for _, f := range c.Followers() {
			if f.Name == old.Name {
				t.Errorf("%s follows itself", f.Name)
			}
		}
		c.Isolate(old.Name)
		if now := c.Leader(); now.Name == old.Name { // at once, while it still believes that it leads
			t.Errorf("%s leads although it is cut off", now.Name)
		}
	})
}

func TestClusterKillAndRestart(t *testing.T) {
	onClusters(t, func(t *testing.T, c *imdgotest.Cluster) {
		if err := c.Node("n1").Cache.Set("a", "b"); err != nil {
			t.Fatal(err)
		}
		first := c.Node("n2")
		id := first.Cache.Stats().NodeID
		c.Kill("n2")
		if got := names(c.Nodes()); got != "n1 n3" {
			t.Errorf("nodes %s", got)
		}
		again := c.Restart("n2")
		if again == first || c.Node("n2") != again {
			t.Error("the node is the one that was killed")
		}
		c.WaitReady()
		if v, _ := again.Cache.Get("a"); v != "b" || again.Cache.Stats().NodeID == id {
			t.Errorf("got %v as %s", v, id)
		}
		c.Stop("n2")
		c.Restart("n2") // also after a proper end
		c.WaitReady()
	})
}

func TestClusterClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 1, imdgotest.With(imdgo.WithDefaultTTL(time.Minute)))
		cache := c.Node("n1").Cache
		if err := cache.Set("a", "b"); err != nil {
			t.Fatal(err)
		}
		c.Skew("n1", time.Hour)
		if _, ok := cache.Get("a"); !ok {
			t.Error("a wrong wall clock has moved a deadline")
		}
		c.Tick(time.Minute)
		if _, ok := cache.Get("a"); ok {
			t.Error("there after its time")
		}
	})
}

func TestConvergedSaysWhoDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 3)
		behind := c.Followers()[0].Name
		c.Isolate(behind)
		if err := c.Leader().Cache.Set("a", 1); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Converged(ctx); err == nil || !strings.Contains(err.Error(), behind+" at index") {
			t.Errorf("got %v", err)
		}
		c.Heal()
		if err := c.Converged(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestEventually(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, looks := time.Now(), 0
		imdgotest.Eventually(t, time.Hour, func() error {
			if looks++; time.Since(start) < time.Minute {
				return errors.New("not yet")
			}
			return nil
		})
		if took := time.Since(start); took > time.Minute+20*time.Millisecond || looks < 3000 {
			t.Errorf("%d looks in %v", looks, took)
		}
	})
}

// failing is a test that ends with its first failure.
type failing struct {
	testing.TB
	t    *testing.T
	said chan string
}

func (f *failing) Helper() {}
func (f *failing) Fatalf(format string, a ...any) {
	f.said <- fmt.Sprintf(format, a...)
	f.t.SkipNow() // ends the goroutine without failing
}

func TestEventuallyGivesUp(t *testing.T) {
	said := make(chan string, 1)
	t.Run("inner", func(t *testing.T) {
		imdgotest.Eventually(&failing{t: t, said: said}, time.Millisecond, func() error { return errors.New("not yet") })
		t.Error("went on")
	})
	if got := <-said; got != "still after 1ms: not yet" {
		t.Errorf("said %q", got)
	}
}

func TestRunOverTCP(t *testing.T) {
	t.Parallel()
	imdgotest.Run(t, `
		cluster 3 net=tcp
		set n1 a=1 ttl=1m / get n1 a -> 1
		wait converged / tick 1m / pause 50ms
		eventually get n2 a -> miss
	`)
}
