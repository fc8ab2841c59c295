package node

import (
	"context"
	"net"
	"time"

	"github.com/hashicorp/raft"
)

// transport is raft's, with pipelines of our own, appends that are bounded in
// bytes, and inbound for what comes from others.
type transport struct {
	*raft.NetworkTransport
	life    context.Context
	dial    func(raft.ServerAddress, time.Duration) (net.Conn, error)
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
//
// When its connection fails, those that raft keeps for later go as well, of which the
// ones to that node are no better. The schedule: a router forgets all connections;
// raft, without the pipeline, takes the next one, which fails, too, and waits for its
// timer; and there may be another one. (Raft can only close those to all nodes.)
func (t transport) AppendEntriesPipeline(_ raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	conn, err := t.dial(target, raftTimeout)
	if err != nil {
		return nil, err
	}
	return newPipeline(t.life, conn, t.CloseStreams, t.news), nil
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
