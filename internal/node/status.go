package node

import (
	"math"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/fsm"
)

// Status is what a node says of itself to its own process.
type Status struct {
	ID           string // server id of this life; empty between two and at the end
	Leader       string // server id of the leader, as far as this node knows
	Term         uint64
	AppliedIndex uint64
	Entries      int
	Accounted    int64  // what entries, the log in memory and open transfers take, in bytes
	Budget       int64  // what that may reach
	BudgetOf     string // server id of the member whose budget is the smallest
	LogBytes     int64
	Decoded      int64
	Expirations  uint64
	Evictions    uint64
	Member       bool // it is in the configuration
	Votes        bool // with a vote
	Leads        bool
	Stands       bool // for election
}

// Status returns the state of this moment.
func (n *Node) Status() Status {
	s := Status{AppliedIndex: n.machine.Index(), Expirations: n.machine.Expirations(),
		Evictions: n.machine.Evictions(), Decoded: n.machine.DecodedBytes()}
	l := n.life.Load()
	account, limit := n.account(l)
	s.Entries, s.Accounted, s.BudgetOf = account.Entries, account.Used, account.Ruler
	s.Budget = min(limit, math.MaxInt64-n.cfg.Budget.Log) + n.cfg.Budget.Log
	if l == nil {
		return s
	}
	if l.disk == nil {
		s.Accounted += l.log.Bytes()
	}
	leader, _ := l.raft.LeaderWithID()
	suffrage, member := l.suffrage()
	s.ID, s.Leader = string(l.id()), string(leader)
	s.Term, s.LogBytes = l.raft.CurrentTerm(), l.log.Bytes()
	s.Member, s.Votes = member, member && suffrage == raft.Voter
	s.Leads, s.Stands = l.leads(), l.raft.State() == raft.Candidate
	return s
}

// account is what the entries take, with those of a state that is being built, and
// what they may take: while that is so, whatever this node has for them, or, if that
// is less than it has been sent, what it has been sent.
func (n *Node) account(l *life) (account fsm.Account, limit int64) {
	if l == nil {
		account = n.machine.Account()
		return account, n.limit(account)
	}
	account, coming, receiving := l.replica.account()
	limit = n.limit(account)
	if receiving {
		limit = max(limit, n.cfg.Budget.Entries)
		if coming.Limit != math.MaxInt64 {
			limit = max(limit, coming.Limit)
		}
		account.Used += coming.Used
	}
	return account, limit
}

// limit is the limit of the members' budgets, or this node's while none is known.
func (n *Node) limit(a fsm.Account) int64 {
	if a.Ruler == "" {
		return n.cfg.Budget.Entries
	}
	return a.Limit
}
