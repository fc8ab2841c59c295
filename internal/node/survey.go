package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/wire"
)

// surveyTimeout bounds one round of questions to everybody.
const surveyTimeout = 700 * time.Millisecond

// survey is what everybody answered in one round.
type survey struct {
	answers map[string]answer // by the address that was asked
	refused map[string]bool   // nobody listens there
}

// ask asks everybody but this node.
func (l *life) survey(ctx context.Context, addrs []string) survey {
	ctx, cancel := context.WithTimeout(ctx, surveyTimeout)
	defer cancel()
	s := survey{answers: make(map[string]answer), refused: make(map[string]bool)}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, addr := range addrs {
		if addr == l.name {
			continue
		}
		wg.Go(func() {
			a, err := l.askAt(ctx, addr, askStatus)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				s.answers[addr] = a
			} else if errors.Is(err, syscall.ECONNREFUSED) {
				s.refused[addr] = true
			}
		})
	}
	wg.Wait()
	return s
}

// led returns an answer of a node whose cluster has a leader.
func (s survey) led() (answer, bool) {
	for _, a := range s.answers {
		if a.Cluster != 0 && a.Leader != "" {
			return a, true
		}
	}
	return answer{}, false
}

// hopeless reports whether a cluster with these voters can never have a leader
// again: too many of them are known to have begun another life.
func (s survey) hopeless(voters []string, self *life) bool {
	alive := len(voters)
	for _, v := range voters {
		if s.gone(v, self) {
			alive--
		}
	}
	return len(voters) > 0 && alive < majority(len(voters))
}

// gone reports whether the node of a server id is known to be somebody else now.
// Silence says nothing.
func (s survey) gone(id string, self *life) bool {
	name, inc, err := wire.SplitAddress(raft.ServerAddress(id))
	if err != nil {
		return false
	}
	if name == self.name {
		return inc != self.inc
	}
	a, ok := s.answers[name]
	if ok && a.Incarnation == inc && a.Cluster == 0 && self.cluster() != 0 {
		return slices.Contains(a.Shuns, self.inc) // and has not taken part in what that has founded
	}
	return ok && a.Incarnation != inc
}

// isEstablished reports whether every other voter that answers knows that this
// life has a vote.
//
// The schedule it is for: of A, B and C, C has been replaced, and A leads. The
// promotion of C is committed, on A and C, and A dies. B's log is too short for
// C's vote; and C does not get B's, because raft refuses candidates that have
// no vote in its own configuration. Nobody is ever elected, until A is back with
// what it remembers; if it remembers nothing, the cluster begins anew, empty.
// Nothing can be done about that when it has happened: with C's vote not yet
// known to B, the two are a minority of either configuration. So until C is
// ready it counts as still away, and the death of A as the second failure.
func (l *life) isEstablished(ctx context.Context) bool {
	if l.established.Load() {
		return true
	}
	var addrs []string
	for _, s := range l.servers() {
		if addr, _, err := wire.SplitAddress(s.Address); err == nil && s.Suffrage == raft.Voter {
			addrs = append(addrs, addr)
		}
	}
	for _, a := range l.survey(ctx, addrs).answers {
		if a.Cluster == l.cluster() && !slices.Contains(a.Voters, string(l.id())) {
			return false
		}
	}
	if ctx.Err() != nil {
		return false // nobody had the time to answer
	}
	l.established.Store(true)
	return true
}

// status is what this node says of itself to whoever asks.
func (l *life) status(q *question) answer {
	a := answer{Name: l.name, Incarnation: l.inc, Cluster: l.cluster(), Members: l.node.cfg.Members,
		Term: l.raft.CurrentTerm(), Commit: l.raft.CommitIndex(), Leads: l.leads(), Time: l.node.clock.now(),
		Budget: l.node.cfg.Budget.Entries}
	if address, _ := l.raft.LeaderWithID(); address != "" {
		a.Leader = string(address)
	}
	asker := raft.ServerID(wire.Address(q.Name, q.Incarnation))
	for _, s := range l.servers() {
		if s.Suffrage == raft.Voter {
			a.Voters = append(a.Voters, string(s.ID))
		}
		a.Knows = a.Knows || s.ID == asker
	}
	a.Shuns = l.node.shunned.all()
	a.Able, a.Leaving, a.Closing = l.mayAsk(), l.leaving.Load(), l.node.closing.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	a.Round, a.Forming = l.attempt.round, l.attempt.forming
	return a
}
