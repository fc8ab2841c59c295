package eviction

import (
	"runtime"
	"testing"
)

func BenchmarkTouch(b *testing.B) {
	e := newItem(1)
	for b.Loop() {
		e.hook.Touch()
	}
}

func BenchmarkTouchParallel(b *testing.B) {
	all := make([]item, 512)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			all[i%len(all)].hook.Touch()
		}
	})
}

// BenchmarkChurn: an entry comes and one goes, of a hundred thousand.
func BenchmarkChurn(b *testing.B) {
	for _, name := range []string{"S3FIFO", "LRU", "TwoQueue"} {
		b.Run(name, func(b *testing.B) {
			p := policies[name](Config{})
			fill(p, 0, 100_000)
			spare := newItem(100_000)
			id := spare.id
			first := func(e *item) bool {
				spare = e
				return false
			}
			b.ReportAllocs()
			for b.Loop() {
				p.Add(spare)
				p.Victims(first)
				p.Evict(spare)
				id++
				spare.id = id
			}
		})
	}
}

// BenchmarkBytesPerEntry measures what a policy takes beside the hooks, with a
// million entries of which as many again have been evicted.
func BenchmarkBytesPerEntry(b *testing.B) {
	const n = 1_000_000
	for _, name := range []string{"S3FIFO", "LRU", "TwoQueue"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				all := make([]item, n)
				for i := range all {
					all[i] = item{id: uint64(i), cost: 1}
				}
				before := live()
				p := policies[name](Config{})
				for i := range all {
					p.Add(&all[i])
				}
				for id := range uint64(n) {
					e := victim(p)
					e.id = n + id
					p.Add(e)
				}
				b.ReportMetric(float64(live()-before)/n, "bytes/entry")
				runtime.KeepAlive(all)
				runtime.KeepAlive(p)
			}
		})
	}
}

func live() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
