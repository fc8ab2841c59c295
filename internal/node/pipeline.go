package node

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
)

// transport is raft's, with pipelines that cannot hang for ever, appends that are
// bounded in bytes, and inbound for what comes from others.
type transport struct {
	*raft.NetworkTransport
	life    context.Context
	inbound *inbound
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
	closePipeline := func() { _ = p.Close() } // it returns nil
	hangs := time.AfterFunc(time.Hour, closePipeline)
	hangs.Stop()
	return &pipeline{p, hangs, context.AfterFunc(t.life, closePipeline)}, nil
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
}

// AppendEntries implements raft.AppendPipeline. It waits for the response to an
// earlier request, which raft bounds by raftTimeout.
func (p *pipeline) AppendEntries(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	trim(args)
	p.hangs.Reset(2 * raftTimeout)
	defer p.hangs.Stop()
	return p.AppendPipeline.AppendEntries(args, resp)
}

// Close implements raft.AppendPipeline.
func (p *pipeline) Close() error {
	p.stop()
	return p.AppendPipeline.Close()
}
