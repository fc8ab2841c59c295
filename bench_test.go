package imdgo_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo"
)

// processes are nodes over real TCP on this machine, in one process.
func processes(b *testing.B, n int) []*imdgo.Cache {
	b.Helper()
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ok(b, err)
		addrs = append(addrs, l.Addr().String())
		ok(b, l.Close())
	}
	var caches []*imdgo.Cache
	for _, addr := range addrs {
		caches = append(caches, alone(b, imdgo.WithMembers(addrs...), imdgo.WithBindAddr(addr)))
	}
	for _, c := range caches {
		ok(b, c.Ready(ctx))
	}
	return caches
}

// BenchmarkJoin brings a blank node into a cluster that holds a million entries
// of 16 + 100 bytes, while somebody writes. It reports how long that took until
// the node was ready, and the slowest write meanwhile. All four nodes share
// this process and its cores.
func BenchmarkJoin(b *testing.B) {
	const entries = 1_000_000
	caches := processes(b, 3)
	m := open[string, []byte](b, caches[0], "m")
	var fill sync.WaitGroup
	for w := range 8 {
		fill.Go(func() {
			for from := w * 1000; from < entries; from += 8 * 1000 {
				many := make(map[string][]byte, 1000)
				for i := from; i < from+1000; i++ {
					many[fmt.Sprintf("%016d", i)] = make([]byte, 100)
				}
				if err := m.SetMany(ctx, many); err != nil {
					b.Error(err)
				}
			}
		})
	}
	fill.Wait()
	for b.Loop() {
		var slowest atomic.Int64
		writing, stop := context.WithCancel(ctx)
		var writer sync.WaitGroup
		writer.Go(func() {
			for i := 0; writing.Err() == nil; i++ {
				begin := time.Now()
				if err := m.Set(ctx, fmt.Sprint("while joining ", i%100), nil); err != nil {
					b.Error(err)
				}
				slowest.Store(max(slowest.Load(), int64(time.Since(begin))))
			}
		})
		begin := time.Now()
		joiner, err := imdgo.New(imdgo.WithMembers(nodeAddr(caches[0])), imdgo.WithBindAddr("127.0.0.1:0"))
		ok(b, err)
		ok(b, joiner.Ready(ctx))
		took := time.Since(begin)
		stop()
		writer.Wait()
		if n := joiner.Stats().Entries; n < entries {
			b.Errorf("it has %d entries", n)
		}
		ok(b, joiner.Leave(ctx))
		b.ReportMetric(took.Seconds(), "s-until-ready")
		b.ReportMetric(float64(slowest.Load())/1e6, "ms-slowest-write")
	}
}

// nodeAddr is what others dial to reach a cache.
func nodeAddr(c *imdgo.Cache) string {
	addr, _, _ := strings.Cut(c.Stats().NodeID, "/")
	return addr
}

// BenchmarkSet writes from many callers at once, on the leader and on a
// follower of three nodes in this process.
func BenchmarkSet(b *testing.B) {
	caches := processes(b, 3)
	for _, c := range caches[:2] {
		for _, callers := range []int{1, 64, 512} {
			b.Run(fmt.Sprintf("%v/callers=%d", c.Stats().Role, callers), func(b *testing.B) {
				m := open[string, []byte](b, c, "m")
				value := make([]byte, 100)
				var next atomic.Int64
				var all sync.WaitGroup
				b.ResetTimer()
				for range callers {
					all.Go(func() {
						for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
							if err := m.Set(ctx, fmt.Sprintf("%016d", i%10_000), value); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				all.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sets/s")
			})
		}
	}
}

// BenchmarkGet reads hot entries of a node's own memory.
func BenchmarkGet(b *testing.B) {
	for name, opts := range map[string][]imdgo.WriteOption{"plain": nil, "ttl": {imdgo.TTL(time.Hour)}} {
		b.Run(name, func(b *testing.B) {
			m := open[string, person](b, alone(b), "m")
			var keys []string
			for i := range 512 {
				keys = append(keys, fmt.Sprintf("%016d", i))
				ok(b, m.Set(ctx, keys[i], person{Name: "Ada"}, opts...))
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if _, found := m.Get(keys[i%len(keys)]); !found {
						b.Error("not there")
					}
				}
			})
		})
	}
}
