package node

import (
	"testing"
	"time"

	"github.com/inelpandzic/imdgo/internal/wire"
)

// three are the answers of c, d and e, to b; a is silent.
func three(shun ...bool) survey {
	seen := survey{answers: map[string]answer{}}
	for i, addr := range five[2:] {
		a := answer{Name: addr, Incarnation: wire.Incarnation(i + 3), Members: five}
		if shun[i] {
			a.Shuns = []wire.Incarnation{1}
		}
		seen.answers[addr] = a
	}
	return seen
}

func TestASilentFounderIsShunned(t *testing.T) {
	held := promise{to: 1, name: "a:1", round: 1}
	waits := func(d time.Duration) *seeker {
		l := lifeOf("b:1", 2, five...)
		l.promise = held
		return &seeker{life: l, holder: 1, silent: time.Now().Add(-d)}
	}
	missing := three(true, true, true)
	delete(missing.answers, "e:1")
	attached := three(true, true, false)
	attached.answers["e:1"] = answer{Name: "e:1", Incarnation: 5, Members: five, Cluster: 7}
	heard := three(false, false, false)
	heard.answers["a:1"] = answer{Name: "a:1", Incarnation: 1, Members: five, Cluster: 7}
	twice := three(true, true, true)
	twice.answers["e:1"] = twice.answers["d:1"]
	for name, c := range map[string]struct {
		s          *seeker
		seen       survey
		shuns, end bool
	}{
		"not for long":                     {waits(time.Second), three(false, false, false), false, false},
		"for long":                         {waits(time.Hour), three(false, false, false), true, false},
		"the others do":                    {waits(time.Second), three(true, false, true), true, false},
		"all do":                           {waits(time.Hour), three(true, true, true), true, true},
		"one of them is not heard":         {waits(time.Hour), missing, true, false},
		"one of them belongs to a cluster": {waits(time.Hour), attached, true, false},
		"it is heard":                      {waits(time.Hour), heard, false, false},
		"one of them is two":               {waits(time.Hour), twice, true, false},
	} {
		err := c.s.shunning(held, c.seen)
		if c.s.shuns(1) != c.shuns || (err != nil) != c.end {
			t.Errorf("%s: shuns it %v, %v", name, c.s.shuns(1), err)
		}
	}
}

// Who shuns a founder takes no part in what it founds, and who takes part does
// not shun it.
func TestShunningAndTakingPart(t *testing.T) {
	calls := wire.Preamble{Purpose: wire.Raft, Cluster: 7, Origin: 1, Target: 2}
	l := lifeOf("b:1", 2, five...)
	if err := l.givePromise(asks("a:1", 1, 1, five...)); err != nil {
		t.Fatal(err)
	}
	l.shun(1)
	if got := l.admitRaft(calls); got != wire.WrongCluster || l.cluster() != 0 {
		t.Errorf("after it was shunned: %v", got)
	}
	if err := l.givePromise(asks("a:1", 1, 2, five...)); err == nil {
		t.Error("promised to whom it shuns")
	}
	next := &life{node: l.node, name: l.name, inc: 22}
	if err := next.givePromise(asks("a:1", 1, 3, five...)); err == nil {
		t.Error("the next life has promised to whom the process shuns")
	}
	if err := next.givePromise(asks("a:1", 11, 1, five...)); err != nil {
		t.Errorf("another life of the founder: %v", err)
	}

	l = lifeOf("b:1", 2, five...)
	l.promise = promise{to: 1, name: "a:1"}
	if got := l.admitRaft(calls); got != wire.Admitted {
		t.Fatal(got)
	}
	if l.shun(1); l.shuns(1) {
		t.Error("shunned by a node of its cluster, which may have voted for it")
	}
}

// A founder that is heard again finds out that it is shunned.
func TestAShunnedFounderBeginsAnotherLife(t *testing.T) {
	seen := survey{answers: map[string]answer{
		"b:1": {Name: "b:1", Incarnation: 2, Members: five, Shuns: []wire.Incarnation{1}},
		"c:1": {Name: "c:1", Incarnation: 3, Members: five, Shuns: []wire.Incarnation{1}}}}
	a := lifeOf("a:1", 1, five...)
	if err := (&seeker{life: a}).shunning(promise{}, seen); err == nil {
		t.Error("it waits for promises that it never gets")
	}
	a.clusterID.Store(7)
	voters := []string{id("a:1", 1), id("b:1", 2), id("c:1", 3)}
	if !seen.hopeless(voters, a) {
		t.Error("it waits for votes that it never gets")
	}
	for name, let := range map[string]wire.ClusterID{"its own": 7, "another": 8} {
		c := seen.answers["c:1"]
		c.Cluster = let
		seen.answers["c:1"] = c
		if seen.hopeless(voters, a) {
			t.Errorf("C, of %s cluster, may vote for it yet", name)
		}
	}
}
