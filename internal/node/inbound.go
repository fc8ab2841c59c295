package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/appends"
	"github.com/inelpandzic/imdgo/internal/wire"
)

const (
	// rpcMost is how many bytes one RPC takes, but for the state that follows an
	// InstallSnapshot. See trim.
	rpcMost = appendMost + entryMost + 1<<20
	// inboundBuffer is what raft's own transport takes.
	inboundBuffer = 256 << 10
	// believed is up to what number of elements, eight bytes each at the most, room
	// is made for what an RPC says it has before that has come. What is longer is
	// copied each time that as much again has come: at the decoder's own 256 KiB, an
	// entry of 31 MiB was copied 124 times, which took seconds.
	believed = 2 << 20
	// bodyPace is how much of a state must come in stalledFor.
	bodyPace = 64 << 10
)

// RPCs begin with a byte that says of what kind they are: see raft's net_transport.go.
const (
	kindAppendEntries = iota
	kindRequestVote
	kindInstallSnapshot
	kindTimeoutNow
	kindRequestPreVote
	// kindAppends is none of raft's: what follows is of package appends, until the
	// connection ends. See pipeline.
	kindAppends = 0x40
)

// inbound serves the connections that others have opened to raft, in place of
// raft.NetworkTransport, which serves those that this node opens: it bounds what
// it reads, and gives raft only what that can take. What is refused ends its
// connection.
//
// It is the raft.StreamLayer of that transport, with nothing to accept.
type inbound struct {
	*wire.Stream
	rpcs  chan raft.RPC
	beat  atomic.Pointer[func(raft.RPC)] // takes heartbeats, which raft answers also while it is busy
	term  func() uint64                  // raft's
	log   logger
	ctx   context.Context // done once Close has begun
	stop  context.CancelFunc
	conns sync.WaitGroup

	refusal func(command any) (raft.RPCResponse, bool) // answers what raft is not to be asked, if not nil
}

func newInbound(stream *wire.Stream, term func() uint64, log logger) *inbound {
	in := &inbound{Stream: stream, rpcs: make(chan raft.RPC), term: term, log: log}
	in.ctx, in.stop = context.WithCancel(context.Background())
	return in
}

// start begins to accept, when there is raft.
func (in *inbound) start() { in.conns.Go(in.accept) }

// Accept implements raft.StreamLayer.
func (in *inbound) Accept() (net.Conn, error) {
	<-in.ctx.Done()
	return nil, net.ErrClosed
}

// Close implements raft.StreamLayer: it closes the stream. wait waits for what it ends.
func (in *inbound) Close() error {
	in.stop()
	return in.Stream.Close()
}

func (in *inbound) wait() { in.conns.Wait() }

func (in *inbound) accept() {
	for {
		conn, err := in.Stream.Accept()
		if err != nil {
			return // it is closed
		}
		in.conns.Go(func() {
			defer conn.Close() // there is nothing left to say
			err := in.serve(conn)
			if !errors.Is(err, io.EOF) && in.ctx.Err() == nil {
				in.log.Debug("a connection for raft ended", "from", conn.RemoteAddr(), "error", err)
			}
		})
	}
}

// serve answers RPCs, one after the other, until one cannot be, and returns why.
func (in *inbound) serve(conn net.Conn) error {
	r := &bounded{Reader: bufio.NewReaderSize(conn, inboundBuffer)}
	w := bufio.NewWriter(conn)
	decoder := newDecoder(r)
	plain := new(codec.MsgpackHandle)
	plain.TimeNotBuiltin = true // as raft's own transport has it
	encoder := codec.NewEncoder(w, plain)
	for {
		kind, err := r.Reader.ReadByte()
		if err != nil {
			return err
		}
		if kind == kindAppends {
			return in.serveAppends(r.Reader, w)
		}
		rpc, err := in.read(kind, r, decoder)
		if err != nil {
			return err
		}
		answer, err := in.ask(rpc)
		if err != nil {
			return err
		}
		failure := ""
		if answer.Error != nil {
			failure = answer.Error.Error()
		}
		if err := errors.Join(encoder.Encode(failure), encoder.Encode(answer.Response), w.Flush()); err != nil {
			return err
		}
	}
}

func newDecoder(r *bounded) *codec.Decoder {
	h := new(codec.MsgpackHandle)
	h.MaxInitLen = believed
	return codec.NewDecoder(r, h)
}

// serveAppends answers what a leader appends.
func (in *inbound) serveAppends(r *bufio.Reader, w *bufio.Writer) error {
	from, err := appends.NewReader(r, appends.Limits{Entries: entriesMost, Bytes: rpcMost})
	if err != nil {
		return err
	}
	for {
		q, err := from.Read()
		if err != nil {
			return err
		}
		if err := checkRPC(q); err != nil {
			return err
		}
		answer, err := in.ask(raft.RPC{Command: q})
		if err != nil {
			return err
		}
		var a appends.Answer
		if response, ok := answer.Response.(*raft.AppendEntriesResponse); ok {
			a.AppendEntriesResponse = *response
		}
		if answer.Error != nil {
			a.Failure = answer.Error.Error()
		}
		if err := errors.Join(appends.WriteAnswer(w, &a), w.Flush()); err != nil {
			return err
		}
	}
}

// read reads an RPC of this kind, one that raft can take.
func (in *inbound) read(kind byte, r *bounded, decoder *codec.Decoder) (raft.RPC, error) {
	rpc := raft.RPC{Command: commandOf(kind)}
	if rpc.Command == nil {
		return rpc, fmt.Errorf("%w: RPC of kind %d", errImplausible, kind)
	}
	r.left = rpcMost
	if err := decoder.Decode(rpc.Command); err != nil {
		return rpc, err
	}
	if err := checkRPC(rpc.Command); err != nil {
		return rpc, err
	}
	if q, ok := rpc.Command.(*raft.InstallSnapshotRequest); ok {
		if term := in.term(); q.Term < term {
			// Raft would say so, and wait for all of the state first.
			return rpc, fmt.Errorf("a state of term %d, in term %d", q.Term, term)
		}
		rpc.Reader = &paced{from: io.LimitReader(r.Reader, q.Size), left: stalledFor, stalled: in.SeverInbound}
	}
	return rpc, nil
}

func commandOf(kind byte) any {
	switch kind {
	case kindAppendEntries:
		return new(raft.AppendEntriesRequest)
	case kindRequestVote:
		return new(raft.RequestVoteRequest)
	case kindInstallSnapshot:
		return new(raft.InstallSnapshotRequest)
	case kindTimeoutNow:
		return new(raft.TimeoutNowRequest)
	case kindRequestPreVote:
		return new(raft.RequestPreVoteRequest)
	}
	return nil
}

// ask has raft answer an RPC.
func (in *inbound) ask(rpc raft.RPC) (raft.RPCResponse, error) {
	if in.refusal != nil {
		if a, refused := in.refusal(rpc.Command); refused {
			return a, nil
		}
	}
	if q, ok := rpc.Command.(*raft.InstallSnapshotRequest); ok {
		if err := in.announce(q); err != nil {
			return raft.RPCResponse{}, err
		}
	}
	answer := make(chan raft.RPCResponse, 1)
	rpc.RespChan = answer
	if beat := in.beat.Load(); beat != nil && isHeartbeat(rpc.Command) {
		(*beat)(rpc)
	} else {
		select {
		case in.rpcs <- rpc:
		case <-in.ctx.Done():
			return raft.RPCResponse{}, net.ErrClosed
		}
	}
	select {
	case a := <-answer:
		return a, nil
	case <-in.ctx.Done():
		return raft.RPCResponse{}, net.ErrClosed
	}
}

// announce has raft follow whoever sends it a state before it receives that.
//
// The schedule it is for, in raft 1.8.0: a node that was cut off stands for election,
// and what it hears first of the leader of its term is that this sends it its state.
// Raft takes note of who leads, and goes on standing. The transfer breaks off, and the
// leader dies. From then on the node refuses everybody its vote, because there is a
// leader, which it would forget as a follower alone: of three, nobody is ever elected.
func (in *inbound) announce(q *raft.InstallSnapshotRequest) error {
	_, err := in.ask(raft.RPC{Command: &raft.AppendEntriesRequest{RPCHeader: q.RPCHeader, Term: q.Term}})
	return err
}

// isHeartbeat tells an append that says no more than that there is a leader.
func isHeartbeat(c any) bool {
	q, ok := c.(*raft.AppendEntriesRequest)
	return ok && q.Term != 0 && len(q.Addr) > 0 && q.PrevLogEntry == 0 && q.PrevLogTerm == 0 &&
		len(q.Entries) == 0 && q.LeaderCommitIndex == 0
}

// bounded is a connection of which only so much is read.
type bounded struct {
	*bufio.Reader
	left int
}

var errTooLong = fmt.Errorf("%w: an RPC of more than %d bytes", errImplausible, rpcMost)

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.Reader.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// ReadByte implements io.ByteReader.
func (b *bounded) ReadByte() (byte, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	c, err := b.Reader.ReadByte()
	if err == nil {
		b.left--
	}
	return c, err
}

// UnreadByte implements io.ByteScanner.
func (b *bounded) UnreadByte() error {
	b.left++
	return b.Reader.UnreadByte()
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
