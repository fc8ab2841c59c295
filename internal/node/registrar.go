package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/wire"
)

// configurationTimeout bounds one change of raft's configuration.
const configurationTimeout = 2 * time.Second

var (
	errNotLeader  = errors.New("this node does not lead")
	errNoMember   = errors.New("that node is no member")
	errNotLeaving = errors.New("that node does not say that it is leaving")
)

// letIn adds whoever asks as a non-voter, and takes out what it was in earlier
// lives: those can never come back. It gets a vote when it has caught up and
// asks for it; a vote for a node that nobody has reached could take the leader
// away with the next failure.
func (l *life) letIn(q *question) error {
	if !l.leads() {
		return errNotLeader
	}
	if _, _, err := net.SplitHostPort(q.Name); err != nil {
		return fmt.Errorf("%q cannot be dialed: %w", q.Name, err)
	}
	if q.Name == l.name && q.Incarnation != l.inc {
		return fmt.Errorf("%q is the address of the leader", q.Name)
	}
	defer l.node.takeTurn()()
	if _, err := l.isThere(q); err != nil {
		return err
	}
	joiner := server(q.Name, q.Incarnation)
	present, former := l.livesOf(joiner)
	if !present {
		if err := l.makeRoom(q); err != nil {
			return fmt.Errorf("letting %s in: %w", joiner.ID, err)
		}
		// It may have died meanwhile: as a member its budget would rule until
		// somebody takes its place.
		if _, err := l.isThere(q); err != nil {
			return err
		}
		if err := l.raft.AddNonvoter(joiner.ID, joiner.Address, 0, configurationTimeout).Error(); err != nil {
			return fmt.Errorf("adding %s: %w", joiner.ID, err)
		}
		l.comers.arrived(joiner.ID)
	}
	for _, id := range former {
		if err := l.raft.RemoveServer(id, 0, configurationTimeout).Error(); err != nil {
			return fmt.Errorf("removing %s: %w", id, err)
		}
		l.node.log.Info("replaced an incarnation", "former", id, "now", joiner.ID)
	}
	return nil
}

// isThere makes sure that whoever asks is who answers at that address now. The
// question may have waited for its turn while its node was restarted, and its
// successor has joined meanwhile; or somebody else asks in its name.
func (l *life) isThere(q *question) (answer, error) {
	ctx, cancel := context.WithTimeout(l.ctx, dialTimeout)
	defer cancel()
	a, err := l.askAt(ctx, q.Name, askStatus)
	if err == nil && a.Incarnation != q.Incarnation {
		err = fmt.Errorf("%s is incarnation %s now, not %s", q.Name, a.Incarnation, q.Incarnation)
	}
	return a, err
}

// takeTurn lets one change of the configuration be made at a time; what it
// returns ends the turn. It is no sync.Mutex, because a turn takes as long as
// raft does: in a synctest bubble time stands still while somebody waits for one.
func (n *Node) takeTurn() (end func()) {
	n.registrar <- struct{}{}
	return func() { <-n.registrar }
}

// livesOf looks for a node's present and former lives in the configuration.
func (l *life) livesOf(joiner raft.Server) (present bool, former []raft.ServerID) {
	name, _, _ := wire.SplitAddress(joiner.Address)
	for _, s := range l.servers() {
		addr, _, err := wire.SplitAddress(s.Address)
		switch {
		case s.ID == joiner.ID:
			present = true
		case err == nil && addr == name:
			former = append(former, s.ID)
		}
	}
	return present, former
}

// promote gives a non-voter its vote.
func (l *life) promote(q *question) error {
	if !l.leads() {
		return errNotLeader
	}
	defer l.node.takeTurn()()
	if _, err := l.isThere(q); err != nil {
		return err
	}
	who := server(q.Name, q.Incarnation)
	if present, _ := l.livesOf(who); !present {
		return fmt.Errorf("%s is not in the configuration", who.ID)
	}
	if err := l.raft.AddVoter(who.ID, who.Address, 0, configurationTimeout).Error(); err != nil {
		return fmt.Errorf("promoting %s: %w", who.ID, err)
	}
	l.proposer.tellTime()
	l.node.log.Info("a node has caught up and votes", "node", who.ID)
	return nil
}

// letGo takes whoever asks out of the configuration.
func (l *life) letGo(q *question) error {
	if !l.leads() {
		return errNotLeader
	}
	defer l.node.takeTurn()()
	if a, err := l.isThere(q); err != nil || !a.Leaving {
		return errors.Join(err, errNotLeaving)
	}
	who := server(q.Name, q.Incarnation)
	if present, _ := l.livesOf(who); !present {
		return nil
	}
	if err := l.raft.RemoveServer(who.ID, 0, configurationTimeout).Error(); err != nil {
		return fmt.Errorf("removing %s: %w", who.ID, err)
	}
	l.node.log.Info("a node has left", "node", who.ID)
	return nil
}

// depart takes this life out of the cluster: it hands leadership over if it
// has it, and asks the leader to let it go.
func (l *life) depart(ctx context.Context) error {
	l.leaving.Store(true)
	if l.cluster() == 0 {
		return nil
	}
	for {
		if l.isLast() {
			return nil
		}
		err := l.departNow(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("leaving the cluster: %w: %w", err, ctx.Err())
		case <-time.After(promotePause):
		}
	}
}

// isLast reports whether this is the only node with a vote.
func (l *life) isLast() bool {
	for _, s := range l.servers() {
		if s.ID != l.id() && s.Suffrage == raft.Voter {
			return false
		}
	}
	return true
}

func (l *life) departNow(ctx context.Context) error {
	if l.leads() {
		return l.handOver(ctx)
	}
	leader, ok := l.leader()
	if !ok {
		leader.addr, ok = l.leading(ctx)
	}
	if !ok {
		return ErrNoLeader
	}
	a, err := l.askAt(ctx, leader.addr, askLeave)
	if err == nil && !a.Granted {
		err = errors.New(a.Reason)
	}
	return err
}

// leading asks around who leads, for a life that hears of no leader.
//
// The schedule it is for: a leader logs that this life is out, and steps down before
// that is committed; the next one commits it, and sends nothing to who is out.
func (l *life) leading(ctx context.Context) (addr string, ok bool) {
	for addr, a := range l.survey(ctx, l.addresses(func(raft.Server) bool { return true })).answers {
		if a.Cluster == l.cluster() && a.Leads {
			return addr, true
		}
	}
	return "", false
}

// addresses are those of the servers that are wanted.
func (l *life) addresses(wanted func(raft.Server) bool) []string {
	var addrs []string
	for _, s := range l.servers() {
		if addr, _, err := wire.SplitAddress(s.Address); err == nil && wanted(s) {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// errHandedOver says that this node leads no more, and has yet to ask whoever does.
var errHandedOver = errors.New("leadership has been handed over")

// handOver hands leadership to a voter that answers and stays. Raft left to
// itself may choose a dead one, and its future may never be answered.
//
// The schedule for which it must be one that stays: all nodes close at once. A
// hands over to B, B to C and C to A, each before the others have asked it to let
// them go, until all have tried for as long as they may. If A keeps leadership,
// it can let B and C go, and is the last.
func (l *life) handOver(ctx context.Context) error {
	addrs := l.addresses(func(s raft.Server) bool { return s.Suffrage == raft.Voter })
	err := errors.New("no other voter that stays answers")
	for addr, a := range l.survey(ctx, addrs).answers {
		if a.Cluster != l.cluster() || a.Closing {
			continue
		}
		to := server(addr, a.Incarnation)
		result := make(chan error, 1)
		go func() { result <- l.raft.LeadershipTransferToServer(to.ID, to.Address).Error() }()
		select {
		case err = <-result:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err == nil {
			return errHandedOver
		}
	}
	return fmt.Errorf("handing leadership over: %w", err)
}
