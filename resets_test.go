package imdgo_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo/imdgotest"
)

// A write that is under way when all connections are reset waits for new ones, and
// for no timer of raft's: that would be half a second at least.
func TestConnectionsThatAreReset(t *testing.T) {
	for name, underWay := range map[string]time.Duration{"with the write": 0, "on its way": 100 * time.Microsecond,
		"on the way back": 300 * time.Microsecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := imdgotest.NewCluster(t, 2)
				leader, other := c.Leader().Name, c.Followers()[0].Name
				c.Delay(leader, other, 200*time.Microsecond)
				m := table[int](t, c, leader, "m")
				for i := range 20 {
					ok(t, m.Set(ctx, "k", i))
					time.Sleep(time.Second)
					go func() {
						time.Sleep(underWay)
						c.Reset(leader, other)
					}()
					began := time.Now()
					ok(t, m.Set(ctx, "k", i))
					if d := time.Since(began); d > 50*time.Millisecond {
						t.Errorf("it took %v", d)
					}
				}
			})
		})
	}
}
