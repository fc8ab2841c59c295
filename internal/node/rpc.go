package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/command"
)

// What an RPC of raft's may claim. All of it is far beyond what raft sends.
const (
	entriesMost       = 1024 // of one append: see raftConfig
	entryMost         = command.MaxPart + batchBytes
	configurationMost = 1 << 20
	addressMost       = 1 << 10 // ids, too
	// termMost leaves room for elections: a node that has taken over the highest
	// term there is could never stand again.
	termMost  = 1 << 48
	indexMost = 1 << 62
	// bodyPace is how much of a state must come in stalledFor.
	bodyPace = 64 << 10
)

// inbound is what comes for raft, as far as raft can take it. It believes what
// others say: an append without an entry, an entry of no type it knows, a gap in
// its log and a configuration that it cannot decode all end the process, and a
// state that does not come holds up everything else that it does.
//
// It does not tell a lie from the truth, and it does not bound what raft's
// decoder takes in for one RPC, before anything is known of it: whoever has got
// through the preamble can say that it leads.
type inbound struct {
	from    <-chan raft.RPC
	checked chan raft.RPC
	term    func() uint64 // raft's
	stalled func()        // closes the connections that a state may hang on
	log     logger
	drains  sync.WaitGroup
}

func newInbound(from <-chan raft.RPC, term func() uint64, stalled func(), log logger) *inbound {
	return &inbound{from: from, checked: make(chan raft.RPC), term: term, stalled: stalled, log: log}
}

// run passes on what raft can take, until ctx ends.
func (in *inbound) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case rpc := <-in.from:
			if !in.takes(&rpc) {
				continue
			}
			select {
			case in.checked <- rpc:
			case <-ctx.Done():
				return
			}
		}
	}
}

// takes reports whether raft can take an RPC. Otherwise it is answered here.
func (in *inbound) takes(rpc *raft.RPC) bool {
	err := checkRPC(rpc.Command)
	q, ok := rpc.Command.(*raft.InstallSnapshotRequest)
	if !ok {
		if err != nil {
			in.refuse(*rpc, nil, err)
		}
		return err == nil
	}
	rpc.Reader = &paced{from: rpc.Reader, left: stalledFor, stalled: in.stalled}
	switch {
	case err != nil:
		in.drain(*rpc, nil, err)
	case q.Term < in.term():
		// Raft would answer the same, and wait for all of the state first.
		in.drain(*rpc, &raft.InstallSnapshotResponse{Term: in.term()}, nil)
	default:
		return true
	}
	return false
}

func (in *inbound) refuse(rpc raft.RPC, response any, err error) {
	if err != nil {
		in.log.Debug("refusing what came for raft", "error", err)
	}
	rpc.Respond(response, err)
}

// drain answers when all of a state that is not wanted has been read: what
// follows on the connection must not be taken for RPCs. It ends with the
// connection, which the stream closes.
func (in *inbound) drain(rpc raft.RPC, response any, err error) {
	in.drains.Go(func() {
		_, failed := io.Copy(io.Discard, rpc.Reader)
		in.refuse(rpc, response, errors.Join(err, failed))
	})
}

// heartbeats checks what raft takes on a way of its own.
func (in *inbound) heartbeats(take func(raft.RPC)) func(raft.RPC) {
	return func(rpc raft.RPC) {
		if err := checkRPC(rpc.Command); err != nil {
			in.refuse(rpc, nil, err)
			return
		}
		take(rpc)
	}
}

// paced is a state that is being received. It must come at a pace, or raft waits
// for it while it does nothing else, also when it has lost interest in it.
type paced struct {
	from    io.Reader
	stalled func()
	came    int           // of the present portion
	left    time.Duration // for the rest of that
}

// Read implements io.Reader. Only the time that is spent in it counts.
func (p *paced) Read(b []byte) (int, error) {
	began := time.Now()
	watch := time.AfterFunc(p.left, p.stalled)
	n, err := p.from.Read(b)
	watch.Stop()
	p.left -= time.Since(began)
	if p.came += n; p.came >= bodyPace {
		p.came, p.left = 0, stalledFor
	}
	return n, err
}

var errImplausible = errors.New("implausible")

// checkRPC reports what raft could not take of an RPC.
func checkRPC(c any) error {
	err := fmt.Errorf("%w: %T", errImplausible, c)
	switch q := c.(type) {
	case *raft.AppendEntriesRequest:
		//lint:ignore SA1019 raft goes by it where the header says nothing
		if err = checkPlace(q.RPCHeader, q.Term, q.PrevLogEntry, q.Leader); err == nil {
			err = checkEntries(q)
		}
	case *raft.InstallSnapshotRequest:
		if err = checkPlace(q.RPCHeader, q.Term, q.LastLogIndex, q.Leader); err == nil {
			err = checkSnapshot(q)
		}
	case *raft.RequestVoteRequest:
		//lint:ignore SA1019 likewise
		err = checkPlace(q.RPCHeader, q.Term, q.LastLogIndex, q.Candidate)
	case *raft.RequestPreVoteRequest:
		err = checkPlace(q.RPCHeader, q.Term, q.LastLogIndex, nil)
	case *raft.TimeoutNowRequest:
		err = checkPlace(q.RPCHeader, 0, 0, nil)
	}
	return err
}

// checkPlace looks at what all RPCs have: from whom they are and of when.
func checkPlace(h raft.RPCHeader, term, index uint64, name []byte) error {
	if term > termMost || index > indexMost || len(h.ID) > addressMost || len(h.Addr) > addressMost || len(name) > addressMost {
		return fmt.Errorf("%w: term %d, index %d, ids of %d, %d and %d bytes", errImplausible,
			term, index, len(h.ID), len(h.Addr), len(name))
	}
	return nil
}

// checkEntries makes sure that an append goes on where it says that it does.
// Raft goes by the indexes of entries, and by that none is missing.
func checkEntries(q *raft.AppendEntriesRequest) error {
	if len(q.Entries) > entriesMost {
		return fmt.Errorf("%w: %d entries", errImplausible, len(q.Entries))
	}
	next := q.PrevLogEntry
	for _, e := range q.Entries {
		if next++; e == nil || e.Index != next || e.Term > q.Term || len(e.Data) > entryMost || len(e.Extensions) > addressMost {
			return fmt.Errorf("%w: there is no entry %d that could be appended in term %d", errImplausible, next, q.Term)
		}
		switch e.Type {
		case raft.LogCommand, raft.LogNoop, raft.LogBarrier:
		case raft.LogConfiguration:
			if err := checkConfiguration(e.Data); err != nil {
				return fmt.Errorf("entry %d: %w", e.Index, err)
			}
		default:
			return fmt.Errorf("%w: entry %d is of type %d", errImplausible, e.Index, e.Type)
		}
	}
	return nil
}

func checkSnapshot(q *raft.InstallSnapshotRequest) error {
	if q.SnapshotVersion != raft.SnapshotVersionMax || q.Size < 0 || q.LastLogTerm > q.Term || q.ConfigurationIndex > q.LastLogIndex {
		return fmt.Errorf("%w: snapshot of version %d, %d bytes, at %d of term %d", errImplausible,
			q.SnapshotVersion, q.Size, q.LastLogIndex, q.LastLogTerm)
	}
	return checkConfiguration(q.Configuration)
}

// checkConfiguration tries what raft will do.
func checkConfiguration(b []byte) (err error) {
	if len(b) > configurationMost {
		return fmt.Errorf("%w: configuration of %d bytes", errImplausible, len(b))
	}
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w: configuration: %v", errImplausible, cause)
		}
	}()
	if len(raft.DecodeConfiguration(b).Servers) == 0 {
		return fmt.Errorf("%w: configuration of nobody", errImplausible)
	}
	return nil
}
