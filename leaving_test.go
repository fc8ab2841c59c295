package imdgo_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo/imdgotest"
)

// closeTogether closes nodes at the same moment and returns how long that took.
func closeTogether(c *imdgotest.Cluster, names ...string) time.Duration {
	began := time.Now()
	var closing sync.WaitGroup
	for _, name := range names {
		closing.Go(func() { c.Stop(name) })
	}
	closing.Wait()
	return time.Since(began)
}

// The schedule: all nodes close at once. Whoever leads hands leadership over, to
// one that is about to do the same, and so on until the second is over that each
// of them has. It is played several times, because it can end early by chance.
func TestNodesThatCloseTogetherDoNotHandLeadershipToEachOther(t *testing.T) {
	const soon = 150 * time.Millisecond
	for range 8 {
		synctest.Test(t, func(t *testing.T) {
			if took := closeTogether(imdgotest.NewCluster(t, 3), "n1", "n2", "n3"); took > soon {
				t.Errorf("three nodes took %v", took)
			}
		})
	}
}

// A node that stays gets leadership at once, also when another one goes with the leader.
func TestLeadershipGoesToANodeThatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 3)
		goes, stays := c.Followers()[0], c.Followers()[1]
		if took := closeTogether(c, c.Leader().Name, goes.Name); took > time.Second/2 {
			t.Errorf("two nodes took %v", took)
		}
		if leader := c.Leader(); leader.Name != stays.Name {
			t.Errorf("%s leads", leader.Name)
		}
		ok(t, stays.Cache.Set("k", 1))
	})
}

// The leader goes, and the next one takes it out, but loses its leadership before that
// is committed, as the only other node is far away. Nobody says anything to the former
// leader any more, which has left when it asks.
func TestWhoeverHasBeenTakenOutMeanwhileHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := imdgotest.NewCluster(t, 3)
		leader, far := c.Leader(), c.Followers()[0]
		for _, n := range c.Nodes() {
			if n != far {
				c.Delay(n.Name, far.Name, 100*time.Millisecond)
			}
		}
		began := time.Now()
		c.Leave(leader.Name)
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("it took %v", took)
		}
		c.WaitReady()
	})
}
