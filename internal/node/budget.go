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
	// askAll is every how many of these looks all members are asked. One that
	// was started anew with its data directory may have another budget; it asks
	// around itself, but perhaps a leader that has just ceased to be one.
	askAll = 5
	// roomTimeout is how long a node that asks to be let in waits while others
	// evict for it; then it asks again.
	roomTimeout = 2 * time.Second
	// expected is for how long the budget of a node that has asked to be let in
	// counts, though it is no member yet.
	expected = 10 * time.Second
	// leastEntries is the least part for entries that a node can have, half of the
	// least budget. Whoever says less is no node of ours, and would have the whole
	// cluster evicted.
	leastEntries = 1 << 19
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
//
// What is decided of a node's budget is told under the lock, because of this
// schedule: the leader looks who is expected, and this node is not any more; it
// asks anew, its budget is decided, and room is made; then it is decided that it
// is nobody. It would be let in while the others fill up again.
type comers struct {
	mu    sync.Mutex
	until map[raft.ServerID]time.Time
}

// expect takes note that room is being made for a node, and has that told.
func (c *comers) expect(id raft.ServerID, tell func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until == nil {
		c.until = make(map[raft.ServerID]time.Time)
	}
	c.until[id] = time.Now().Add(expected)
	tell()
}

// arrived is told that a node is a member.
func (c *comers) arrived(id raft.ServerID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.until, id)
}

// unless has something told unless a node is expected.
func (c *comers) unless(id raft.ServerID, tell func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if until, ok := c.until[id]; ok && time.Now().Before(until) {
		return
	}
	delete(c.until, id)
	tell()
}

// keepBudgets sees to it, while this node leads, that the replicated budgets are
// those of the members: of each one that answers, and of nobody else.
func (l *life) keepBudgets(ctx context.Context) {
	for look := 0; ctx.Err() == nil; look++ {
		l.checkBudgets(ctx, look%askAll == 0)
		pause(ctx, budgetPause)
	}
}

func (l *life) checkBudgets(ctx context.Context, all bool) {
	known := l.node.machine.Budgets()
	var ask []string
	for _, s := range l.servers() {
		_, ok := known[string(s.ID)]
		delete(known, string(s.ID))
		if s.ID == l.id() {
			// It was told when this node took office, but that batch may have
			// been refused while leadership was to be transferred.
			l.learnBudget(s.ID, l.node.cfg.Budget.Entries)
		} else if addr, _, err := wire.SplitAddress(s.Address); err == nil && (all || !ok) {
			ask = append(ask, addr)
		}
	}
	for member := range known {
		l.comers.unless(raft.ServerID(member), func() { l.proposer.tellBudget(member, 0) })
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
	if entries < leastEntries || l.node.machine.Budgets()[string(id)] == entries {
		return
	}
	for _, s := range l.servers() {
		if s.ID == id {
			l.proposer.tellBudget(string(id), entries)
		}
	}
}

// poorError is why a node is not let in that has too little memory.
type poorError string

// Error implements error.
func (e poorError) Error() string { return string(e) }

func poor(format string, args ...any) error { return poorError(fmt.Sprintf(format, args...)) }

// makeRoom brings the limit down to what a node has that wants to be let in, so
// that everything fits there when it comes. Nothing is evicted for one that it
// would not be enough for.
func (l *life) makeRoom(q *question) error {
	if q.Budget < leastEntries {
		return fmt.Errorf("a budget of %d bytes for entries, the least is %d", q.Budget, leastEntries)
	}
	ctx, cancel := context.WithTimeout(l.ctx, roomTimeout)
	defer cancel()
	id, told := server(q.Name, q.Incarnation).ID, false
	for {
		account := l.node.machine.Account()
		switch {
		case account.Ruler == "": // before this leader's first batch
		case !q.Named && q.Budget < account.Target/2:
			return poor("its memory leaves %d MiB for entries, under half of the cluster's %d MiB (of %s): "+
				"give it more, or name with WithMemoryLimit what all shall come down to", q.Budget>>20, account.Target>>20, account.Ruler)
		case account.Pinned > q.Budget:
			return poor("its memory leaves %d bytes for entries, and those that are never evicted take %d", q.Budget, account.Pinned)
		case !told:
			told = true
			l.comers.expect(id, func() { l.proposer.tellBudget(string(id), q.Budget) })
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
