package eviction

import "testing"

func TestGhostsAreForgotten(t *testing.T) {
	for _, start := range []uint32{0, 1 << 31, 1<<32 - 500} { // the count wraps around
		var g ghosts
		now := start
		for id := range uint64(5000) {
			now++
			g.fit(1000, now)
			g.add(hashOf(id), now, now)
		}
		if len(g.slots) < 1000 || len(g.slots) > 2000 {
			t.Errorf("%d slots for 1000 ghosts", len(g.slots))
		}
		known := 0
		for id := uint64(4000); id < 5000; id++ {
			if age, ok := g.take(hashOf(id), now); ok {
				known++
				if want := uint32(4999 - id); age != want {
					t.Fatalf("%d is %d back, want %d", id, age, want)
				}
			}
		}
		if known < 850 {
			t.Errorf("of 1000 ghosts %d are known", known)
		}
		for id := range uint64(3000) {
			if age, ok := g.take(hashOf(id), now); ok {
				t.Errorf("%d is known, %d back", id, age)
			}
		}
	}
}

func TestGhostIsTakenOnce(t *testing.T) {
	var g ghosts
	if _, ok := g.take(hashOf(1), 0); ok {
		t.Error("a ghost of nothing")
	}
	g.fit(10, 0)
	g.add(hashOf(1), 1, 1)
	if _, ok := g.take(hashOf(1), 1); !ok {
		t.Error("the ghost is not there")
	}
	if _, ok := g.take(hashOf(1), 1); ok {
		t.Error("the ghost is still there")
	}
}

// TestGhostsGrow: ages survive it, as exactly as dates are kept.
func TestGhostsGrow(t *testing.T) {
	var g ghosts
	now := uint32(0)
	g.fit(8000, now)
	for id := range uint64(8000) {
		now++
		g.add(hashOf(id), now, now)
	}
	for _, room := range []int{16_000, 60_000, 200_000} {
		g.fit(room, now)
		if len(g.slots)>>g.shift > ticks {
			t.Errorf("%d slots, dates without %d bits", len(g.slots), g.shift)
		}
	}
	known := 0
	for id := uint64(4000); id < 8000; id++ {
		if age, ok := g.take(hashOf(id), now); ok {
			known++
			if want := int(7999 - id); int(age) > want+64 || int(age) < want-64 {
				t.Fatalf("%d is %d back, want %d", id, age, want)
			}
		}
	}
	if known < 3800 {
		t.Errorf("of 4000 ghosts %d are known", known)
	}
	g.fit(100, now)
	if len(g.slots) > 1000 {
		t.Errorf("%d slots for 100 ghosts", len(g.slots))
	}
}

// TestStrangersAreNoGhosts measures how often a hash is taken for another.
func TestStrangersAreNoGhosts(t *testing.T) {
	const n = 1 << 17
	var g ghosts
	g.fit(n, 0)
	for id := range uint64(2 * n) {
		g.add(hashOf(id), 1, 1)
	}
	known := 0
	for id := range uint64(n) {
		if _, ok := g.take(hashOf(1<<40+id), 1); ok {
			known++
		}
	}
	t.Logf("%d of %d strangers", known, n)
	if known > n/4000 {
		t.Errorf("%d of %d strangers are known", known, n)
	}
}
