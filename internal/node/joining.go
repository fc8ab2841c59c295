package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/wire"
)

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
