package fsm

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/inelpandzic/imdgo/internal/command"
)

const (
	perBatch = 512
	filling  = 60 * second // in which the entries came that are there
)

var benchValue = make([]byte, 100)

// benchKey is a number with leading zeros.
func benchKey(i int) string {
	key := [16]byte{}
	for at := len(key) - 1; at >= 0; at-- {
		key[at] = byte('0' + i%10)
		i /= 10
	}
	return string(key[:])
}

// filled is a machine that holds n entries of 16 + 100 bytes, set one after the
// other over some time.
func filled(b *testing.B, n int, ttl, over int64) *Machine {
	b.Helper()
	m := New(nil)
	c := newContents(m, sessions.Type, declaredTTL{}, noLimits)
	m.table([]byte(sessions.Name)).contents.Store(c)
	for i := range n {
		m.version++
		deadline := int64(0)
		if ttl > 0 {
			deadline = ttl + over/int64(n)*int64(i)
		}
		c.put(nil, []byte(benchKey(i)), benchValue, m.version, deadline)
	}
	return m
}

// BenchmarkApplySet applies batches of 512 sets of keys that are all there, drawn
// at random. The figures are per set, of which drawing and encoding take some
// 40 ns. A collection of the garbage is in there or not, as it happens: what one
// costs is BenchmarkCollect's.
func BenchmarkApplySet(b *testing.B) {
	for _, keys := range []int{10_000, 1_000_000, 5_000_000} {
		for _, ttl := range []struct{ there, set int64 }{{0, 0}, {3600 * second, 3600 * second}, {3600 * second, 0}} {
			b.Run(fmt.Sprintf("keys=%d/there=%d/ttl=%d", keys, ttl.there/second, ttl.set/second), func(b *testing.B) {
				benchmarkApplySet(b, filled(b, keys, ttl.there, filling), keys, ttl.set)
			})
		}
	}
}

func benchmarkApplySet(b *testing.B, m *Machine, keys int, ttl int64) {
	random := rand.New(rand.NewPCG(1, uint64(keys)))
	var entry []byte
	p := command.Part{Origin: alice, Count: perBatch}
	sequence, stamp := uint64(1), filling
	runtime.GC()
	b.ReportAllocs()
	for n := 1; b.Loop(); n++ {
		p.Ops = command.AppendSet(p.Ops, command.Set, patience, sessions, benchKey(random.IntN(keys)), explicit(ttl), benchValue)
		if n%perBatch > 0 {
			continue
		}
		p.Low, p.First = sequence, sequence
		sequence += perBatch
		stamp += 1e6
		entry = command.AppendPart(command.AppendBatch(entry[:0], stamp, stamp, nil, 1), &p)
		if err := m.Apply(sequence, entry); err != nil {
			b.Fatal(err)
		}
		p.Ops = p.Ops[:0]
	}
}

// BenchmarkCollect collects the garbage while there are five million entries with a
// TTL, and reports what one takes on the heap.
func BenchmarkCollect(b *testing.B) {
	const keys = 5_000_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m := filled(b, keys, 3600*second, filling)
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
		runtime.GC()
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/keys, "B/entry")
	runtime.KeepAlive(m)
}

func BenchmarkLookup(b *testing.B) {
	for _, keys := range []int{512, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			table := filled(b, keys, 0, 0).Table(sessions.Name)
			names := make([]string, min(keys, 1<<16))
			for i := range names {
				names[i] = benchKey(i * 7919 % keys)
			}
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					if _, v := table.Lookup(sessions.Type, names[i%len(names)]); v == nil {
						b.Fail()
					}
				}
			})
		})
	}
}

// BenchmarkHash reports the time per entry.
func BenchmarkHash(b *testing.B) {
	const keys = 200_000
	m := filled(b, keys, second, 0)
	b.ResetTimer()
	for range b.N {
		m.Hash()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/keys, "ns/entry")
}

// BenchmarkExpire drains 100,000 entries of one slot, the worst there is, and
// reports the time per entry.
func BenchmarkExpire(b *testing.B) {
	const keys = 100_000
	for range b.N {
		b.StopTimer()
		m := filled(b, keys, second, 0)
		b.StartTimer()
		for index := uint64(1); ; index++ {
			threshold, ok := m.Due(2*second, most)
			if !ok {
				break
			}
			if err := m.Apply(index, command.AppendBatch(nil, 2*second, 0, &command.Decisions{Expire: threshold, Expires: true}, 0)); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/keys, "ns/entry")
}
