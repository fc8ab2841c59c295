package node

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/command"
)

// What an RPC of raft's may claim. All of it is far beyond what raft sends.
const (
	entriesMost       = 1024 // of one append: see raftConfig
	entryMost         = command.MaxPart + 2*victimsMost
	configurationMost = 1 << 20
	addressMost       = 1 << 10 // ids, too
	// termMost leaves room for elections: a node that has taken over the highest
	// term there is could never stand again.
	termMost  = 1 << 48
	indexMost = 1 << 62
)

var errImplausible = errors.New("implausible")

// checkRPC reports what raft could not take of an RPC. Raft believes what others
// say: an append without an entry, an entry of no type it knows, a gap in its log
// and a configuration that it cannot decode all end the process. A lie that is
// well-formed is not told from the truth.
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
