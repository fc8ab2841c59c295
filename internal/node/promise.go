package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/wire"
)

// promise is whom a life that belongs to no cluster would form one with. It is
// exclusive: a cluster begins with promises of a majority of the Members, so
// two can never begin.
//
// It ends when the other side releases it, or is gone, or when all the others have
// given that one up, see shunned. It may not simply run out: among five, A has the promises of B and C and forms {A, B, C}, and is cut
// off together with C; B's promise runs out; B forms {B, D, E}.
type promise struct {
	to    wire.Incarnation // 0: nobody
	name  string
	round uint64 // the latest attempt that it was asked for
}

// attempt counts the attempts of this life to form a cluster.
type attempt struct {
	round   uint64
	forming bool // under way
	yields  int  // how many were given up for somebody else's
	able    bool // a majority of the Members was within reach, and in no cluster
}

func (l *life) round() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.attempt.round
}

func (l *life) setAble(able bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempt.able = able
}

// mayAsk reports whether this life could found a cluster now, so that others wait
// for it to ask for their promises. Whoever is promised may not.
func (l *life) mayAsk() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.attempt.able && (l.promise.to == 0 || l.promise.to == l.inc)
}

// givePromise answers a node that wants to form a cluster.
func (l *life) givePromise(q *question) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.cluster() != 0:
		return fmt.Errorf("%s belongs to a cluster", l.name)
	case !slices.Equal(q.Members, l.node.cfg.Members):
		return fmt.Errorf("%s was given the members %v, not %v", l.name, l.node.cfg.Members, q.Members)
	case l.shuns(q.Incarnation):
		return fmt.Errorf("%s has given up waiting for this incarnation of %s", l.name, q.Name)
	case l.promise.to != 0 && l.promise.to != q.Incarnation:
		return fmt.Errorf("%s is promised to %s", l.name, l.promise.name)
	}
	l.promise = promise{to: q.Incarnation, name: q.Name, round: max(l.promise.round, q.Round)}
	return nil
}

func (l *life) releasePromise(q *question) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.promise.to == q.Incarnation && l.cluster() == 0 && q.Round >= l.promise.round {
		l.promise = promise{}
	}
}

// endPromise ends the promise that was seen, unless it has been asked for again.
func (l *life) endPromise(seen promise) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.promise == seen && l.cluster() == 0 {
		l.promise = promise{}
	}
}

func (l *life) promised() promise {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.promise
}

// admitRaft decides about a connection of raft's. A life without a cluster
// takes part in the one whose founder has its promise, from the moment that it
// calls; nobody else may talk raft to it, since blank raft votes for anybody.
func (l *life) admitRaft(pre wire.Preamble) wire.Refusal {
	if pre.Target != l.inc {
		return wire.WrongIncarnation
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cluster() == 0 && pre.Cluster != 0 && pre.Origin == l.promise.to && pre.Origin != l.inc && !l.shuns(pre.Origin) {
		l.enter(pre.Cluster)
	}
	if l.cluster() == 0 || l.cluster() != pre.Cluster {
		return wire.WrongCluster
	}
	return wire.Admitted
}

// isMember reports whether an incarnation is in the configuration. It is for what
// a leader decides, whose configuration is the newest: a follower may not know
// yet who leads it.
func (l *life) isMember(inc wire.Incarnation) bool {
	for _, s := range l.servers() {
		if _, member, err := wire.SplitAddress(s.Address); err == nil && member == inc {
			return true
		}
	}
	return false
}

// attach makes this life one of a cluster that it is about to ask to join.
func (l *life) attach(id wire.ClusterID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cluster() != 0 {
		return l.cluster() == id
	}
	return l.enter(id)
}

// enter makes this life one of a cluster, if the data directory takes note of
// it: whoever is of that cluster may talk raft to this life from now on, which
// must not be forgotten. The caller holds mu.
func (l *life) enter(id wire.ClusterID) bool {
	if home := l.node.home; home != nil {
		err := l.disk.Join(uint64(id))
		if err == nil {
			err = home.attach(l.inc, id)
		}
		if err != nil {
			l.node.log.Error("this node cannot be one of a cluster", "error", err)
			return false
		}
	}
	l.clusterID.Store(uint64(id))
	return true
}

// form asks the peers for their promises, and founds a cluster with those who
// give it, if they and this node are a majority of the Members.
func (l *life) form(ctx context.Context, peers []answer) error {
	if !l.beginAttempt() {
		return nil
	}
	granted, asking := l.collectPromises(ctx, peers)
	// Somebody who is asking at the same moment would be left out, and missed
	// should one of the others go. One of the two gives way sooner.
	wait := asking && l.yields() < yieldMost
	if 1+len(granted) >= majority(len(l.node.cfg.Members)) && !wait {
		return l.found(wire.NewClusterID(), granted)
	}
	// Those first whose answer got lost: they may hold a promise all the same.
	l.endAttempt()
	l.toAll(ctx, peers, askRelease)
	return nil
}

func (l *life) beginAttempt() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cluster() != 0 || l.promise.to != 0 {
		return false
	}
	l.promise = promise{to: l.inc, name: l.name}
	l.attempt.round++
	l.attempt.forming = true
	return true
}

func (l *life) endAttempt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.promise = promise{}
	l.attempt.forming = false
}

// yieldMost is how often an attempt is given up for somebody else's.
const yieldMost = 3

// yields counts the attempts that were given up because somebody else was
// asking as well.
func (l *life) yields() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempt.yields++
	return l.attempt.yields - 1
}

func (l *life) collectPromises(ctx context.Context, peers []answer) (granted []raft.Server, asking bool) {
	for i, a := range l.toAll(ctx, peers, askPromise) {
		if a.Granted && a.Incarnation == peers[i].Incarnation {
			granted = append(granted, server(a.Name, a.Incarnation))
		} else if a.Reason != "" {
			asking = asking || a.Forming
			l.node.log.Debug("no promise", "from", peers[i].Name, "reason", a.Reason)
		}
	}
	return granted, asking
}

// toAll asks several nodes at once; who does not answer leaves an empty answer.
func (l *life) toAll(ctx context.Context, peers []answer, a ask) []answer {
	ctx, cancel := context.WithTimeout(ctx, surveyTimeout)
	defer cancel()
	answers := make([]answer, len(peers))
	var wg sync.WaitGroup
	for i, peer := range peers {
		wg.Go(func() {
			if r, err := l.askAt(ctx, peer.Name, a); err == nil {
				answers[i] = r
			}
		})
	}
	wg.Wait()
	return answers
}

// found begins a cluster of this node and those who promised, on this node
// only: they are blank, and get the configuration with the first entries.
func (l *life) found(id wire.ClusterID, promised []raft.Server) error {
	if !l.attach(id) {
		return errors.New("another cluster took this node in while it was forming one, or that could not be written down")
	}
	configuration := raft.Configuration{Servers: append([]raft.Server{server(l.name, l.inc)}, promised...)}
	if err := l.raft.BootstrapCluster(configuration).Error(); err != nil {
		return fmt.Errorf("founding a cluster: %w", err)
	}
	l.node.log.Info("founded a cluster", "cluster", id, "members", configuration.Servers)
	return l.stand()
}

// stand makes this node a candidate at once. Raft would wait for a heartbeat
// timeout of a leader that never was; the message with which a leader hands
// over ends that.
func (l *life) stand() error {
	request := raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(l.id()), Addr: []byte(l.address())}}
	err := l.transport.TimeoutNow(l.id(), l.address(), &request, new(raft.TimeoutNowResponse))
	if err != nil {
		return fmt.Errorf("standing for the first election: %w", err)
	}
	return nil
}

func server(name string, inc wire.Incarnation) raft.Server {
	address := wire.Address(name, inc)
	return raft.Server{Suffrage: raft.Voter, ID: raft.ServerID(address), Address: address}
}

func majority(n int) int { return n/2 + 1 }
