package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/wire"
)

const (
	// seekPause is between two looks for a cluster; it is spread, so that nodes
	// that began together do not ask each other for promises together for ever.
	seekPause = 60 * time.Millisecond
	// promotePause is between two looks whether this replica has caught up.
	promotePause = 25 * time.Millisecond
	// catchingUp is how far a node may be behind that is given its vote: half of the
	// time without a leader after which there is an election.
	catchingUp = 500 * time.Millisecond
	// timePause is between two questions for the time, each of which makes the
	// leader log something.
	timePause = 100 * time.Millisecond
	// settledPause is between two looks at a life that has all it wants. A
	// change of leader interrupts it.
	settledPause = time.Second
	// electing is how long a cluster may be without a leader before anything
	// is thought of it: an election of raft's takes 1 to 3 s.
	electing = 2500 * time.Millisecond
	// unheard is how long a cluster that was asked to let this node in may
	// stay silent before it is asked again, and abandoning before it is given up.
	unheard    = 300 * time.Millisecond
	abandoning = 5 * time.Second
	// refusedFor is how long nobody must listen where the holder of a promise
	// was, before it counts as gone.
	refusedFor = time.Second
	// silentFor is the same for a holder that does not answer at all. With more
	// than four Members it takes all of the others, see promiseOver and shunned.
	silentFor = 10 * time.Second
)

// seeker finds or forms a cluster, sees that this life gets its lasting role in
// it, and notices when it has no future there.
type seeker struct {
	*life
	leaderless time.Time // since when, zero: there is a leader
	asked      time.Time // when the cluster was last asked to let this node in
	holder     wire.Incarnation
	refusing   time.Time // since when nobody listens where the promise's holder was
	silent     time.Time // since when it has not answered
	timed      time.Time // when a leader was last asked for the time
}

// seek returns an error when this life has no future, nil when ctx has ended.
func (l *life) seek(ctx context.Context) error {
	s := seeker{life: l}
	for {
		pause, err := s.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-l.changed:
		case <-time.After(pause):
		}
	}
}

func (s *seeker) look(ctx context.Context) (time.Duration, error) {
	if leader, ok := s.leader(); ok {
		s.leaderless = time.Time{}
		return s.settle(ctx, leader), nil
	}
	if s.leaderless.IsZero() {
		s.leaderless = time.Now()
	}
	if s.cluster() == 0 {
		return spread(seekPause), s.unattached(ctx)
	}
	if _, ok := s.suffrage(); ok {
		return spread(2 * seekPause), s.orphaned(ctx)
	}
	return spread(seekPause), s.joining(ctx)
}

func spread(d time.Duration) time.Duration { return d/2 + rand.N(d) }

// settle sees that this node gets a vote once it has caught up.
func (s *seeker) settle(ctx context.Context, leader leader) time.Duration {
	if s.stateless(ctx, leader) {
		return spread(2 * seekPause)
	}
	untimed := s.untimed(ctx, leader)
	suffrage, ok := s.suffrage()
	if ok && suffrage == raft.Voter {
		if untimed {
			return promotePause
		}
		return settledPause
	}
	if !ok {
		return promotePause // the entry that names this node is on its way
	}
	a, err := s.askAt(ctx, leader.addr, askStatus)
	if err != nil || !s.catchesUp(ctx, a.Commit) {
		return promotePause // a vote is only worth what its log is
	}
	if a, err = s.askAt(ctx, leader.addr, askPromote); err == nil && !a.Granted {
		s.node.log.Debug("not promoted yet", "reason", a.Reason)
	}
	return promotePause
}

// catchesUp reports whether the log reaches, within catchingUp, as far as the leader
// had committed when it was asked: then this node is no more than that behind. It is
// a round of section 4.2.1 of Ongaro's thesis (Consensus: Bridging Theory and
// Practice, 2014).
//
// To be there already would be too much to ask. The schedule: the leader commits an
// entry every 2 ms with a voter that is near, and this node is 10 ms away. Of two
// requests on their way at a time each brings what has come meanwhile, so the log is
// always some entries short of what the leader has just said; and as long as
// something is being written this node never votes.
func (s *seeker) catchesUp(ctx context.Context, commit uint64) bool {
	for began := time.Now(); ; pause(ctx, catchingUp/100) {
		if s.raft.LastIndex() >= commit {
			return true
		}
		if ctx.Err() != nil || time.Since(began) > catchingUp {
			return false
		}
	}
}

// stateless reports whether this node has no state: nothing else is of interest then.
// If none is coming the leader is asked to see to it that it can send its own.
func (s *seeker) stateless(ctx context.Context, leader leader) bool {
	last, waiting := s.replica.waiting()
	if waiting {
		q := s.question(askState)
		q.Index, q.Term = last.index, last.term
		if a, err := s.exchange(ctx, leader.addr, q); err != nil || !a.Granted {
			s.node.log.Debug("asking for the state", "reason", a.Reason, "error", err)
		}
	}
	return s.replica.emptied.Load()
}

// untimed reports whether this node does not know yet what the time is, because
// it goes on with what is on its disk. It asks the leader, whose next stamp will
// say so.
func (s *seeker) untimed(ctx context.Context, leader leader) bool {
	if s.replica.timely() {
		return false
	}
	if leader.inc == s.inc || time.Since(s.timed) < timePause {
		return true // a leader, until its first batch
	}
	s.timed = time.Now()
	a, err := s.askAt(ctx, leader.addr, askTime)
	if err == nil && a.Leads {
		s.replica.learned(a.Term, a.Commit)
	}
	return true
}

// unattached looks for a cluster to join, or for others to form one with.
func (s *seeker) unattached(ctx context.Context) error {
	members := s.node.cfg.Members
	// Read before the others are asked: answers are older than a promise that is
	// given while they come, and say nothing about it.
	held := s.promised()
	seen := s.survey(ctx, members)
	if a, ok := seen.led(); ok {
		return s.join(ctx, a)
	}
	if !slices.Contains(members, s.name) {
		return nil // a node that is not in the list only joins
	}
	if held.to != 0 && held.to != s.inc && s.promiseOver(held, seen) {
		if a, ok := seen.answers[held.name]; !ok || a.Incarnation != held.to {
			// It is gone, and may have founded a cluster before, which counts on
			// this incarnation's vote. Only another one makes clear that it will
			// not get it.
			return fmt.Errorf("%s, to which this node was promised, is gone", held.name)
		}
		s.endPromise(held)
	}
	if err := s.shunning(held, seen); err != nil {
		return err
	}
	if founder, ok := s.countedOn(seen); ok {
		return fmt.Errorf("%s counts on this node in a cluster that it cannot reach it from", founder)
	}
	blank, ok := s.candidates(seen)
	able := ok && 1+len(blank) >= majority(len(members))
	s.setAble(able)
	if !able {
		return nil
	}
	for _, a := range blank {
		if a.Able && a.Name < s.name {
			return nil // that one asks for promises
		}
	}
	return s.form(ctx, blank)
}

// countedOn finds a member of a cluster without a leader that has this life as a
// voter, although it has no promise of it any more. The cluster would wait for
// that vote for ever.
func (s *seeker) countedOn(seen survey) (founder string, ok bool) {
	held := s.promised()
	for _, a := range seen.answers {
		if a.Cluster != 0 && a.Incarnation != held.to && slices.Contains(a.Voters, string(s.id())) {
			return a.Name, true
		}
	}
	return "", false
}

// candidates are the members that could form a cluster with this node. False
// means that it must not: a member belongs to a cluster that has no leader at
// the moment and may have one again.
func (s *seeker) candidates(seen survey) (blank []answer, ok bool) {
	counted := map[wire.Incarnation]bool{s.inc: true}
	for addr, a := range seen.answers {
		if !slices.Equal(a.Members, s.node.cfg.Members) {
			s.node.log.Debug("a member was given other members", "member", addr, "members", a.Members)
			continue
		}
		if a.Cluster == 0 && s.shuns(a.Incarnation) {
			continue // it will begin another life
		}
		if counted[a.Incarnation] {
			s.node.log.Warn("one node is two members", "member", addr, "node", a.Name)
			continue
		}
		counted[a.Incarnation] = true
		if a.Cluster == 0 {
			blank = append(blank, a)
			continue
		}
		if !seen.hopeless(a.Voters, s.life) {
			return nil, false
		}
	}
	return blank, true
}

// promiseOver reports whether whoever holds this node's promise can no longer
// make use of it: it has given the attempt up and the release got lost, or it
// is gone. A silent one is not gone. Only where a cluster of those who promised
// cannot do without this node, which among up to four Members it never can as
// soon as the others are needed for a second cluster, is silence enough. For more
// see shunned.
func (s *seeker) promiseOver(p promise, seen survey) bool {
	if s.holder != p.to {
		s.holder, s.silent, s.refusing = p.to, time.Time{}, time.Time{}
	}
	if a, ok := seen.answers[p.name]; ok {
		s.silent, s.refusing = time.Time{}, time.Time{}
		if a.Incarnation != p.to {
			return true
		}
		return a.Cluster == 0 && (a.Round > p.round || a.Round == p.round && !a.Forming)
	}
	if p.to == s.inc {
		return false
	}
	if !seen.refused[p.name] {
		s.refusing = time.Time{}
	}
	if silent := lasted(&s.silent, silentFor); silent && len(s.node.cfg.Members) <= 4 {
		return true
	}
	return seen.refused[p.name] && lasted(&s.refusing, refusedFor)
}

// lasted reports whether something has been so for d; it begins to count when
// it is first asked.
func lasted(since *time.Time, d time.Duration) bool {
	if since.IsZero() {
		*since = time.Now()
	}
	return time.Since(*since) >= d
}

// join asks the cluster that a belongs to to let this node in. Before it asks,
// it counts itself in: the leader's first connection may be faster than its answer.
func (s *seeker) join(ctx context.Context, a answer) error {
	if !s.attach(a.Cluster) {
		return nil
	}
	s.asked = time.Now()
	const hops = 3
	for range hops {
		addr, _, err := wire.SplitAddress(raft.ServerAddress(a.Leader))
		if err != nil {
			return nil
		}
		reply, err := s.askAt(ctx, addr, askJoin)
		if err != nil {
			s.node.log.Debug("asking to join", "error", err)
			return nil
		}
		if reply.Granted {
			s.refusal.Store(nil)
			s.node.log.Info("joining a cluster", "cluster", a.Cluster, "leader", addr)
			return nil
		}
		s.notLetIn(addr, reply)
		if reply.Leads || reply.Leader == "" || reply.Cluster != a.Cluster {
			return nil
		}
		a = reply
	}
	return nil
}

// notLetIn notes why; once and aloud if that will not change by itself.
func (s *seeker) notLetIn(by string, a answer) {
	if !a.Refused {
		s.node.log.Debug("not let in yet", "by", by, "reason", a.Reason)
		return
	}
	if former := s.refusal.Swap(&a.Reason); former == nil || *former != a.Reason {
		s.node.log.Warn("the cluster does not let this node in", "by", by, "reason", a.Reason)
	}
}

// joining waits for the leader of a cluster that this node has asked to let it
// in, or that has its promise, and asks again.
func (s *seeker) joining(ctx context.Context) error {
	if time.Since(s.leaderless) < unheard || time.Since(s.asked) < unheard {
		return nil
	}
	seen := s.survey(ctx, s.node.cfg.Members)
	for _, a := range seen.answers {
		if a.Cluster == s.cluster() && a.Leader != "" {
			return s.join(ctx, a)
		}
	}
	if p := s.promised(); p.to != 0 && p.to != s.inc && s.asked.IsZero() {
		if s.promiseOver(p, seen) {
			return fmt.Errorf("%s, which was forming a cluster with this node, is gone", p.name)
		}
		return nil
	}
	if time.Since(s.leaderless) > abandoning {
		return errors.New("the cluster that this node was joining does not answer")
	}
	return nil
}

// orphaned asks around when the cluster has had no leader for longer than an
// election takes.
func (s *seeker) orphaned(ctx context.Context) error {
	if time.Since(s.leaderless) < electing {
		return nil
	}
	var voters, addrs []string
	for _, server := range s.servers() {
		if server.Suffrage == raft.Voter {
			voters = append(voters, string(server.ID))
		}
		if addr, _, err := wire.SplitAddress(server.Address); err == nil {
			addrs = append(addrs, addr)
		}
	}
	addrs = append(addrs, s.node.cfg.Members...)
	slices.Sort(addrs)
	seen := s.survey(ctx, slices.Compact(addrs))
	for _, a := range seen.answers {
		// Only the leader knows: to others the entry that names this node may
		// still be on its way.
		if a.Cluster == s.cluster() && a.Leads && !a.Knows {
			return ErrRemoved
		}
	}
	if seen.hopeless(voters, s.life) {
		return fmt.Errorf("cluster %016x can have no leader any more: a majority of %v have lost their memory",
			uint64(s.cluster()), voters)
	}
	if a, ok := seen.led(); ok && a.Cluster != s.cluster() {
		s.node.log.Warn("a member belongs to another cluster", "member", a.Name, "error", ErrForeignCluster)
	}
	return nil
}
