package fsm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/inelpandzic/imdgo/internal/command"
)

// most is about how many entries the leader lets one command remove.
const most = 4096

// fill sets n keys, each with a version of its own, and returns the last stamp.
func fill(r *replica, n int, ttl func(i int) int64) {
	r.t.Helper()
	var ops []op
	for i := range n {
		ops = append(ops, set(fmt.Sprint("key", i), "v", explicit(ttl(i))))
		if len(ops) == most || i == n-1 {
			r.do(0, ops...)
			ops = ops[:0]
		}
	}
}

// drain does what a leader does, and returns how many entries every round removed.
func drain(r *replica, now int64) (rounds []int) {
	r.t.Helper()
	for {
		threshold, ok := r.Due(now, most)
		if !ok {
			return rounds
		}
		before := r.Account().Entries
		r.apply(now, &threshold)
		after := r.Account().Entries
		if before == after {
			r.t.Fatalf("%+v removed nothing", threshold)
		}
		rounds = append(rounds, before-after)
	}
}

func TestDueDrainsInFewRoundsOfAboutMost(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, c := range map[string]struct {
		entries int
		ttl     func(i int) int64
		rounds  int
	}{
		"100,000 of the same moment":       {100_000, func(int) int64 { return second }, 25},
		"100,000 of the same second":       {100_000, func(int) int64 { return second + random.Int64N(second) }, 27},
		"20,000 of one slot, in order":     {20_000, func(i int) int64 { return second + int64(i) }, 5},
		"20,000 of one slot, backwards":    {20_000, func(i int) int64 { return second + 20_000 - int64(i) }, 5},
		"one in every slot for 20 minutes": {5000, func(i int) int64 { return second + int64(i)*tick }, 2},
		"three in every slot":              {9000, func(i int) int64 { return second + int64(i/3)*tick }, 3},
		"exactly as many as there may be":  {most, func(int) int64 { return second }, 1},
		"one more":                         {most + 1, func(int) int64 { return second }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplica(t)
			fill(r, c.entries, c.ttl)
			if n := r.Account().Entries; n != c.entries {
				t.Fatalf("%d entries", n)
			}
			rounds := drain(r, 5000*second)
			if n := r.Account().Entries; n != 0 || r.Expirations() != uint64(c.entries) {
				t.Errorf("%d entries are left, %d expired", n, r.Expirations())
			}
			if len(rounds) > c.rounds {
				t.Errorf("%d rounds, want %d", len(rounds), c.rounds)
			}
			for i, n := range rounds {
				if n > most*5/4 || n < most*3/4 && i < len(rounds)-1 {
					t.Errorf("round %d of %d removed %d", i, len(rounds), n)
				}
			}
			if r.HasDeadlines() {
				t.Error("the index is not empty")
			}
		})
	}
}

func TestDueIsExactForFew(t *testing.T) {
	for n := 1; n <= 5; n++ {
		for most := range 7 {
			r := newReplica(t)
			fill(r, n, func(i int) int64 { return 10 - int64(i) })
			threshold, ok := r.Due(second, most)
			if !ok {
				t.Fatal("nothing is due")
			}
			r.apply(second, &threshold)
			if left := r.Account().Entries; left != n-min(n, max(most, 1)) {
				t.Errorf("at most %d of %d: %d are left", most, n, left)
			}
		}
	}
}

func TestDueWaitsForTheWholeSlot(t *testing.T) {
	r := newReplica(t)
	r.do(0, set("k", "v", explicit(1)))
	if !r.HasDeadlines() {
		t.Error("no deadlines")
	}
	if _, ok := r.Due(tick-2, 1); ok {
		t.Error("due before its slot has passed")
	}
	if got, ok := r.Due(tick-1, 1); !ok || got != (command.Threshold{Deadline: tick - 1, Version: math.MaxUint64}) {
		t.Errorf("%+v, %v", got, ok)
	}
}

// A deadline that was moved back is found out when its slot comes up; then
// nothing is due although the slot has passed.
func TestDueSettlesWhatWasMoved(t *testing.T) {
	r := newReplica(t)
	fill(r, 100, func(i int) int64 { return 1 + int64(i)*tick })
	fill(r, 100, func(int) int64 { return hour })
	if _, ok := r.Due(100*second, 9); ok {
		t.Error("something is due")
	}
	if slots := len(r.Table(sessions.Name).contents.Load().deadlines.slots); slots != 1 {
		t.Errorf("%d slots for one moment", slots)
	}
	if rounds := drain(r, 2*hour); len(rounds) != 1 || rounds[0] != 100 {
		t.Errorf("rounds %v", rounds)
	}
}

// Whoever sleeps until NextDue misses nothing, and does not wake up for nothing
// more than once for a slot.
func TestNothingIsDueBeforeNextDue(t *testing.T) {
	r := newReplica(t)
	if _, ok := r.NextDue(); ok {
		t.Error("an empty machine has something due")
	}
	fill(r, 300, func(i int) int64 { return 1 + int64(i%7)*tick*3/2 })
	fill(r, 100, func(int) int64 { return 20 * tick }) // moved back: found out on the way
	r.do(0, command.AppendSet(nil, command.Set, patience, command.Target{Name: "other"}, "k", explicit(5*tick), nil))
	idle := 0
	for now := int64(0); r.HasDeadlines(); {
		at, ok := r.NextDue()
		if !ok {
			t.Fatal("there are deadlines, and nothing is ever due")
		}
		if _, ok := r.Due(at-1, most); ok && at > now {
			t.Fatalf("something is due before %d", at)
		}
		if threshold, ok := r.Due(at, most); ok {
			r.apply(at, &threshold)
		} else if idle++; idle > 20 {
			t.Fatalf("nothing is due at %d again and again", at)
		}
		now = at
	}
	if n := r.Account().Entries; n != 0 {
		t.Errorf("%d entries are left", n)
	}
	r.do(0, set("k", "v", explicit(hour)))
	r.do(0, set("k", "v", noTTL))
	if _, ok := r.NextDue(); ok {
		t.Error("a deadline that was taken away is due")
	}
}

// A deadline that was taken away counts no more at once, nothing is ever due for
// it, and its place in the index goes when its slot comes up.
func TestADeadlineIsTakenAway(t *testing.T) {
	r, follower := newReplica(t), newReplica(t)
	index := func(r *replica) *deadlines { return &r.Table(sessions.Name).contents.Load().deadlines }
	for _, m := range []*replica{r, follower} {
		fill(m, 100, func(i int) int64 { return 1 + int64(i)*tick })
		fill(m, 100, func(int) int64 { return 0 })
		if m.HasDeadlines() || index(m).linked != 100 {
			t.Errorf("has deadlines: %v; %d places for 100 entries", m.HasDeadlines(), index(m).linked)
		}
	}
	if _, ok := r.Due(100*second, 9); ok || len(index(r).slots) != 0 {
		t.Errorf("something is due: %v; %d slots are left", ok, len(index(r).slots))
	}
	// One gets a deadline again, in a slot of its own or in the one it was left in.
	for _, m := range []*replica{r, follower} {
		m.do(0, set("key50", "v", explicit(second)), set("key51", "v", explicit(hour)), set("key52", "v", explicit(hour)))
		m.do(0, set("key52", "v", noTTL))
		if !m.HasDeadlines() {
			t.Error("no deadlines")
		}
	}
	threshold, ok := r.Due(2*second, 9)
	if !ok {
		t.Fatal("nothing is due")
	}
	for _, m := range []*replica{r, follower} {
		m.apply(2*second, &threshold)
		m.expectShow("key50", "nothing")
		if n := m.Account().Entries; n != 99 || m.Expirations() != 1 {
			t.Errorf("%d entries are left, %d expired", n, m.Expirations())
		}
	}
	m := follower // which has had its places till now
	if rounds := drain(m, 2*hour); len(rounds) != 1 || m.HasDeadlines() || index(m).linked != 0 {
		t.Errorf("rounds %v; has deadlines: %v; %d places", rounds, m.HasDeadlines(), index(m).linked)
	}
	m.expectShow("key51", "nothing")
	m.expectShow("key52", "v@204 until 0")
}

// However many deadlines have been moved or taken away, they do not hold the
// writes up for longer than a moment: the search goes on at the next time.
func TestDueSettlesABoundedNumber(t *testing.T) {
	const slots = 6
	r := newReplica(t)
	fill(r, slots*settleMost/2, func(i int) int64 { return int64(1+i*2/settleMost) * tick })
	fill(r, slots*settleMost/2, func(i int) int64 { return int64(i%2) * hour })
	r.do(0, set("last", "v", explicit(slots*tick)))
	index := &r.Table(sessions.Name).contents.Load().deadlines
	for left := slots - 2; left > 0; left -= 2 {
		if threshold, ok := r.Due(100*second, most); ok || len(index.slots) != left+1 { // and that in an hour
			t.Fatalf("due: %v %+v; %d slots", ok, threshold, len(index.slots))
		}
	}
	if _, ok := r.Due(100*second, most); !ok {
		t.Fatal("the last is not found")
	}
}

// The earliest deadlines of all maps go first; every map loses about most.
func TestDueLooksAtEveryMap(t *testing.T) {
	r := newReplica(t)
	for i := range int64(5) {
		m := command.Target{Name: fmt.Sprint("map", i)}
		r.do(0, command.AppendSet(nil, command.Set, patience, m, "k", explicit((5-i)*second), nil))
	}
	threshold, ok := r.Due(10*second, 1)
	if !ok {
		t.Fatal("nothing is due")
	}
	r.apply(10*second, &threshold)
	if n := r.Table("map4").Len(); n != 0 {
		t.Error("not the earliest one")
	}
	if n := r.Account().Entries; n != 4 {
		t.Errorf("%d entries are left", n)
	}
}

// TTLs of a year that are overwritten, deleted or cleared again and again leave
// nothing behind in the index.
func TestTheIndexFreesItsSlots(t *testing.T) {
	r := newReplica(t)
	index := func() *deadlines { return &r.Table(sessions.Name).contents.Load().deadlines }
	for i := range int64(2000) {
		year := (8760*hour - i*second) // ever earlier, so that it must move at once
		switch i % 4 {
		case 0:
			r.do(i, set("a", "v", explicit(year)))
		case 1:
			r.do(i, setMany(explicit(year), "a", "1", "b", "2"))
		case 2:
			r.do(i, touch("a", year), del("b"))
		case 3:
			r.do(i, set("b", "v", noTTL))
		}
		if n := len(index().slots); n > 2 || n != len(index().order) {
			t.Fatalf("%d slots, %d in order, for two keys", n, len(index().order))
		}
	}
	r.do(3000, setMany(explicit(hour), "a", "1", "b", "2", "c", "3"), set("a", "v", noTTL), compareAndDelete("b", 2001), del("c"))
	if err := r.invariants(); err != nil {
		t.Fatal(err)
	}
	r.do(3000, del("b"))
	if r.HasDeadlines() || len(index().slots) > 1 {
		t.Error("more is left in the index than the place of one key that had a deadline")
	}
	r.do(3000, del("a"))
	if len(index().slots) != 0 {
		t.Error("the index is not empty")
	}
	r.do(3000, set("k", "v", explicit(hour)), clearMap())
	if r.HasDeadlines() {
		t.Error("a cleared map has deadlines")
	}
}

// Deadlines that are spread over a week do not take a slot each, and what shares
// one does not go earlier for that.
func TestFarDeadlinesShareSlots(t *testing.T) {
	const entries, week = 20_000, 7 * 24 * hour
	r := newReplica(t)
	fill(r, entries, func(i int) int64 { return second + int64(i)*(week/entries) })
	if n := len(r.Table(sessions.Name).contents.Load().deadlines.slots); n > entries/perSlot+24<<octave {
		t.Errorf("%d slots for %d entries", n, entries)
	}
	for now := int64(0); now < week+hour; now += hour {
		drain(r, now)
		left := 0
		for i := range int64(entries) {
			if second+i*(week/entries) > now {
				left = int(entries - i)
				break
			}
		}
		if n := r.Account().Entries; n < left || n > left+1 {
			t.Fatalf("%d entries are left after %d hours, %d have a deadline ahead", n, now/hour, left)
		}
		if err := r.invariants(); err != nil {
			t.Fatal(err)
		}
	}
}

// Two replicas whose indexes came about in different ways remove the same
// entries at the same thresholds.
func TestWhatExpiresDoesNotDependOnTheArrangement(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	veteran := newReplica(t)
	history := newModel()
	apply := func(b modelBatch, machines ...*replica) {
		t.Helper()
		history.apply(b)
		for _, m := range machines {
			if err := m.Apply(m.Index()+1, b.entry()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for round := range 20 { // every key is overwritten, mostly to later, so it hangs in an old slot
		p := modelPart{origin: uint64(round), low: 1, first: 1}
		for range 300 {
			ttl := explicit(1 + int64(round)*second + random.Int64N(10*second))
			if random.IntN(4) == 0 && round < 8 {
				ttl = noTTL
			}
			p.requests = append(p.requests, request{kind: command.Set, patience: 1, target: sessions,
				key: fmt.Sprint(random.IntN(400)), ttl: ttl})
		}
		apply(modelBatch{parts: []modelPart{p}}, veteran)
	}
	restored := newReplica(t)
	restored.Machine = history.machine(random)
	veteranIndex := &veteran.Table(sessions.Name).contents.Load().deadlines
	restoredIndex := &restored.Table(sessions.Name).contents.Load().deadlines
	if len(veteranIndex.slots) == len(restoredIndex.slots) {
		t.Error("the arrangements are too much alike for this test")
	}
	for now := int64(0); ; now += second / 2 {
		leader := []*replica{veteran, restored}[random.IntN(2)]
		threshold, ok := leader.Due(now, 20)
		if !ok {
			if now > 100*second {
				break
			}
			continue
		}
		apply(modelBatch{stamp: now, expire: &threshold}, veteran, restored)
		for name, m := range map[string]*replica{"veteran": veteran, "restored": restored} {
			if err := history.differs(m.Machine); err != nil {
				t.Fatalf("%s after %+v: %v", name, threshold, err)
			}
			if err := m.invariants(); err != nil {
				t.Fatalf("%s after %+v: %v", name, threshold, err)
			}
		}
		if veteran.hash() != restored.hash() {
			t.Fatal("hashes differ")
		}
	}
	if n := veteran.Account().Entries; n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

// The command names no entry: one whose deadline was moved meanwhile stays.
func TestAnExtendedDeadlineEscapesACommandUnderWay(t *testing.T) {
	r := newReplica(t)
	r.do(0, set("a", "v", explicit(second)), set("b", "v", explicit(second)), set("c", "v", noTTL))
	threshold, ok := r.Due(2*second, 10)
	if !ok {
		t.Fatal("nothing is due")
	}
	r.do(second/2, touch("a", hour))
	r.apply(2*second, &threshold)
	r.expectShow("a", "v@1 until 3600500000000")
	r.expectShow("b", "nothing")
	r.expectShow("c", "v@3 until 0")
}
