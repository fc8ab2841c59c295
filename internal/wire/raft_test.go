package wire_test

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/wire"
)

// answerer answers RPCs as raft's main loop does, until the test ends.
func answerer(t *testing.T, transport *raft.NetworkTransport) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case rpc := <-transport.Consumer():
				answer(rpc)
			case <-quit:
				return
			}
		}
	}()
	t.Cleanup(func() { close(quit); <-done })
}

func answer(rpc raft.RPC) {
	switch req := rpc.Command.(type) {
	case *raft.AppendEntriesRequest:
		rpc.Respond(&raft.AppendEntriesResponse{Term: req.Term, LastLog: req.PrevLogEntry + uint64(len(req.Entries)), Success: true}, nil)
	case *raft.TimeoutNowRequest:
		rpc.Respond(&raft.TimeoutNowResponse{}, nil)
	}
}

// transport is a raft transport over a stream. It is closed before its stream, as raft does it.
func transport(t *testing.T, stream *wire.Stream) *raft.NetworkTransport {
	tr := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: stream, MaxPool: 2, Timeout: 10 * time.Second, Logger: hclog.NewNullLogger(),
	})
	answerer(t, tr)
	t.Cleanup(func() {
		_ = tr.Close()
		_ = stream.Close()
		eventually(t, "every handler of raft's has been heard of", stream.Drained)
	})
	return tr
}

func TestRaftTransport(t *testing.T) {
	p, _ := open(t, wire.Config{})
	q, addr := open(t, wire.Config{})
	from := transport(t, p.Stream(inCluster, alice))
	transport(t, q.Stream(inCluster, bob))
	target := wire.Address(addr, bob)

	entry := &raft.Log{Index: 11, Term: 3, Type: raft.LogCommand, Data: make([]byte, 1<<20)}
	req := &raft.AppendEntriesRequest{Term: 3, PrevLogEntry: 10, Entries: []*raft.Log{entry}}
	var resp raft.AppendEntriesResponse
	if err := from.AppendEntries("bob", target, req, &resp); err != nil || !resp.Success || resp.LastLog != 11 {
		t.Fatalf("AppendEntries: %+v, %v", resp, err)
	}
	wantPipeline(t, from, target, req)
	wantTimeoutNow(t, from)
}

func wantPipeline(t *testing.T, from *raft.NetworkTransport, target raft.ServerAddress, req *raft.AppendEntriesRequest) {
	t.Helper()
	pipeline, err := from.AppendEntriesPipeline("bob", target)
	if err != nil {
		t.Fatal(err)
	}
	defer pipeline.Close()
	for range 5 {
		if _, err := pipeline.AppendEntries(req, new(raft.AppendEntriesResponse)); err != nil {
			t.Fatal(err)
		}
		if f := <-pipeline.Consumer(); f.Error() != nil || !f.Response().Success {
			t.Fatalf("pipeline: %+v, %v", f.Response(), f.Error())
		}
	}
}

// wantTimeoutNow has the transport send a TimeoutNow to itself.
func wantTimeoutNow(t *testing.T, tr *raft.NetworkTransport) {
	t.Helper()
	req := &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: 3}}
	for range 3 {
		if err := tr.TimeoutNow("self", tr.LocalAddr(), req, new(raft.TimeoutNowResponse)); err != nil {
			t.Fatalf("TimeoutNow: %v", err)
		}
	}
}

func TestSelfDialWithoutAPort(t *testing.T) {
	wantTimeoutNow(t, transport(t, openDialer(t, wire.Config{}).Stream(inCluster, alice)))
}

// A whole raft.Raft of one voter, without a port: it elects itself, and everything it started ends.
func TestLoneRaft(t *testing.T) {
	stream := openDialer(t, wire.Config{}).Stream(inCluster, alice)
	tr := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: stream, MaxPool: 2, Timeout: time.Second, Logger: hclog.NewNullLogger(),
	})
	cfg := raft.DefaultConfig()
	cfg.LocalID, cfg.Logger = "alice", hclog.NewNullLogger()
	store := raft.NewInmemStore()
	r, err := raft.NewRaft(cfg, nil, store, store, raft.NewDiscardSnapshotStore(), tr)
	if err != nil {
		t.Fatal(err)
	}
	servers := []raft.Server{{ID: "alice", Address: tr.LocalAddr()}}
	if err := r.BootstrapCluster(raft.Configuration{Servers: servers}).Error(); err != nil {
		t.Fatal(err)
	}
	wantTimeoutNow(t, tr) // and no second of waiting for the election timer
	eventually(t, "leads itself", func() bool { return r.State() == raft.Leader })
	_ = tr.Close()
	_ = stream.Close()
	if err := r.Shutdown().Error(); err != nil {
		t.Fatal(err)
	}
}
