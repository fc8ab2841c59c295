package imdgo_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo"
	"github.com/inelpandzic/imdgo/imdgotest"
)

// The log stays in its share of the budget on every node, whatever is written: with
// a follower that hangs, one that is sent the state over a slow link while that
// changes, and values as large as the log can take. No write waits for long where
// the leader is.
func TestTheLogStaysInItsShare(t *testing.T) {
	for _, size := range []int{1 << 10, 64 << 10, 256 << 10, 690_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := imdgotest.NewCluster(t, 3, imdgotest.With(imdgo.WithMemoryLimit(4<<20)))
				p := newPressure(t, c)
				leader, late := c.Leader(), c.Followers()[0].Name
				m := table[[]byte](t, c, leader.Name, "large")
				longest := time.Duration(0)
				write := func(d time.Duration) {
					for begun := time.Now(); time.Since(begun) < d; {
						many := make(map[string][]byte)
						for len(many) <= (32<<10)/size {
							many[fmt.Sprint(rand.IntN(4<<20/size))] = make([]byte, size)
						}
						at := time.Now()
						ok(t, m.SetMany(ctx, many))
						longest = max(longest, time.Since(at))
						time.Sleep(5 * time.Millisecond)
					}
				}
				write(2 * time.Second)
				c.Isolate(late)
				write(5 * time.Second)
				c.Heal()
				for _, n := range c.Nodes() {
					if n.Name != late {
						c.Delay(n.Name, late, 50*time.Millisecond)
					}
				}
				c.Restart(late)
				write(5 * time.Second)
				c.Start("n4")
				c.Delay(leader.Name, "n4", 20*time.Millisecond)
				write(5 * time.Second)
				wants(t, m.Set(ctx, "k", make([]byte, 700_000)), imdgo.ErrTooLarge)
				p.end()
				if longest > time.Second {
					t.Errorf("a write took %v", longest)
				}
				t.Logf("%d samples, the longest write took %v", p.samples, longest)
				c.Heal()
				c.WaitReady()
			})
		})
	}
}
