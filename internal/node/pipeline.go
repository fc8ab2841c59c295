package node

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// transport is raft's, with pipelines that cannot hang for ever, appends that are
// bounded in bytes, and inbound for what comes from others.
type transport struct {
	*raft.NetworkTransport
	life    context.Context
	inbound *inbound
	news    *news
	begun   func() // raft's goroutines are about to run
}

// Consumer implements raft.Transport.
func (t transport) Consumer() <-chan raft.RPC { return t.inbound.rpcs }

// SetHeartbeatHandler implements raft.Transport. It is the last thing that
// raft.NewRaft does by itself (raft 1.8.0).
func (t transport) SetHeartbeatHandler(take func(raft.RPC)) {
	t.begun()
	t.inbound.beat.Store(&take)
}

// AppendEntriesPipeline implements raft.Transport.
func (t transport) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := t.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return newPipeline(t.life, p, t.news), nil
}

// appendMost is what the entries of one append take beyond the first: raft would
// send 64, however large they are, and give them five seconds.
const appendMost = 8 << 20

// trim leaves out what is too much for one append. Raft goes on from what was
// sent, which it looks up in the request.
func trim(q *raft.AppendEntriesRequest) {
	size := 0
	for i, e := range q.Entries {
		if size += len(e.Data); i > 0 && size > appendMost {
			q.Entries = q.Entries[:i]
			return
		}
	}
}

// AppendEntries implements raft.Transport.
func (t transport) AppendEntries(id raft.ServerID, target raft.ServerAddress, q *raft.AppendEntriesRequest,
	resp *raft.AppendEntriesResponse) error {
	trim(q)
	return t.NetworkTransport.AppendEntries(id, target, q, resp)
}

// pipeline closes itself when a request hangs, and when its life ends.
//
// The schedule it is for (raft 1.8.0): the follower refuses request 1, and
// raft's decoder leaves. The response to request 2 waits for it for ever, and
// request 3, which was being sent, for the response to be taken. The pipeline
// would be closed by who sends: that follower gets nothing any more, and
// Shutdown never ends. At the latest a leader that another one has replaced
// comes upon it.
type pipeline struct {
	raft.AppendPipeline
	hangs *time.Timer // stopped between requests, of which there is one at a time
	stop  func() bool // ends the wait for the life's end
	news  *news

	// turn, of one, is taken while a request is sent; it guards what is below. (Whoever
	// waits for a mutex holds up the time of a synctest bubble.)
	turn chan struct{}
	form raft.AppendEntriesRequest // what all requests begin with: of one leader, in one term
	sent uint64                    // the last entry that has gone this way, 0: none is known
	told uint64                    // what the follower knows to be committed

	due    atomic.Pointer[place] // what it should know
	wake   chan struct{}         // when it may be told
	ended  chan struct{}
	once   sync.Once
	teller sync.WaitGroup
}

func newPipeline(life context.Context, p raft.AppendPipeline, news *news) *pipeline {
	closePipeline := func() { _ = p.Close() } // it returns nil
	hangs := time.AfterFunc(time.Hour, closePipeline)
	hangs.Stop()
	q := &pipeline{AppendPipeline: p, hangs: hangs, stop: context.AfterFunc(life, closePipeline), news: news,
		turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), ended: make(chan struct{})}
	q.teller.Go(q.tellOn)
	news.add(q)
	return q
}

// AppendEntries implements raft.AppendPipeline. It waits for the response to an
// earlier request, which raft bounds by raftTimeout.
func (p *pipeline) AppendEntries(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	trim(args)
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	p.form = *args
	p.form.Entries = nil
	f, err := p.send(args, resp)
	if due := p.due.Load(); err == nil && due != nil && due.index > p.told && due.index <= p.sent {
		notify(p.wake) // it was committed after the request had been made
	}
	return f, err
}

func (p *pipeline) send(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	p.hangs.Reset(2 * raftTimeout)
	defer p.hangs.Stop()
	f, err := p.AppendPipeline.AppendEntries(args, resp)
	if err == nil {
		p.sent = max(p.sent, args.PrevLogEntry+uint64(len(args.Entries)))
		p.told = max(p.told, min(p.sent, args.LeaderCommitIndex))
	}
	return f, err
}

// Close implements raft.AppendPipeline.
func (p *pipeline) Close() error {
	p.stop()
	err := p.AppendPipeline.Close()
	p.news.remove(p)
	p.once.Do(func() { close(p.ended) })
	p.teller.Wait()
	return err
}
