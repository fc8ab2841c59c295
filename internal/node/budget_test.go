package node

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A node that wants to be let in counts from when it asks until it is a member or
// has not asked for a while.
func TestComersAreExpectedForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c comers
		var told []string
		tell := func(what string) func() { return func() { told = append(told, what) } }
		c.unless("a", tell("gone: nobody knows it"))
		c.expect("a", tell("a"))
		time.Sleep(expected - time.Millisecond)
		c.unless("a", tell("gone: too early"))
		c.expect("a", tell("a again"))
		c.expect("b", tell("b"))
		time.Sleep(expected - time.Millisecond)
		c.unless("a", tell("gone: it has asked again"))
		c.arrived("b")
		c.unless("b", tell("b gone"))
		time.Sleep(time.Millisecond)
		c.unless("a", tell("a gone"))
		if want := []string{"gone: nobody knows it", "a", "a again", "b", "b gone", "a gone"}; !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
	})
}

// Whoever looks and tells does so in one step: in between a node may come.
func TestComersAreToldInOneStep(t *testing.T) {
	var c comers
	alone := func() {
		if c.mu.TryLock() {
			c.mu.Unlock()
			t.Error("somebody else could have told something in between")
		}
	}
	c.unless("a", alone)
	c.expect("a", alone)
}

func budgets(n *Node) string { return fmt.Sprint(n.machine.Budgets()) }

// What is left from another leadership is not decided with the next one: it may be
// the small budget of a node that has long gone away.
func TestBudgetsOfAnotherTimeAreNotDecided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, l := alone(t, "")
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		var p *proposer
		begun := false
		p = newProposer(l)
		p.begin = func(context.Context) {
			begun = true
			if left := p.takeBudgets(); len(left) > 0 {
				t.Errorf("%v is still to be decided", left)
			}
			cancel()
		}
		p.tellBudget("passer-by", 1000)
		p.leadOnce(ctx)
		if !begun {
			t.Error("it has not taken office")
		}
	})
}

// The leader puts right what is not so: its own budget that has been lost, and that
// of somebody who is no member.
func TestTheLeaderPutsBudgetsRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, l := alone(t, "")
		time.Sleep(10*budgetPause + budgetPause/2) // between two looks
		right := budgets(n)
		l.proposer.tellBudget(string(l.id()), 0)
		l.proposer.tellBudget("stranger", 1000)
		synctest.Wait()
		if now := budgets(n); now != "map[stranger:1000]" {
			t.Fatalf("budgets %s, after they were told wrong", now)
		}
		time.Sleep(2 * budgetPause)
		if now := budgets(n); now != right {
			t.Errorf("budgets %s, want %s", now, right)
		}
	})
}

// Nobody brings the whole cluster down to nothing by asking to be let in.
func TestABudgetIsBounded(t *testing.T) {
	_, l := alone(t, "")
	for _, bytes := range []int64{math.MinInt64, -1, 0, 1, leastEntries - 1} {
		if err := l.makeRoom(&question{Name: "b:1", Incarnation: 7, Budget: bytes, Named: true}); err == nil || !strings.Contains(err.Error(), fmt.Sprint(bytes)) {
			t.Errorf("a budget of %d: %v", bytes, err)
		}
	}
}
