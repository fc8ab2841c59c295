package command

import "testing"

var (
	benchKey   = "0123456789abcdef"
	benchValue = make([]byte, 100)
)

func BenchmarkEncodeSet(b *testing.B) {
	b.ReportAllocs()
	var dst []byte
	m := Target{NewMapType(0, 1), "sessions"}
	for i := range b.N {
		if i%512 == 0 {
			dst = dst[:0]
		}
		dst = AppendSet(dst, Set, 10_000, m, benchKey, TTL{60e9, true}, benchValue)
	}
}

// BenchmarkDecodeSet decodes batches of 512 sets; the figure is per set.
func BenchmarkDecodeSet(b *testing.B) {
	var ops []byte
	m := Target{NewMapType(0, 1), "sessions"}
	for range 512 {
		ops = AppendSet(ops, Set, 10_000, m, benchKey, TTL{60e9, true}, benchValue)
	}
	p := Part{Low: 1, First: 1, Count: 512, Ops: ops}
	entry := AppendPart(AppendBatch(nil, 1e9, 1, nil, 1), &p)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		batch, err := ReadBatch(entry)
		if err != nil {
			b.Fatal(err)
		}
		for batch.Next(&p) {
			ops, op := ReadOps(p.Ops), Op{}
			for ops.Next(&op) {
				n++
			}
		}
	}
}
