package node

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/inelpandzic/imdgo/internal/wire"
)

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
