package imdgo_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo"
	"github.com/inelpandzic/imdgo/imdgotest"
)

// What is named as a victim stands in the log, so very long keys must neither make
// an entry that a follower does not take, nor one that the log has no room for.
func TestVictimsWithLongKeys(t *testing.T) {
	for _, limit := range []int64{8 << 20, 256 << 20} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := imdgotest.NewCluster(t, 3, imdgotest.With(imdgo.WithMemoryLimit(limit)))
				p := newPressure(t, c)
				m, err := imdgo.OpenMap[string, []byte](c.Leader().Cache, "long")
				ok(t, err)
				for i := range min(1000, int(limit/4*3/(65<<10))) {
					ok(t, m.Set(ctx, strings.Repeat("k", 60_000)+fmt.Sprint(i), nil))
				}
				m, err = imdgo.OpenMap[string, []byte](c.Leader().Cache, "long", imdgo.MaxEntries(1))
				ok(t, err)
				short, cancel := context.WithTimeout(ctx, 20*time.Second)
				defer cancel()
				ok(t, m.Set(short, "k", nil))
				for m.Len() > 1 {
					if short.Err() != nil {
						t.Fatalf("%d entries are left", m.Len())
					}
					time.Sleep(10 * time.Millisecond)
				}
				p.end()
			})
		})
	}
}
