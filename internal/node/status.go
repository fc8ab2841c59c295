package node

import (
	"math"

	"github.com/hashicorp/raft"
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
	account := n.machine.Account()
	s.Entries, s.Accounted, s.BudgetOf = account.Entries, account.Used, account.Ruler
	s.Budget = min(account.Limit, math.MaxInt64-n.cfg.Budget.Log) + n.cfg.Budget.Log
	if account.Ruler == "" {
		s.Budget = n.cfg.Budget.Total()
	}
	l := n.life.Load()
	if l == nil {
		return s
	}
	s.Accounted += n.cfg.Budget.Log - l.room()
	leader, _ := l.raft.LeaderWithID()
	suffrage, member := l.suffrage()
	s.ID, s.Leader = string(l.id()), string(leader)
	s.Term, s.LogBytes = l.raft.CurrentTerm(), l.log.Bytes()
	s.Member, s.Votes = member, member && suffrage == raft.Voter
	s.Leads, s.Stands = l.leads(), l.raft.State() == raft.Candidate
	return s
}
