package eviction

import (
	"math/rand/v2"
	"testing"
)

func TestRemoteReadsAreTakenOnce(t *testing.T) {
	r := &RemoteReads{}
	r.Note(hashOf(1), 1)
	r.Note(hashOf(1), 1)
	r.Note(hashOf(2), 200)
	r.Note(hashOf(3), 0)
	for id, want := range []uint8{0, 2, 3, 0} {
		if got := r.Take(hashOf(uint64(id))); got != want {
			t.Errorf("%d reads of %d, want %d", got, id, want)
		}
		if got := r.Take(hashOf(uint64(id))); got != 0 {
			t.Errorf("%d reads of %d, taken twice", got, id)
		}
	}
	if r.Len() != 0 {
		t.Errorf("%d slots are taken", r.Len())
	}
}

func TestNoRemoteReads(t *testing.T) {
	var r *RemoteReads
	if r.Len() != 0 || (&RemoteReads{}).Take(1) != 0 {
		t.Error("something was read of nothing")
	}
}

func TestRemoteReadsAreBounded(t *testing.T) {
	r := &RemoteReads{}
	for _, c := range []struct{ entries, slots int }{{0, 1024}, {1024, 1024}, {1025, 2048}, {1 << 30, 1 << 24}, {1 << 23, 1 << 24}, {1 << 22, 1 << 22}} {
		r.Fit(c.entries)
		if len(r.slots) != c.slots {
			t.Errorf("%d slots for %d entries, want %d", len(r.slots), c.entries, c.slots)
		}
	}
}

// TestRemoteReadsOfOthers: with as many notes as slots, one entry in a hundred
// is taken for another, and two in three notes are still there.
func TestRemoteReadsOfOthers(t *testing.T) {
	const n = 1 << 16
	r := &RemoteReads{}
	r.Fit(n)
	for id := range uint64(n) {
		r.Note(hashOf(id), 1)
	}
	wrong, right := 0, 0
	for id := range uint64(n) {
		if r.slots[hashOf(n+id)&(n-1)]>>2 == uint8(hashOf(n+id)>>58) && r.slots[hashOf(n+id)&(n-1)] != 0 {
			wrong++
		}
	}
	for id := range uint64(n) {
		if r.Take(hashOf(id)) > 0 {
			right++
		}
	}
	t.Logf("%.2f %% of strangers are known, %.1f %% of those noted", 100*float64(wrong)/n, 100*float64(right)/n)
	if wrong > n*13/1000 || right < n*60/100 {
		t.Errorf("%d strangers of %d are known, and %d of those noted", wrong, n, right)
	}
}

// TestReadElsewhereIsRead: what was read on other nodes is passed over.
func TestReadElsewhereIsRead(t *testing.T) {
	eachPolicy(t, func(t *testing.T, build func(Config) policy) {
		r := &RemoteReads{}
		p := build(Config{Remote: r})
		all := fill(p, 0, 10)
		r.Note(all[0].Hash(), 3)
		for range 5 {
			if victim(p) == all[0] {
				t.Error("read elsewhere, and evicted")
			}
		}
	})
}

// TestToldOfReads: a leader that sees a third of the reads itself hits more often
// if it is told of the others, a thousand at a time.
func TestToldOfReads(t *testing.T) {
	run := func(tell bool) (hits int) {
		r := &RemoteReads{}
		r.Fit(1000)
		n := newNode(newS3(Config{Remote: r}))
		rng := rand.New(rand.NewPCG(1, 2))
		popular := zipf(rng, .9, 20_000)
		var report []uint64
		for range 100_000 {
			id := popular()
			switch {
			case n.entries[id] == nil:
				n.request(id, 1000)
				continue
			case rng.IntN(3) == 0:
				n.read(id)
			default:
				report = append(report, hashOf(id))
			}
			hits++
			if len(report) == 1000 {
				for _, hash := range report {
					if tell {
						r.Note(hash, 1)
					}
				}
				report = report[:0]
			}
		}
		return hits
	}
	told, alone := run(true), run(false)
	t.Logf("%.2f %% hits, %.2f if it is told nothing", float64(told)/1000, float64(alone)/1000)
	if told < alone+500 {
		t.Errorf("%d hits of 100000 told, %d if told nothing", told, alone)
	}
}
