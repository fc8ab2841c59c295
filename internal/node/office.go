package node

import (
	"context"
	"time"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/wire"
)

// takeOffice is what a leader does before its first batch, when it has applied
// all that former leaders logged: it finds out what the time is, if it does not
// know, because its stamps will be everybody's.
func (l *life) takeOffice(ctx context.Context) {
	if clock := l.node.clock; !clock.known() && l.node.machine.Clock() > 0 {
		clock.begin(l.outset(ctx))
	}
	l.replica.current.Store(true)
	l.proposer.tellBudget(string(l.id()), l.node.cfg.Budget.Entries)
}

// outset is the time that a leader begins at which does not know it. Others may:
// the time has gone on with them. If nobody does, the cluster comes back from
// disk, and the wall clock, which each batch has recorded, says for how long it
// was away. That is the only use that is made of wall clocks, and one that is
// wrong can only make that time 0 or too long.
func (l *life) outset(ctx context.Context) int64 {
	var voters []string
	for _, s := range l.servers() {
		if addr, _, err := wire.SplitAddress(s.Address); err == nil && s.Suffrage == raft.Voter {
			voters = append(voters, addr)
		}
	}
	applied := l.node.machine.Clock()
	known := int64(0)
	for _, a := range l.survey(ctx, voters).answers {
		if a.Cluster == l.cluster() {
			known = max(known, a.Time)
		}
	}
	if known > 0 || !l.resumed {
		return max(applied, known)
	}
	away := max(0, l.node.Now().UnixNano()-l.node.machine.Wall())
	l.node.log.Info("the cluster has come back from disk", "away", time.Duration(away))
	return applied + away
}
