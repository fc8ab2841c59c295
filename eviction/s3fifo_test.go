package eviction

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func newS3(c Config) *S3FIFO[*item] { return NewS3FIFO[*item](c) }

func TestWithoutReadsTheFirstStayAndATenthOfTheLast(t *testing.T) {
	n := newNode(newS3(Config{}))
	for id := range uint64(1000) {
		n.request(id, 100)
	}
	for _, id := range []uint64{5, 6, 88, 89, 991, 992, 999} {
		if n.entries[id] == nil {
			t.Errorf("%d is gone", id)
		}
	}
	if n.policy.Len() != 100 || n.entries[500] != nil {
		t.Errorf("%d entries, and %v among them", n.policy.Len(), n.entries[500])
	}
}

func TestWhatWasReadSurvivesAScan(t *testing.T) {
	n := newNode(newS3(Config{}))
	for range 3 {
		for id := range uint64(50) {
			n.request(id, 100)
		}
	}
	for id := uint64(1000); id < 2000; id++ {
		n.request(id, 100)
		n.read(id % 50)
	}
	for id := range uint64(50) {
		if n.entries[id] == nil {
			t.Errorf("a scan of 1000 entries has pushed out %d", id)
		}
	}
}

func TestLoopLongerThanTheCache(t *testing.T) {
	n := newNode(newS3(Config{}))
	got := n.hits(10_000, 100, func(i int) uint64 { return uint64(i % 500) })
	if got < 16 { // a cache that knows the future has 19, LRU none
		t.Errorf("%.1f %% hits", got)
	}
}

func TestLoopAfterTheCacheWasCleared(t *testing.T) {
	n := newNode(newS3(Config{}))
	n.hits(1000, 100, func(i int) uint64 { return uint64(i) })
	for id, e := range n.entries {
		n.policy.Remove(e)
		delete(n.entries, id)
	}
	if got := n.hits(10_000, 100, func(i int) uint64 { return uint64(i % 500) }); got < 16 {
		t.Errorf("%.1f %% hits", got)
	}
}

func TestOneReadDoesNotPromote(t *testing.T) {
	p := newS3(Config{})
	fill(p, 0, 100)
	once, twice := newItem(200), newItem(201)
	p.Add(once)
	p.Add(twice)
	once.hook.Touch()
	twice.hook.Touch()
	twice.hook.Touch()
	for id := uint64(300); id < 320; id++ {
		p.Add(newItem(id))
		victim(p)
	}
	if once.hook.at() != nowhere || twice.hook.at() != protected {
		t.Errorf("read once: at %d, twice: at %d", once.hook.at(), twice.hook.at())
	}
}

// TestReturning: an entry that returns sooner than the main queue's oldest has
// waited goes there, any other starts again.
func TestReturning(t *testing.T) {
	p := newS3(Config{})
	fill(p, 0, 100)
	for id := uint64(200); id < 230; id++ {
		p.Add(newItem(id))
		victim(p)
	}
	e := newItem(202)
	p.Add(e)
	if e.hook.at() != protected {
		t.Errorf("returned after 28 additions, at %d", e.hook.at())
	}

	for p.main.len > 0 { // all that waits there came lately
		p.Remove(p.main.oldest)
	}
	fresh := fill(p, 400, 500)
	if len(fresh) == 0 || p.main.len == 0 {
		t.Fatal("nothing in the main queue")
	}
	e = newItem(203)
	p.Add(e)
	if e.hook.at() != probation {
		t.Errorf("returned after 128 additions, at %d, while the main queue's oldest waited for %d", e.hook.at(), p.span(&p.main))
	}
}

// TestShareFollows: what returns soon makes the small queue large, and a steady
// popularity makes it small again.
func TestShareFollows(t *testing.T) {
	p := newS3(Config{})
	n := newNode(p)
	rng := rand.New(rand.NewPCG(1, 1))
	for id := uint64(1); id < 20_000; id++ { // each is asked for again a while later
		n.request(id, 1000)
		if back := 150 + rng.Uint64N(400); id > back {
			n.request(id-back, 1000)
		}
	}
	large := p.share
	if large < .3 {
		t.Errorf("share %.3f, though entries return after 150 to 550 others", large)
	}
	popular := zipf(rng, .9, 20_000)
	for range 100_000 {
		n.request(1_000_000+popular(), 1000)
	}
	if p.share > .1 {
		t.Errorf("share %.3f, from %.3f, of a popularity that is steady", p.share, large)
	}
}

// TestLargeNewcomers: shares are of the cost.
func TestLargeNewcomers(t *testing.T) {
	p := newS3(Config{})
	fill(p, 0, 1000)
	for id := uint64(2000); id < 2020; id++ {
		e := newItem(id)
		e.cost = 50
		p.Add(e)
		for p.cost() > 1000 {
			victim(p)
		}
	}
	if p.main.len < 850 {
		t.Errorf("20 entries of a twentieth of the cache each have left %d of 900", p.main.len)
	}
}

// TestRestored: a policy filled from a snapshot names what the one that wrote it
// would.
func TestRestored(t *testing.T) {
	p, restored := newS3(Config{}), newS3(Config{})
	for _, e := range fill(p, 0, 1000) {
		restored.Restore(newItem(e.id))
	}
	if got, want := numbers(victims(restored, 100)), numbers(victims(p, 100)); !slices.Equal(got, want) {
		t.Errorf("victims %v, want %v", got, want)
	}
}

// TestShareIsGivenBack: a small queue that has grown gives way to one-hit
// wonders, down to what it began with.
func TestShareIsGivenBack(t *testing.T) {
	p := newS3(Config{})
	n := newNode(p)
	p.share = .6
	for id := range uint64(50_000) {
		n.request(id, 1000)
	}
	if p.share > firstShare+.01 || p.share < firstShare-.01 {
		t.Errorf("share %.3f after 50 times as many entries as there is room for", p.share)
	}
}

// TestARoundForEachRead: in the main queue, who was read three times outlives
// those that were read once.
func TestARoundForEachRead(t *testing.T) {
	p := newS3(Config{})
	all := fill(p, 0, 40)
	for range 3 {
		all[0].hook.Touch()
	}
	for _, e := range all[1:36] {
		e.hook.Touch()
	}
	for range 30 {
		if victim(p) == all[0] {
			t.Fatalf("evicted while there are %d others", p.Len())
		}
	}
}

// TestAReadCountsOnce: who was named in spite of a read is not rescued for it.
func TestAReadCountsOnce(t *testing.T) {
	p := newS3(Config{})
	fill(p, 0, 100)
	var young []*item
	for id := uint64(200); id < 210; id++ {
		e := newItem(id)
		p.Add(e)
		e.hook.Touch()
		young = append(young, e)
	}
	named := victims(p, 15)
	if !slices.Contains(named, young[0]) {
		t.Fatalf("named %v", named)
	}
	if again := victims(p, 15); !slices.Equal(again, named) {
		t.Errorf("named %v, then %v", named, again)
	}
}
