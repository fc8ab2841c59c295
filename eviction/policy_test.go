package eviction

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestUnreadGoInTheOrderInWhichTheyCame(t *testing.T) {
	for _, name := range []string{"LRU", "TwoQueue"} {
		p := policies[name](Config{})
		all := fill(p, 0, 100)
		if got := victims(p, 100); !slices.Equal(got, all) {
			t.Errorf("%s: victims %v", name, got)
		}
		if p.Len() != 100 {
			t.Errorf("%s: %d entries are left after 100 were named", name, p.Len())
		}
	}
}

func TestReadIsPassedOver(t *testing.T) {
	eachPolicy(t, func(t *testing.T, build func(Config) policy) {
		p := build(Config{})
		all := fill(p, 0, 10)
		for range most {
			all[0].hook.Touch()
		}
		for n := range 8 {
			if e := victim(p); e == all[0] {
				t.Fatalf("the only entry that was read is victim %d of 10", n+1)
			}
		}
		victim(p)
		victim(p)
		if e := victim(p); e != nil || p.Len() != 0 {
			t.Errorf("%v, and %d entries, are left of none", e, p.Len())
		}
	})
}

func TestAllMarkedStillYields(t *testing.T) {
	eachPolicy(t, func(t *testing.T, build func(Config) policy) {
		p := build(Config{})
		all := fill(p, 0, 10_000)
		for n := range 1000 {
			for _, e := range all { // readers that never cease
				e.hook.Touch()
			}
			if victim(p) == nil {
				t.Fatalf("no victim %d among %d entries", n+1, p.Len())
			}
		}
	})
}

// TestLookingForAVictimIsBounded: whatever was read, one call passes over no
// more than 64 entries for each that it yields.
func TestLookingForAVictimIsBounded(t *testing.T) {
	eachPolicy(t, func(t *testing.T, build func(Config) policy) {
		readings := 0 // one for each entry that is passed over
		p := build(Config{Clock: func() uint64 { readings++; return 0 }})
		for _, e := range fill(p, 0, 10_000) {
			for range most {
				e.hook.Touch()
			}
		}
		for range 100 {
			readings = 0
			victim(p)
			if readings > reach {
				t.Fatalf("%d entries were passed over", readings)
			}
		}
	})
}

func TestNamedStaysNamedUntilRead(t *testing.T) {
	eachPolicy(t, func(t *testing.T, build func(Config) policy) {
		p := build(Config{})
		fill(p, 0, 20)
		first := victims(p, 5)
		if again := victims(p, 5); !slices.Equal(again, first) {
			t.Errorf("named %v, then %v", first, again)
		}
		first[1].hook.Touch()
		p.Remove(first[2])
		again := victims(p, 5)
		if slices.Contains(again, first[1]) || slices.Contains(again, first[2]) {
			t.Errorf("named %v, of which one was read and one removed, then %v", first, again)
		}
		if !slices.Equal(again[:3], []*item{first[0], first[3], first[4]}) {
			t.Errorf("named %v, then %v", first, again)
		}
		if p.Len() != 19 {
			t.Errorf("%d entries, want 19", p.Len())
		}
	})
}

// TestNoneIsLost holds a policy against a set, over any mix of operations.
func TestNoneIsLost(t *testing.T) {
	eachPolicy(t, func(t *testing.T, build func(Config) policy) {
		for seed := range uint64(20) {
			rng := rand.New(rand.NewPCG(seed, 1))
			ops := make([]byte, 4000)
			for i := range ops {
				ops[i] = byte(rng.Uint32())
			}
			run(t, build, ops)
		}
	})
}

func FuzzPolicies(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x02\x03\x04\x05\x06\x07"))
	f.Fuzz(func(t *testing.T, ops []byte) {
		for _, build := range policies {
			run(t, build, ops)
		}
	})
}

// run carries out operations, a byte or two each, and checks after each that
// the policy has what it should.
func run(t *testing.T, build func(Config) policy, ops []byte) {
	t.Helper()
	var clock uint64
	remote := &RemoteReads{}
	p := build(Config{Clock: func() uint64 { clock++; return clock }, Remote: remote})
	var here []*item
	var id uint64
	pick := func(n byte) *item {
		if len(here) == 0 {
			return nil
		}
		return here[int(n)*len(here)/256]
	}
	out := func(e *item) {
		i := slices.Index(here, e)
		if i < 0 {
			t.Fatalf("victim %v is not here", e)
		}
		here = slices.Delete(here, i, i+1)
		if e.hook.at() != nowhere {
			t.Fatalf("%v is out, and at %d", e, e.hook.at())
		}
	}
	for i := 0; i+1 < len(ops); i += 2 {
		arg := ops[i+1]
		e := pick(arg)
		switch op := ops[i] % 16; {
		case op < 5:
			e := newItem(id % 300)
			if i := slices.IndexFunc(here, func(o *item) bool { return o.id == e.id }); i >= 0 {
				here[i].hook.Touch()
			} else {
				e.cost = int64(arg)
				p.Add(e)
				here = append(here, e)
			}
			id += uint64(arg)%7 + 1
		case op < 9:
			if e != nil {
				e.hook.Touch()
			}
		case op == 9:
			if e != nil {
				p.Remove(e)
				out(e)
				p.Remove(e)
				p.Evict(e)
			}
		case op == 10:
			if e != nil {
				p.Resize(e, int64(arg)-e.cost)
				e.cost = int64(arg)
			}
		case op == 11:
			if e != nil {
				p.Evict(e)
				out(e)
			}
		case op == 12:
			remote.Note(hashOf(uint64(arg)), arg)
		default:
			named := victims(p, int(arg%8))
			if len(named) < min(int(arg%8), len(here)) {
				t.Fatalf("%d victims of %d entries, asked for %d", len(named), len(here), arg%8)
			}
			for i, e := range named {
				if !slices.Contains(here, e) || slices.Contains(named[:i], e) {
					t.Fatalf("victims %v, of %v", named, here)
				}
				if i < int(arg/64) {
					p.Evict(e)
					out(e)
				}
			}
		}
		if p.Len() != len(here) {
			t.Fatalf("%d entries, want %d", p.Len(), len(here))
		}
		if stamp, ok := p.Oldest(); ok != (len(here) > 0) || stamp > clock {
			t.Fatalf("oldest %d, %v of %d entries at %d", stamp, ok, len(here), clock)
		}
		check(t, p)
	}
	all := victims(p, len(here)+1)
	for _, e := range all {
		p.Evict(e)
		out(e)
	}
	for e := victim(p); e != nil; e = victim(p) { // those that were rescued
		out(e)
	}
	if len(here) > 0 || p.Len() != 0 {
		t.Fatalf("%v are never yielded, %d left", here, p.Len())
	}
}

// check holds the queues against what they say of themselves.
func check(t *testing.T, p policy) {
	t.Helper()
	switch p := p.(type) {
	case *S3FIFO[*item]:
		checkList(t, &p.small, probation)
		checkList(t, &p.main, protected)
		checkList(t, &p.named, condemned)
		if p.high < p.cost() || p.share < leastShare || p.share > mostShare {
			t.Fatalf("cost %d of %d at most, a share of %f", p.cost(), p.high, p.share)
		}
	case *LRU[*item]:
		checkList(t, &p.named, condemned)
	case *TwoQueue[*item]:
		checkList(t, &p.named, condemned)
		if p.ghosts.Len() > max(1, p.Len()+300) {
			t.Fatalf("%d ghosts for %d entries", p.ghosts.Len(), p.Len())
		}
	}
}

func checkList(t *testing.T, l *list[*item], at place) {
	t.Helper()
	n, cost := 0, int64(0)
	var younger *item
	for e := l.youngest; e != nil; e = e.hook.next {
		if e.hook.at() != at || e.hook.prev != younger {
			t.Fatalf("%v is at %d and behind %v, want %d and %v", e, e.hook.at(), e.hook.prev, at, younger)
		}
		n++
		cost += e.cost
		younger = e
	}
	if l.oldest != younger || l.len != n || l.cost != cost {
		t.Fatalf("a list of %d and cost %d says %d, %d", n, cost, l.len, l.cost)
	}
}
