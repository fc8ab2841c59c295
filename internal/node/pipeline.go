package node

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
)

// transport is raft's, with pipelines that cannot hang for ever and nothing
// coming in that raft cannot take.
type transport struct {
	*raft.NetworkTransport
	life    context.Context
	inbound *inbound
	begun   func() // raft's goroutines are about to run
}

// Consumer implements raft.Transport.
func (t transport) Consumer() <-chan raft.RPC { return t.inbound.checked }

// SetHeartbeatHandler implements raft.Transport. It is the last thing that
// raft.NewRaft does by itself (raft 1.8.0).
func (t transport) SetHeartbeatHandler(take func(raft.RPC)) {
	t.begun()
	t.NetworkTransport.SetHeartbeatHandler(t.inbound.heartbeats(take))
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
	p.hangs.Reset(2 * raftTimeout)
	defer p.hangs.Stop()
	return p.AppendPipeline.AppendEntries(args, resp)
}

// Close implements raft.AppendPipeline.
func (p *pipeline) Close() error {
	p.stop()
	return p.AppendPipeline.Close()
}
