package imdgo

// Role is what a node is in its cluster.
type Role uint8

// The roles.
const (
	// Joining is a node that belongs to no cluster yet, or is on its way in.
	Joining Role = iota
	// Follower has a vote and follows the leader, or looks for one.
	Follower
	// Candidate is being voted on.
	Candidate
	// Leader decides.
	Leader
	// NonVoter receives everything, and gets a vote when it has caught up.
	NonVoter
	// Closed is what a node is after Close.
	Closed
)

// String returns the role in words.
func (r Role) String() string {
	switch r {
	case Joining:
		return "joining"
	case Follower:
		return "follower"
	case Candidate:
		return "candidate"
	case Leader:
		return "leader"
	case NonVoter:
		return "non-voter"
	}
	return "closed"
}

// Stats is what a cache says of itself at one moment. Counts are of this node
// and begin with the process; sizes are of its replica.
type Stats struct {
	NodeID string // the address that others dial, and this life's incarnation
	Role   Role
	Leader string // NodeID of the leader, empty when none is known
	Term   uint64 // Raft's
	// AppliedIndex is the log index of the last entry that this replica has
	// applied. It is 0 while it has none because it is being sent all of the state
	// anew, and had to make room for that.
	AppliedIndex uint64
	// Entries is what is resident over all maps, expired entries included
	// until they leave memory.
	Entries int
	// AccountedBytes is what the entries take with all that belongs to them, and
	// what Raft's log takes where it is in memory. While this node is sent all of the
	// state, what has come of it counts as well.
	AccountedBytes int64
	// BudgetBytes is what AccountedBytes may reach: what the smallest budget of
	// all nodes leaves for entries, and this node's share for the log. While this
	// node is sent all of the state, it is what this node has for it.
	BudgetBytes int64
	// BudgetOf is the NodeID of the node with the smallest budget, empty while
	// none is known.
	BudgetOf string
	// LogBytes is the size of Raft's log on this node.
	LogBytes int64
	// DecodedBytes is an estimate of what decoded values take on this node beside
	// AccountedBytes, see WithDecodedLimit.
	DecodedBytes int64
	Hits         uint64 // reads of this replica that found an entry
	Misses       uint64 // and those that did not
	Evictions    uint64 // entries that left to make room
	Expirations  uint64 // entries that left because their deadline had passed
}

// Stats returns the figures of this moment. It takes locks for a moment only.
func (c *Cache) Stats() Stats {
	n := c.node.Status()
	s := Stats{
		NodeID:         n.ID,
		Leader:         n.Leader,
		Term:           n.Term,
		AppliedIndex:   n.AppliedIndex,
		Entries:        n.Entries,
		AccountedBytes: n.Accounted,
		BudgetBytes:    n.Budget,
		BudgetOf:       n.BudgetOf,
		LogBytes:       n.LogBytes,
		DecodedBytes:   n.Decoded,
		Hits:           c.hits.total(),
		Misses:         c.misses.total(),
		Evictions:      n.Evictions,
		Expirations:    n.Expirations,
	}
	switch {
	case n.ID == "":
		s.Role = Closed
	case n.Leads:
		s.Role = Leader
	case n.Stands:
		s.Role = Candidate
	case n.Votes:
		s.Role = Follower
	case n.Member:
		s.Role = NonVoter
	}
	return s
}
