package fsm

import (
	"fmt"
	"testing"

	"github.com/inelpandzic/imdgo/internal/command"
)

const perBatch = 512

var benchValue = make([]byte, 100)

func benchKey(i int) string { return fmt.Sprintf("%016d", i) }

// filled is a machine that holds n entries of 16 + 100 bytes.
func filled(b *testing.B, n int, ttl int64) *Machine {
	b.Helper()
	m := New(nil)
	c := newContents(m, sessions.Type, declaredTTL{}, noLimits)
	m.table([]byte(sessions.Name)).contents.Store(c)
	for i := range n {
		m.version++
		c.put(nil, []byte(benchKey(i)), benchValue, m.version, ttl)
	}
	return m
}

// BenchmarkApplySet applies batches of 512 sets over keys that are all there.
// The figures are per set.
func BenchmarkApplySet(b *testing.B) {
	for _, keys := range []int{10_000, 1_000_000} {
		for _, ttl := range []int64{0, 60 * second} {
			b.Run(fmt.Sprintf("keys=%d/ttl=%d", keys, ttl/second), func(b *testing.B) {
				benchmarkApplySet(b, keys, ttl)
			})
		}
	}
}

func benchmarkApplySet(b *testing.B, keys int, ttl int64) {
	m := filled(b, keys, ttl)
	var parts []command.Part // prepared: encoding is measured elsewhere
	for i := range 512 {
		var ops []byte
		for j := range perBatch {
			key := benchKey((i*perBatch + j) * 7919 % keys)
			ops = command.AppendSet(ops, command.Set, patience, sessions, key, explicit(ttl), benchValue)
		}
		parts = append(parts, command.Part{Origin: alice, Count: perBatch, Ops: ops})
	}
	var entry []byte
	sequence, stamp := uint64(1), int64(0)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += perBatch {
		p := &parts[n/perBatch%len(parts)]
		p.Low, p.First = sequence, sequence
		sequence += perBatch
		stamp += 1e6
		entry = command.AppendPart(command.AppendBatch(entry[:0], stamp, stamp, nil, 1), p)
		if err := m.Apply(sequence, entry); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, keys := range []int{512, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			table := filled(b, keys, 0).Table(sessions.Name)
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
	m := filled(b, keys, second)
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
		m := filled(b, keys, second)
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
