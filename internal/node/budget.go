package node

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/wire"
)

const (
	// budgetPause is between two looks whether the budgets that are known are
	// those of the members.
	budgetPause = time.Second
	// roomTimeout is how long a node that asks to be let in waits while others
	// evict for it; then it asks again.
	roomTimeout = 2 * time.Second
	// expected is for how long the budget of a node that has asked to be let in
	// counts, though it is no member yet.
	expected = 10 * time.Second
)

// Budget is what a node can give to the cache.
type Budget struct {
	// Entries is the part for entries, in bytes. The smallest of all members'
	// is the limit.
	Entries int64
	// Log is the part for Raft's log in memory and for what a transfer of the
	// state keeps, in bytes.
	Log int64
	// Named is whether the user has named it in bytes. Otherwise it follows from
	// what the machine has.
	Named bool
}

// Total is all of it.
func (b Budget) Total() int64 { return b.Entries + b.Log }

// comers are the nodes that want to be let in and that room is made for.
type comers struct {
	mu    sync.Mutex
	until map[raft.ServerID]time.Time
}

func (c *comers) expect(id raft.ServerID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until == nil {
		c.until = make(map[raft.ServerID]time.Time)
	}
	c.until[id] = time.Now().Add(expected)
}

// arrived is told that a node is a member.
func (c *comers) arrived(id raft.ServerID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.until, id)
}

func (c *comers) expects(id raft.ServerID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	until, ok := c.until[id]
	if ok && time.Now().After(until) {
		delete(c.until, id)
		return false
	}
	return ok
}

// keepBudgets sees to it, while this node leads, that the replicated budgets are
// those of the members: of each one that answers, and of nobody else.
func (l *life) keepBudgets(ctx context.Context) {
	for ctx.Err() == nil {
		l.checkBudgets(ctx)
		pause(ctx, budgetPause)
	}
}

func (l *life) checkBudgets(ctx context.Context) {
	known := l.node.machine.Budgets()
	var ask []string
	for _, s := range l.servers() {
		_, ok := known[string(s.ID)]
		delete(known, string(s.ID))
		if addr, _, err := wire.SplitAddress(s.Address); err == nil && !ok && s.ID != l.id() {
			ask = append(ask, addr)
		}
	}
	for member := range known {
		if !l.comers.expects(raft.ServerID(member)) {
			l.proposer.tellBudget(member, 0)
		}
	}
	if len(ask) == 0 {
		return
	}
	for addr, a := range l.survey(ctx, ask).answers {
		l.learnBudget(server(addr, a.Incarnation).ID, a.Budget)
	}
}

// learnBudget takes note of a member's budget, which it may have been started
// anew with.
func (l *life) learnBudget(id raft.ServerID, entries int64) {
	if entries <= 0 || l.node.machine.Budgets()[string(id)] == entries {
		return
	}
	for _, s := range l.servers() {
		if s.ID == id {
			l.proposer.tellBudget(string(id), entries)
		}
	}
}

// poorError is why a node is not let in that has too little memory.
type poorError struct {
	asks, limit int64
	ruler       string
}

// Error implements error.
func (e poorError) Error() string {
	return fmt.Sprintf("its memory leaves %d MiB for entries, under half of the cluster's %d MiB (of %s): "+
		"give it more, or name with WithMemoryLimit what all shall come down to", e.asks>>20, e.limit>>20, e.ruler)
}

// makeRoom brings the limit down to what a node has that wants to be let in, so
// that everything fits there when it comes.
func (l *life) makeRoom(q *question) error {
	if q.Budget <= 0 {
		return fmt.Errorf("a budget of %d bytes", q.Budget)
	}
	ctx, cancel := context.WithTimeout(l.ctx, roomTimeout)
	defer cancel()
	id, told := server(q.Name, q.Incarnation).ID, false
	for {
		account := l.node.machine.Account()
		switch {
		case account.Ruler == "": // before this leader's first batch
		case !q.Named && q.Budget < account.Target/2:
			return poorError{q.Budget, account.Target, account.Ruler}
		case !told:
			told = true
			l.comers.expect(id)
			l.proposer.tellBudget(string(id), q.Budget)
		case account.Limit <= q.Budget && l.node.machine.Budgets()[string(id)] == q.Budget:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the entries take %d bytes, and it has room for %d", account.Used, q.Budget)
		case <-time.After(promotePause / 5):
		}
	}
}
