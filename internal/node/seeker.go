package node

import (
	"context"
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
