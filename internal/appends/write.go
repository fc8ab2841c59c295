package appends

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// WriteHello begins a connection of this leader's. It is buffered.
func WriteHello(w *bufio.Writer, leader raft.RPCHeader) error {
	b := append(w.AvailableBuffer(), byte(leader.ProtocolVersion))
	b, err := appendShort(b, leader.ID)
	if err == nil {
		b, err = appendShort(b, leader.Addr)
	}
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

func appendShort(dst, s []byte) ([]byte, error) {
	if len(s) > nameMost {
		return dst, fmt.Errorf("a name of %d bytes, where %d is the most", len(s), nameMost)
	}
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...), nil
}

// WriteRequest writes q. It is buffered. The header of q is not sent: see
// WriteHello.
func WriteRequest(w *bufio.Writer, q *raft.AppendEntriesRequest) error {
	b := binary.BigEndian.AppendUint64(w.AvailableBuffer(), q.Term)
	b = binary.BigEndian.AppendUint64(b, q.PrevLogEntry)
	b = binary.BigEndian.AppendUint64(b, q.PrevLogTerm)
	b = binary.BigEndian.AppendUint64(b, q.LeaderCommitIndex)
	b = binary.BigEndian.AppendUint16(b, uint16(len(q.Entries)))
	if _, err := w.Write(b); err != nil {
		return err
	}
	for i, e := range q.Entries {
		if at := q.PrevLogEntry + 1 + uint64(i); e.Index != at {
			return fmt.Errorf("entry %d where %d was expected", e.Index, at)
		}
		if err := writeEntry(w, e); err != nil {
			return err
		}
	}
	return nil
}

func writeEntry(w *bufio.Writer, e *raft.Log) error {
	b := append(w.AvailableBuffer(), byte(e.Type))
	b = binary.BigEndian.AppendUint64(b, e.Term)
	b = binary.BigEndian.AppendUint64(b, uint64(nanoseconds(e.AppendedAt)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(e.Extensions)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(e.Data)))
	if _, err := w.Write(b); err != nil {
		return err
	}
	if _, err := w.Write(e.Extensions); err != nil {
		return err
	}
	_, err := w.Write(e.Data)
	return err
}

// nanoseconds is a time in the form that it travels in; 0 is no time at all.
func nanoseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// WriteAnswer writes a. It is buffered.
func WriteAnswer(w *bufio.Writer, a *Answer) error {
	var set byte
	if a.Success {
		set |= flagSuccess
	}
	if a.NoRetryBackoff {
		set |= flagNoRetryBackoff
	}
	if a.Failure != "" {
		set |= flagFailed
	}
	b := binary.BigEndian.AppendUint64(append(w.AvailableBuffer(), set), a.Term)
	b = binary.BigEndian.AppendUint64(b, a.LastLog)
	if a.Failure != "" {
		b, _ = appendShort(b, []byte(a.Failure[:min(len(a.Failure), nameMost)])) // it is not too long
	}
	_, err := w.Write(b)
	return err
}
