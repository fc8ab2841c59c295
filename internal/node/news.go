package node

import (
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// news is what tells followers that something is committed, when nothing is about
// to be sent to them that would. Raft itself leaves it to a timer.
//
// What is said is no more than that an entry of a term is committed, which stays
// true whoever leads by then. (The leader's commit index at the moment of sending
// would not do: a leader that has been deposed and does not know it yet in all of
// its goroutines would tell of another's entries in the name of its own term.)
type news struct {
	wake      chan struct{} // the proposer, of one
	untold    atomic.Bool   // something is committed that is none of the proposer's
	changed   chan struct{} // of one: there is another pipeline, or one less
	mu        sync.Mutex    // guards pipelines
	pipelines map[*pipeline]struct{}
}

// place is an entry's, in the log.
type place struct{ index, term uint64 }

func newNews() *news {
	return &news{wake: make(chan struct{}, 1), changed: make(chan struct{}, 1), pipelines: make(map[*pipeline]struct{})}
}

func (n *news) add(p *pipeline) {
	n.mu.Lock()
	n.pipelines[p] = struct{}{}
	n.mu.Unlock()
	notify(n.changed)
}

func (n *news) remove(p *pipeline) {
	n.mu.Lock()
	delete(n.pipelines, p)
	n.mu.Unlock()
	notify(n.changed)
}

// watchPipelines has something sent when a pipeline has begun, of which nothing is
// known yet, or has ended: what was on its way there raft would send again with the
// next entry, or after its timer, and a batch may be waiting for it.
func (l *life) watchPipelines() {
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-l.news.changed:
			if l.leads() {
				l.raft.Barrier(enqueueTimeout) // its fate does not matter
			}
		}
	}
}

// configured hears that a configuration is committed.
func (n *news) configured() {
	n.untold.Store(true)
	notify(n.wake)
}

// tell has every follower told that the entry at a place is committed. It does not
// wait, and where the entry has yet to be sent it is told with it or after it.
func (n *news) tell(at place) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for p := range n.pipelines {
		p.due.Store(&at)
		notify(p.wake)
	}
}

// tellOn tells the follower what it should know. It has a goroutine of its own,
// because a follower that answers nothing would have the proposer wait.
func (p *pipeline) tellOn() {
	for {
		select {
		case <-p.ended:
			return
		case <-p.wake:
			p.tell()
		}
	}
}

func (p *pipeline) tell() {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-p.ended:
		return
	}
	due := p.due.Load()
	if due == nil || due.index <= p.told || due.index > p.sent {
		return
	}
	q := p.form
	q.PrevLogEntry, q.PrevLogTerm, q.LeaderCommitIndex = due.index, due.term, due.index
	// If it fails the pipeline has ended, which raft notices.
	_, _ = p.send(&q, new(raft.AppendEntriesResponse))
}
