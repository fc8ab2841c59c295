package node

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// pipes is a network of raft's transports within the process.
type pipes struct {
	ends map[raft.ServerAddress]chan net.Conn

	mu    sync.Mutex // guards conns
	conns []net.Conn
}

// pipeEnd is the raft.StreamLayer of one of them.
type pipeEnd struct {
	net    *pipes
	self   raft.ServerAddress
	closed chan struct{}
	once   sync.Once
}

func newPipes(addresses ...raft.ServerAddress) *pipes {
	p := &pipes{ends: make(map[raft.ServerAddress]chan net.Conn)}
	for _, a := range addresses {
		p.ends[a] = make(chan net.Conn)
	}
	return p
}

func (p *pipes) transport(self raft.ServerAddress) *raft.NetworkTransport {
	return raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:  &pipeEnd{net: p, self: self, closed: make(chan struct{})},
		MaxPool: 3, MaxRPCsInFlight: 2, Timeout: raftTimeout, Logger: hclog.NewNullLogger()})
}

func (p *pipes) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
}

func (e *pipeEnd) Network() string { return "pipe" }
func (e *pipeEnd) String() string  { return string(e.self) }
func (e *pipeEnd) Addr() net.Addr  { return e }
func (e *pipeEnd) Close() error    { e.once.Do(func() { close(e.closed) }); return nil }

func (e *pipeEnd) Accept() (net.Conn, error) {
	select {
	case c := <-e.net.ends[e.self]:
		return c, nil
	case <-e.closed:
		return nil, io.EOF
	}
}

func (e *pipeEnd) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return e.net.dialer(to)("", timeout)
}

// dialer reaches one end, whoever is asked for.
func (p *pipes) dialer(to raft.ServerAddress) func(raft.ServerAddress, time.Duration) (net.Conn, error) {
	return func(_ raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
		here, there := net.Pipe()
		p.mu.Lock()
		p.conns = append(p.conns, here, there)
		p.mu.Unlock()
		select {
		case p.ends[to] <- there:
			return here, nil
		case <-time.After(timeout):
			return nil, context.DeadlineExceeded
		}
	}
}

// serve has in serve the connections to an end, until it is stopped.
func (p *pipes) serve(at raft.ServerAddress, in *inbound) {
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		select {
		case c := <-p.ends[at]:
			serving.Go(func() { _ = in.serve(c) })
		case <-in.ctx.Done():
			return
		}
	}
}

// recorded notes the pipelines that raft is given.
type recorded struct {
	raft.Transport
	mu        sync.Mutex
	pipelines []raft.AppendPipeline
}

func (r *recorded) AppendEntriesPipeline(id raft.ServerID, to raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := r.Transport.AppendEntriesPipeline(id, to)
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.pipelines = append(r.pipelines, p)
	}
	return p, err
}

func (r *recorded) all() []raft.AppendPipeline {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.pipelines)
}

// stopped is a logger that raft's decoder of responses waits in.
type stopped struct {
	hclog.Logger
	there, goOn chan struct{}
}

func (s *stopped) Error(msg string, _ ...any) {
	if msg == "peer has newer term, stopping replication" {
		close(s.there)
		<-s.goOn
	}
}

// follow plays a follower that takes everything, until it is in a later term. What
// comes through pipelines may come another way.
func follow(rpcs, pipelined <-chan raft.RPC, later <-chan struct{}, stop <-chan struct{}) {
	told := false
	for {
		var rpc raft.RPC
		select {
		case <-stop:
			return
		case rpc = <-rpcs:
		case rpc = <-pipelined:
		}
		switch q := rpc.Command.(type) {
		case *raft.RequestPreVoteRequest:
			rpc.Respond(&raft.RequestPreVoteResponse{Term: q.Term, Granted: !told}, nil)
		case *raft.RequestVoteRequest:
			rpc.Respond(&raft.RequestVoteResponse{Term: q.Term, Granted: !told}, nil)
		case *raft.AppendEntriesRequest:
			heartbeat := q.LeaderCommitIndex == 0 && len(q.Entries) == 0
			select {
			case <-later:
				if !told && !heartbeat {
					told = true
					rpc.Respond(&raft.AppendEntriesResponse{Term: q.Term + 1}, nil)
					continue
				}
			default:
			}
			rpc.Respond(&raft.AppendEntriesResponse{Term: q.Term, Success: true,
				LastLog: q.PrevLogEntry + uint64(len(q.Entries))}, nil)
		}
	}
}

// The schedule, in raft 1.8.0 with two requests in flight: a follower answers
// request 1 with a later term, and pipelineDecode leaves the loop in which it
// takes responses. Before it has said so by closing finishCh, decodeResponses
// has the response to request 2, which nobody takes from doneCh any more; so it
// takes nothing from inprogressCh any more either, and there pipelineSend is
// left with request 3. Only who calls AppendEntries would close the pipeline.
//
// pipelineDecode is held where it logs the later term, or it would be a matter of
// luck which of the two comes first. That the schedule is the right one is shown
// by leaving the mend out.
func TestARefusedPipelineDoesNotHang(t *testing.T) {
	for name, mended := range map[string]bool{"mended": true, "as raft has it": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playRefusedPipeline(t, mended) })
		})
	}
}

func playRefusedPipeline(t *testing.T, mended bool) {
	network := newPipes("a", "b", "c") // c is b, for pipelines
	here, there := network.transport("a"), network.transport("b")
	later, stop := make(chan struct{}), make(chan struct{})
	var running sync.WaitGroup
	in := newInbound(nil, nil, nil)
	running.Go(func() { follow(there.Consumer(), in.rpcs, later, stop) })
	trans := &recorded{Transport: here}
	if mended {
		trans.Transport = transport{here, t.Context(), network.dialer("c"), newInbound(nil, nil, nil), newNews(), func() {}}
		running.Go(func() { network.serve("c", in) })
	}
	defer func() {
		network.close()
		_, _ = here.Close(), there.Close()
		in.stop()
		close(stop)
		running.Wait()
	}()

	log := &stopped{hclog.NewNullLogger(), make(chan struct{}), make(chan struct{})}
	c := raft.DefaultConfig()
	c.LocalID, c.Logger = "a", log
	store := raft.NewInmemStore()
	leader, err := raft.NewRaft(c, nothing{}, store, store, raft.NewInmemSnapshotStore(), trans)
	if err != nil {
		t.Fatal(err)
	}
	servers := []raft.Server{{ID: "a", Address: "a"}, {ID: "b", Address: "b"}}
	if err := leader.BootstrapCluster(raft.Configuration{Servers: servers}).Error(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Second) // it has been elected, and appends through a pipeline
	if len(trans.all()) == 0 {
		t.Fatal("raft does not use a pipeline")
	}
	close(later)
	<-log.there                 // request 1 is answered
	time.Sleep(time.Second)     // requests 2 and 3 are sent every 50 ms
	close(log.goOn)             // and only now nobody takes responses any more
	time.Sleep(3 * raftTimeout) // of which raft's own timeouts do not get it out

	down := make(chan error, 1)
	running.Go(func() { down <- leader.Shutdown().Error() })
	select {
	case err := <-down:
		if err != nil {
			t.Error(err)
		}
		if !mended {
			t.Error("there is nothing to be mended")
		}
	case <-time.After(time.Minute):
		if mended {
			t.Error("raft does not shut down")
		}
		for _, p := range trans.all() {
			_ = p.Close()
		}
		<-down
	}
}

// nothing is a state machine without a state.
type nothing struct{ raft.FSM }

func (nothing) Apply(*raft.Log) any { return nil }
