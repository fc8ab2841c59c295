package node

import "github.com/hashicorp/raft"

// Status is what a node says of itself to its own process.
type Status struct {
	ID           string // server id of this life; empty between two and at the end
	Leader       string // server id of the leader, as far as this node knows
	Term         uint64
	AppliedIndex uint64
	Entries      int
	Bytes        int64 // of keys and values
	LogBytes     int64
	Expirations  uint64
	Member       bool // it is in the configuration
	Votes        bool // with a vote
	Leads        bool
	Stands       bool // for election
}

// Status returns the state of this moment.
func (n *Node) Status() Status {
	s := Status{AppliedIndex: n.machine.Index(), Expirations: n.machine.Expirations()}
	s.Entries, s.Bytes = n.machine.Size()
	l := n.life.Load()
	if l == nil {
		return s
	}
	leader, _ := l.raft.LeaderWithID()
	suffrage, member := l.suffrage()
	s.ID, s.Leader = string(l.id()), string(leader)
	s.Term, s.LogBytes = l.raft.CurrentTerm(), l.log.Bytes()
	s.Member, s.Votes = member, member && suffrage == raft.Voter
	s.Leads, s.Stands = l.leads(), l.raft.State() == raft.Candidate
	return s
}
