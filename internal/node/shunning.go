package node

import (
	"fmt"
	"slices"
	"sync"

	"github.com/inelpandzic/imdgo/internal/wire"
)

// shunned are incarnations that this process forms no cluster with any more, in
// none of its lives: it gives them no promise, and lets no cluster in that they
// have founded. It may still join one that has a leader.
//
// The schedule it is for: of five, A asks the others for their promises, gets
// them and falls silent; perhaps it has founded a cluster. Silence ends no
// promise, see promise, so the four would wait for as long as it lasts.
//
// Who has waited for silentFor and hears from all the others that they belong to
// no cluster shuns A, and so does whoever hears of that. Only when all members
// but A say that they shun it, the promises to it are dropped, each with the life
// that gave it. Then there are not two clusters:
//
//  1. What A founds has it and two more members at the least, so a leader needs
//     the vote of one of them. It votes when it has let A's cluster in, for which
//     it must have belonged to none and not shun A.
//  2. A member shuns A only while it belongs to no cluster, for as long as its
//     process lasts. So one that says that it shuns A has not let A's cluster in,
//     and will not.
//  3. When a promise is dropped, all members but A have said so. A's cluster never
//     has a leader, and so nobody can join it either.
//  4. A member that shuns A and has not heard that all do holds on to its promise,
//     and takes part in no other cluster: one is enough to have A's come about.
//
// A process that is restarted has forgotten whom it shuns. Its incarnation is not
// one that A has the promise of, and its new promises are as exclusive as any.
//
// When A is heard again it finds that it is shunned, and begins another life: at
// once if it has founded nothing, else if that leaves its cluster no majority.
// That ends all promises to it. If another one of the five falls silent before
// all have said that they shun A, the promises last until one of the two is heard.
type shunned struct {
	mu   sync.Mutex // guards incs
	incs []wire.Incarnation
}

// shunnedMost bounds the list, which is part of every answer.
const shunnedMost = 8

func (s *shunned) all() []wire.Incarnation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.incs)
}

func (s *shunned) has(inc wire.Incarnation) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.incs, inc)
}

func (s *shunned) add(inc wire.Incarnation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.incs) < shunnedMost && !slices.Contains(s.incs, inc) {
		s.incs = append(s.incs, inc)
	}
}

// shun has this process shun an incarnation, unless this life belongs to a cluster.
func (l *life) shun(inc wire.Incarnation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cluster() == 0 && inc != l.inc {
		l.node.shunned.add(inc)
	}
}

// shuns reports whether this process shuns an incarnation.
func (l *life) shuns(inc wire.Incarnation) bool { return l.node.shunned.has(inc) }

// shunning shuns whom the others shun, and the silent holder of this life's
// promise. It returns an error when this life has no future for that.
func (s *seeker) shunning(held promise, seen survey) error {
	blank := s.others(held, seen)
	for addr, a := range seen.answers {
		if slices.Contains(a.Shuns, s.inc) {
			return fmt.Errorf("%s forms no cluster with this incarnation any more", addr)
		}
	}
	for _, a := range blank {
		for _, inc := range a.Shuns {
			s.shun(inc)
		}
	}
	_, heard := seen.answers[held.name]
	all := len(blank) == len(s.node.cfg.Members)-2
	if held.to == 0 || held.to == s.inc || !all {
		return nil
	}
	if !heard && s.holder == held.to && !s.silent.IsZero() && lasted(&s.silent, silentFor) {
		s.shun(held.to)
	}
	if !s.shuns(held.to) || slices.ContainsFunc(blank, func(a answer) bool { return !slices.Contains(a.Shuns, held.to) }) {
		return nil
	}
	return fmt.Errorf("%s, to which this node was promised, is silent, and all others have given it up", held.name)
}

// others are the answers of the members beside this one and the holder of its
// promise that belong to no cluster.
func (s *seeker) others(held promise, seen survey) (blank []answer) {
	counted := map[wire.Incarnation]bool{s.inc: true, held.to: true}
	for addr, a := range seen.answers {
		if addr != held.name && a.Cluster == 0 && !counted[a.Incarnation] && slices.Equal(a.Members, s.node.cfg.Members) {
			counted[a.Incarnation] = true
			blank = append(blank, a)
		}
	}
	return blank
}
