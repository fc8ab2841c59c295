package command

import (
	"errors"
	"runtime/metrics"
	"testing"
)

// allocated measures what f allocates, roughly: small objects are counted late.
func allocated(f func()) uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	before := sample[0].Value.Uint64()
	f()
	metrics.Read(sample)
	return sample[0].Value.Uint64() - before
}

// small is what decoding n bytes may allocate: nothing, but for what the test
// itself and the fuzzing beside it do.
func small(n int) uint64 { return 1<<20 + 16*uint64(n) }

func FuzzReadBatch(f *testing.F) {
	for _, o := range everyKind() {
		p := partOf(o)
		f.Add(AppendPart(AppendBatch(nil, 1e9, -1, &Decisions{Expire: Threshold{1, 2}, Expires: true}, 1), &p))
	}
	f.Add(AppendBatch(nil, 0, 0, nil, 0))
	f.Fuzz(func(t *testing.T, entry []byte) {
		var parts []Part
		var err error
		n := allocated(func() { _, parts, _, err = read(entry) })
		if n > small(len(entry)) {
			t.Fatalf("%d bytes allocated for an entry of %d", n, len(entry))
		}
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		// What reads, is written the same, but for the length of numbers.
		again := AppendBatch(nil, 0, 0, nil, len(parts))
		for i := range parts {
			again = AppendPart(again, &parts[i])
		}
		_, got, _, err := read(again)
		if err != nil || len(got) != len(parts) {
			t.Fatalf("%d of %d parts written again, error %v", len(got), len(parts), err)
		}
		for i := range parts {
			if !samePart(got[i], parts[i]) {
				t.Fatalf("part %+v, want %+v", got[i], parts[i])
			}
		}
	})
}

func FuzzPartCheck(f *testing.F) {
	for _, o := range everyKind() {
		p := partOf(o, o)
		f.Add(p.Low, p.First, p.Base, p.Count, p.Ops)
	}
	f.Fuzz(func(t *testing.T, low, first uint64, base int64, count int, ops []byte) {
		p := Part{Origin: 1, Low: low, First: first, Base: base, Count: count, Ops: ops}
		var err error
		if n := allocated(func() { err = p.Check() }); n > small(0) {
			t.Fatalf("%d bytes allocated for a part of %d", n, len(ops))
		}
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		// Whatever the leader accepts, every replica can read.
		_, parts, operations, err := read(AppendPart(AppendBatch(nil, 0, 0, nil, 1), &p))
		if err != nil || len(parts) != 1 || !samePart(parts[0], p) || len(operations) != count {
			t.Fatalf("%+v came back as %+v with %d operations, error %v", p, parts, len(operations), err)
		}
	})
}
