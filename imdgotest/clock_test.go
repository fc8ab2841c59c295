package imdgotest_test

import (
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo/imdgotest"
)

func expectElapsed(t *testing.T, c *imdgotest.NodeClock, want time.Duration) {
	t.Helper()
	if got := c.Elapsed(); got != want {
		t.Errorf("elapsed %v; want %v", got, want)
	}
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := imdgotest.NewClock()
		start := time.Now()
		n1, n2 := clock.Node("n1"), clock.Node("n2")
		expectElapsed(t, n1, 0)
		if !n1.Now().Equal(start) {
			t.Errorf("Now is %v, not %v", n1.Now(), start)
		}
		time.Sleep(time.Second)
		clock.Advance(time.Minute)
		expectElapsed(t, n1, 61*time.Second)
		expectElapsed(t, n2, 61*time.Second)

		clock.Jump("n2", time.Hour)
		expectElapsed(t, n1, 61*time.Second)
		expectElapsed(t, n2, time.Hour+61*time.Second)

		clock.Skew("n1", -time.Hour)
		clock.Step("n1", time.Minute)
		expectElapsed(t, n1, 61*time.Second)
		if apart := n1.Now().Sub(n2.Now()); apart != -2*time.Hour+time.Minute {
			t.Errorf("walls are %v apart", apart)
		}
		clock.Skew("n1", 0)
		if !n1.Now().Equal(start.Add(61 * time.Second)) {
			t.Errorf("Now is %v", n1.Now())
		}
		if clock.Node("n1") != n1 {
			t.Error("a node got another clock")
		}
	})
}

func TestDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := imdgotest.NewClock()
		n1 := clock.Node("n1")
		clock.Advance(10 * time.Second)
		clock.Drift("n1", 1.5)
		expectElapsed(t, n1, 10*time.Second) // no jump
		clock.Advance(10 * time.Second)
		time.Sleep(10 * time.Second)
		expectElapsed(t, n1, 40*time.Second)
		clock.Drift("n1", 0)
		clock.Advance(time.Hour)
		expectElapsed(t, n1, 40*time.Second)
		clock.Jump("n1", time.Second)
		clock.Drift("n1", 1)
		clock.Advance(time.Second)
		expectElapsed(t, n1, 42*time.Second)
	})
}

func TestClockRefusesToRunBackwards(t *testing.T) {
	clock := imdgotest.NewClock()
	for name, call := range map[string]func(){
		"Advance": func() { clock.Advance(-1) },
		"Jump":    func() { clock.Jump("n1", -1) },
		"Drift":   func() { clock.Drift("n1", -1) },
		"NaN":     func() { clock.Drift("n1", math.NaN()) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s accepted it", name)
				}
			}()
			call()
		}()
	}
}

// Whatever is done to a clock, nobody sees Elapsed go back.
func TestElapsedIsMonotonic(t *testing.T) {
	clock := imdgotest.NewClock()
	n1 := clock.Node("n1")
	var latest time.Duration
	var mu sync.Mutex // orders what the readers see
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 2000 {
				mu.Lock()
				before := latest
				mu.Unlock()
				now := n1.Elapsed()
				if now < before {
					t.Errorf("%v after %v", now, before)
					return
				}
				mu.Lock()
				latest = max(latest, now)
				mu.Unlock()
			}
		})
	}
	for i := range 1000 {
		clock.Drift("n1", float64(i%4)/2)
		clock.Skew("n1", -time.Duration(i)*time.Hour)
		clock.Advance(time.Duration(i))
		clock.Jump("n1", time.Duration(i))
	}
	readers.Wait()
}

func BenchmarkElapsed(b *testing.B) {
	n1 := imdgotest.NewClock().Node("n1")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n1.Elapsed()
		}
	})
}
