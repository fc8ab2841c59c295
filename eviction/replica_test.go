package eviction

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// pair is a leader and a follower that apply one log.
type pair struct {
	leader, follower *node
	bound            int
}

// request reads on the leader, and on the follower too if it shall; what is not
// there is added by the log, for which the leader names victims a few entries
// ahead.
func (p *pair) request(id uint64, both bool) bool {
	if both {
		p.follower.read(id)
	}
	if p.leader.read(id) {
		return true
	}
	for n := p.leader.policy.Len(); n >= p.bound; n-- {
		named := victims(p.leader.policy, 4)[0].id
		p.leader.evict(named)
		p.follower.evict(named)
	}
	p.leader.add(id)
	p.follower.add(id)
	return false
}

func numbers(some []*item) (ids []uint64) {
	for _, e := range some {
		ids = append(ids, e.id)
	}
	return ids
}

// common is the part of the one list that is in the other.
func common(a, b []uint64) float64 {
	n := 0
	for _, id := range a {
		if slices.Contains(b, id) {
			n++
		}
	}
	return float64(n) / float64(len(a))
}

// TestFollowerHasTheLeadersOrder: with the same reads, the next victims are the
// leader's.
func TestFollowerHasTheLeadersOrder(t *testing.T) {
	eachPolicy(t, func(t *testing.T, build func(Config) policy) {
		p := pair{newNode(build(Config{})), newNode(build(Config{})), 1000}
		popular := zipf(rand.New(rand.NewPCG(1, 2)), .9, 20_000)
		for range 50_000 {
			p.request(popular(), true)
		}
		want := numbers(victims(p.leader.policy, 100))
		got := numbers(victims(p.follower.policy, 100))
		if c := common(want, got); c < .95 {
			t.Errorf("%.0f %% of the leader's next 100 victims are the follower's", 100*c)
		} else {
			t.Logf("%.0f %% of the leader's next 100 victims are the follower's", 100*c)
		}
	})
}

// TestFollowerWithoutReadsCanLead: one at which nothing was read goes on where
// the leader ended, at little loss.
func TestFollowerWithoutReadsCanLead(t *testing.T) {
	eachPolicy(t, func(t *testing.T, build func(Config) policy) {
		p := pair{newNode(build(Config{})), newNode(build(Config{})), 1000}
		popular := zipf(rand.New(rand.NewPCG(1, 2)), .9, 20_000)
		for range 50_000 {
			p.request(popular(), false)
		}
		next := make([]uint64, 5_000)
		for i := range next {
			next[i] = popular()
		}
		run := func(n *node) float64 { return n.hits(len(next), p.bound, func(i int) uint64 { return next[i] }) }
		led, followed := run(p.leader), run(p.follower)
		t.Logf("%.2f %% hits on the leader, %.2f on the follower in its place", led, followed)
		if followed < led-1 {
			t.Errorf("%.2f %% hits after a change of leaders, %.2f without", followed, led)
		}
	})
}

// TestSameLogSameOrder: a policy depends on nothing but its calls.
func TestSameLogSameOrder(t *testing.T) {
	eachPolicy(t, func(t *testing.T, build func(Config) policy) {
		var first []uint64
		for range 3 {
			n := newNode(build(Config{}))
			popular := zipf(rand.New(rand.NewPCG(3, 4)), .8, 5_000)
			n.hits(20_000, 500, func(int) uint64 { return popular() })
			got := numbers(victims(n.policy, 500))
			if first != nil && !slices.Equal(first, got) {
				t.Fatalf("victims %v, then %v", first, got)
			}
			first = got
		}
	})
}
