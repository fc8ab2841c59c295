package node

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// handClock is set by hand.
type handClock struct{ elapsed time.Duration }

func (*handClock) Now() time.Time           { return time.Time{} }
func (c *handClock) Elapsed() time.Duration { return c.elapsed }

func TestNothingIsKnownOfTimeBeforeTheFirstStamp(t *testing.T) {
	c := &clusterClock{source: &handClock{}}
	if c.known() || c.now() != 0 || !c.passed(1<<62) {
		t.Errorf("known %v, now %d", c.known(), c.now())
	}
}

func TestVisibleTimeGoesOnBetweenStamps(t *testing.T) {
	source := &handClock{}
	c := &clusterClock{source: source}
	c.arrived(1000)
	source.elapsed = 30
	if c.now() != 1030 {
		t.Errorf("now %d", c.now())
	}
	c.arrived(1100) // drift is over with every stamp
	source.elapsed = 40
	if c.now() != 1110 {
		t.Errorf("now %d", c.now())
	}
}

// The schedule: a stamp that was long on its way comes after one that was not.
func TestVisibleTimeNeverGoesBack(t *testing.T) {
	source := &handClock{}
	c := &clusterClock{source: source}
	c.arrived(1000)
	source.elapsed = 500
	before := c.now()
	c.arrived(1200)
	if c.now() != before {
		t.Errorf("from %d to %d", before, c.now())
	}
	source.elapsed = 900
	if c.now() != 1600 {
		t.Errorf("now %d, want the new stamp and what has passed since", c.now())
	}
}

// The schedule: under full load a batch is always on its way, and each takes
// 10 to be committed. If the clock began again from every one, it would stand.
func TestALeadersClockRunsUnderFullLoad(t *testing.T) {
	source := &handClock{}
	c := &clusterClock{source: source}
	first := c.stamp(0)
	for range 100 {
		source.elapsed += 10
		c.arrived(c.stamps.Load())
		c.stamp(0)
	}
	if passed := c.now() - first; passed != 1000 {
		t.Errorf("the clock ran %d while 1000 passed", passed)
	}
}

func TestAStampIsNeverBelowWhatWasApplied(t *testing.T) {
	c := &clusterClock{source: &handClock{}}
	c.arrived(1000)
	if s := c.stamp(5000); s != 5000 {
		t.Errorf("stamp %d", s)
	}
	if s := (&clusterClock{source: &handClock{}}).stamp(0); s < 1 {
		t.Errorf("the first stamp of a cluster is %d", s)
	}
}

// A deadline that is near is looked at precisely, so the tick of the coarse
// clock is not part of what an entry may be seen too long.
func TestADeadlinePassesToTheNanosecond(t *testing.T) {
	source := &handClock{}
	c := &clusterClock{source: source}
	c.arrived(1)
	deadline := c.now() + int64(700*time.Millisecond)
	source.elapsed = 700*time.Millisecond - 1
	if c.passed(deadline) {
		t.Error("passed before it was due")
	}
	source.elapsed++
	if !c.passed(deadline) {
		t.Error("not passed when it was due, with a coarse clock of 700 ms ago")
	}
}

// The schedule: a node gets its vote, and the leader dies before it has stamped
// anything. What the node knows of the time is from the log that it caught up with.
func TestANewcomersFirstStampCountsWhatHasPassed(t *testing.T) {
	source := &handClock{}
	c := &clusterClock{source: source}
	c.restored(1000)
	source.elapsed = 3000
	c.restored(2000) // older than what is known by now
	if s := c.stamp(1500); s != 4000 {
		t.Errorf("stamp %d, want the time of the first and what has passed since", s)
	}
}

// A replica that has fallen behind applies stamps of a while ago, one after the
// other. Its time goes on meanwhile.
func TestTimeGoesOnWhileAReplicaIsBehind(t *testing.T) {
	source := &handClock{}
	c := &clusterClock{source: source}
	c.arrived(int64(time.Second))
	source.elapsed = 5 * time.Second
	for stamp := 2 * time.Second; stamp < 6*time.Second; stamp += time.Second {
		c.arrived(int64(stamp))
		source.elapsed += 10 * time.Millisecond
	}
	if got := time.Duration(c.now()); got != 6*time.Second+40*time.Millisecond {
		t.Errorf("now %v", got)
	}
	// But a clock that is ahead for long is wrong, and follows the leader's.
	for range 20 {
		source.elapsed += time.Second
		c.arrived(int64(source.elapsed) - int64(2*time.Second))
	}
	before := c.now()
	source.elapsed += 10 * time.Second
	if got := c.now() - before; got > int64(10*time.Second) {
		t.Errorf("it ran %v in 10 s", time.Duration(got))
	}
}

// What a reader is told is right from the first moment on, also when nobody has
// read for long.
func TestTheCoarseClockStandsStillWhileNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClusterClock(bubbleClock{time.Now()})
		c.jumps = false
		c.set(int64(time.Hour))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { c.run(ctx) })
		for range 3 {
			deadline := c.now() + int64(time.Minute)
			for range 10 {
				if c.passed(deadline) {
					t.Error("passed before it was due")
				}
				time.Sleep(time.Second / 2)
				if shown := c.coarse.Load(); c.now()-shown > int64(coarseTick) {
					t.Errorf("the coarse clock is at %v, at %v", time.Duration(shown), time.Duration(c.now()))
				}
			}
			time.Sleep(time.Hour)
			if c.coarse.Load() != standing {
				t.Error("it goes on with nobody to read it")
			}
			if !c.passed(deadline) {
				t.Error("not passed")
			}
			synctest.Wait()
		}
		cancel()
		running.Wait()
	})
}
