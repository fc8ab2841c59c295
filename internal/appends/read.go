package appends

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"
)

// Reader reads what a leader sends. Whatever it returns keeps to its limits and to
// this form; what raft makes of the numbers is another matter.
type Reader struct {
	from   *bufio.Reader
	limits Limits
	leader raft.RPCHeader
	head   [max(requestHead, entryHead)]byte
}

// NewReader reads the hello that a connection begins with.
func NewReader(from *bufio.Reader, limits Limits) (*Reader, error) {
	r := &Reader{from: from, limits: limits}
	version, err := from.ReadByte()
	if err != nil {
		return nil, fmt.Errorf("reading a leader's hello: %w", unexpected(err))
	}
	r.leader.ProtocolVersion = raft.ProtocolVersion(version)
	if r.leader.ID, err = readShort(from); err == nil {
		r.leader.Addr, err = readShort(from)
	}
	if err != nil {
		return nil, fmt.Errorf("reading a leader's hello: %w", err)
	}
	return r, nil
}

func readShort(from *bufio.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return nil, unexpected(err)
	}
	n := binary.BigEndian.Uint16(length[:])
	if n > nameMost {
		return nil, fmt.Errorf("%w: a name of %d bytes", ErrMalformed, n)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(from, b)
	return b, unexpected(err)
}

// unexpected is the end of a connection where it may not be.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Read returns the next request. What it points to is the caller's; io.EOF means
// that the connection has ended between two.
func (r *Reader) Read() (*raft.AppendEntriesRequest, error) {
	b := r.head[:requestHead]
	if _, err := io.ReadFull(r.from, b); err != nil {
		return nil, err
	}
	q := &raft.AppendEntriesRequest{RPCHeader: r.leader,
		Term:              binary.BigEndian.Uint64(b),
		PrevLogEntry:      binary.BigEndian.Uint64(b[8:]),
		PrevLogTerm:       binary.BigEndian.Uint64(b[16:]),
		LeaderCommitIndex: binary.BigEndian.Uint64(b[24:]),
	}
	n := int(binary.BigEndian.Uint16(b[32:]))
	if n > r.limits.Entries {
		return nil, fmt.Errorf("%w: %d entries", ErrMalformed, n)
	}
	if n == 0 {
		return q, nil
	}
	logs, left := make([]raft.Log, n), r.limits.Bytes
	q.Entries = make([]*raft.Log, n)
	for i := range logs {
		logs[i].Index = q.PrevLogEntry + 1 + uint64(i)
		if err := r.entry(&logs[i], &left); err != nil {
			return nil, fmt.Errorf("entry %d: %w", logs[i].Index, unexpected(err))
		}
		q.Entries[i] = &logs[i]
	}
	return q, nil
}

// entry reads one entry, of which left bytes may come.
func (r *Reader) entry(e *raft.Log, left *int) error {
	b := r.head[:entryHead]
	if _, err := io.ReadFull(r.from, b); err != nil {
		return err
	}
	e.Type = raft.LogType(b[0])
	e.Term = binary.BigEndian.Uint64(b[1:])
	if at := int64(binary.BigEndian.Uint64(b[9:])); at != 0 {
		e.AppendedAt = time.Unix(0, at)
	}
	extensions, data := int(binary.BigEndian.Uint16(b[17:])), uint64(binary.BigEndian.Uint32(b[19:]))
	if extensions > nameMost || data > uint64(*left) || extensions > *left-int(data) {
		return fmt.Errorf("%w: %d bytes, and extensions of %d", ErrMalformed, data, extensions)
	}
	*left -= extensions + int(data)
	var err error
	if e.Extensions, err = r.bytes(extensions); err != nil {
		return err
	}
	e.Data, err = r.bytes(int(data))
	return err
}

// bytes returns the next n bytes, nil if n is 0.
func (r *Reader) bytes(n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	b := make([]byte, min(n, believed))
	have := 0
	for {
		if _, err := io.ReadFull(r.from, b[have:]); err != nil {
			return nil, err
		}
		if have = len(b); have == n {
			return b, nil
		}
		more := make([]byte, min(n, 4*have)) // append would take a quarter beyond
		copy(more, b)
		b = more
	}
}

// ReadAnswer reads the next answer. io.EOF means that the connection has ended
// between two.
func ReadAnswer(from *bufio.Reader, a *Answer) error {
	head, err := from.Peek(answerHead)
	if err != nil {
		if len(head) > 0 {
			err = unexpected(err)
		}
		return err
	}
	set := head[0]
	if set > flags {
		return fmt.Errorf("%w: an answer with flags %x", ErrMalformed, set)
	}
	a.Success, a.NoRetryBackoff = set&flagSuccess != 0, set&flagNoRetryBackoff != 0
	a.Term, a.LastLog = binary.BigEndian.Uint64(head[1:]), binary.BigEndian.Uint64(head[9:])
	a.Failure = ""
	if _, err := from.Discard(answerHead); err != nil || set&flagFailed == 0 {
		return err
	}
	failure, err := readShort(from)
	a.Failure = string(failure)
	return err
}
