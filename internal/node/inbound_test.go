package node

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/appends"
	"github.com/inelpandzic/imdgo/internal/wire"
)

func header() raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("a:1/0000000000000001"), Addr: []byte("a:1/0000000000000001")}
}

func configuration() []byte {
	return raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{server("a:1", 1)}})
}

// appending is what leaders send, with whatever is wrong.
func appending(wrong func(*raft.AppendEntriesRequest)) *raft.AppendEntriesRequest {
	q := &raft.AppendEntriesRequest{RPCHeader: header(), Term: 7, PrevLogEntry: 4, PrevLogTerm: 6, LeaderCommitIndex: 4,
		Entries: []*raft.Log{{Index: 5, Term: 6, Type: raft.LogCommand, Data: []byte("x")}, {Index: 6, Term: 7, Type: raft.LogNoop},
			{Index: 7, Term: 7, Type: raft.LogConfiguration, Data: configuration()}, {Index: 8, Term: 7, Type: raft.LogBarrier}}}
	wrong(q)
	return q
}

func installs(wrong func(*raft.InstallSnapshotRequest)) *raft.InstallSnapshotRequest {
	q := &raft.InstallSnapshotRequest{RPCHeader: header(), SnapshotVersion: 1, Term: 7, LastLogIndex: 9, LastLogTerm: 6,
		Configuration: configuration(), ConfigurationIndex: 7, Size: 100}
	wrong(q)
	return q
}

// malformed are RPCs that raft must never be given.
func malformed() map[string]any {
	long := bytes.Repeat([]byte("x"), addressMost+1)
	appending, installs := func(wrong func(*raft.AppendEntriesRequest)) any { return appending(wrong) },
		func(wrong func(*raft.InstallSnapshotRequest)) any { return installs(wrong) }
	return map[string]any{
		"no entry":       appending(func(q *raft.AppendEntriesRequest) { q.Entries[1] = nil }),
		"a gap":          appending(func(q *raft.AppendEntriesRequest) { q.Entries[1].Index = 9 }),
		"a gap at first": appending(func(q *raft.AppendEntriesRequest) { q.PrevLogEntry = 0 }),
		"into the void": appending(func(q *raft.AppendEntriesRequest) {
			q.PrevLogEntry, q.Entries, q.LeaderCommitIndex = 0, []*raft.Log{{Index: 1000, Term: 7, Type: raft.LogNoop}}, 1000
		}),
		"entries of a later term": appending(func(q *raft.AppendEntriesRequest) { q.Term = 6 }),
		"too many entries":        appending(func(q *raft.AppendEntriesRequest) { q.Entries = make([]*raft.Log, entriesMost+1) }),
		"too large an entry":      appending(func(q *raft.AppendEntriesRequest) { q.Entries[0].Data = make([]byte, entryMost+1) }),
		"too large extensions":    appending(func(q *raft.AppendEntriesRequest) { q.Entries[0].Extensions = long }),
		"another type":            appending(func(q *raft.AppendEntriesRequest) { q.Entries[0].Type = 77 }),
		"a type of former times":  appending(func(q *raft.AppendEntriesRequest) { q.Entries[0].Type = raft.LogAddPeerDeprecated }),
		"no configuration":        appending(func(q *raft.AppendEntriesRequest) { q.Entries[2].Data = []byte{0xc1, 0xff} }),
		"a configuration of none": appending(func(q *raft.AppendEntriesRequest) { q.Entries[2].Data = raft.EncodeConfiguration(raft.Configuration{}) }),
		"a last term":             appending(func(q *raft.AppendEntriesRequest) { q.Term = math.MaxUint64 }),
		"a last index":            appending(func(q *raft.AppendEntriesRequest) { q.PrevLogEntry, q.Entries = math.MaxUint64, nil }),
		"a long address":          appending(func(q *raft.AppendEntriesRequest) { q.Addr = long }),
		"a long id":               appending(func(q *raft.AppendEntriesRequest) { q.ID = long }),
		//lint:ignore SA1019 raft goes by it where the header says nothing
		"a long leader": appending(func(q *raft.AppendEntriesRequest) { q.Leader = long }),
		"a heartbeat of a last term": appending(func(q *raft.AppendEntriesRequest) {
			q.Term, q.PrevLogEntry, q.PrevLogTerm, q.LeaderCommitIndex, q.Entries = math.MaxUint64, 0, 0, 0, nil
		}),

		"a state of another version":    installs(func(q *raft.InstallSnapshotRequest) { q.SnapshotVersion = 0 }),
		"a state without configuration": installs(func(q *raft.InstallSnapshotRequest) { q.Configuration = nil }),
		"a state with a bad one":        installs(func(q *raft.InstallSnapshotRequest) { q.Configuration = []byte("no") }),
		"a state with a large one":      installs(func(q *raft.InstallSnapshotRequest) { q.Configuration = make([]byte, configurationMost+1) }),
		"a state of less than nothing":  installs(func(q *raft.InstallSnapshotRequest) { q.Size = -1 }),
		"a state of a last term":        installs(func(q *raft.InstallSnapshotRequest) { q.Term = math.MaxUint64 }),
		"a state of a last index":       installs(func(q *raft.InstallSnapshotRequest) { q.LastLogIndex = math.MaxUint64 }),
		"a state of a later term":       installs(func(q *raft.InstallSnapshotRequest) { q.LastLogTerm = 8 }),
		"a state before its voters":     installs(func(q *raft.InstallSnapshotRequest) { q.ConfigurationIndex = 10 }),
		"a candidate of a last term":    &raft.RequestVoteRequest{RPCHeader: header(), Term: math.MaxUint64},
		//lint:ignore SA1019 likewise
		"a candidate with a long name":    &raft.RequestVoteRequest{RPCHeader: header(), Term: 7, Candidate: long},
		"a pre-candidate of a last term":  &raft.RequestPreVoteRequest{RPCHeader: header(), Term: math.MaxUint64},
		"a pre-candidate of a last index": &raft.RequestPreVoteRequest{RPCHeader: header(), Term: 7, LastLogIndex: math.MaxUint64},
		"an end with a long id":           &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ID: long}},
		"something else":                  &raft.AppendEntriesResponse{},
	}
}

func TestWhatRaftIsGiven(t *testing.T) {
	heartbeat := &raft.AppendEntriesRequest{RPCHeader: header(), Term: 7}
	for _, q := range []any{appending(func(*raft.AppendEntriesRequest) {}), heartbeat, installs(func(*raft.InstallSnapshotRequest) {}),
		&raft.RequestVoteRequest{RPCHeader: header(), Term: 7}, &raft.RequestPreVoteRequest{RPCHeader: header(), Term: 7},
		&raft.TimeoutNowRequest{RPCHeader: header()}} {
		if err := checkRPC(q); err != nil {
			t.Errorf("%T: %v", q, err)
		}
	}
	for name, q := range malformed() {
		if err := checkRPC(q); !errors.Is(err, errImplausible) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// attacked is a node, alone in its cluster, and somebody who has got through its
// preamble.
type attacked struct {
	*testing.T
	node *Node
	port *wire.Port
	pre  wire.Preamble
	name string
}

func attack(t *testing.T) *attacked {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &attacked{T: t, name: listener.Addr().String(), port: wire.Open(wire.Config{Addr: "127.0.0.1:1"})}
	a.node, err = New(Config{Name: a.name, Listener: listener, Network: wire.TCP{}, Clock: SystemClock{},
		Timeout: time.Second, LogLimit: 1 << 20, Logger: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	l := a.node.life.Load()
	a.pre = wire.Preamble{Purpose: wire.Raft, Cluster: l.cluster(), Target: l.inc, Origin: wire.NewIncarnation()}
	t.Cleanup(a.end)
	return a
}

func (a *attacked) end() {
	if err := errors.Join(a.port.Close(), a.node.Close()); err != nil {
		a.Error(err)
	}
}

// as is raft's transport of the attacker.
func (a *attacked) as() *raft.NetworkTransport {
	stream := a.port.Stream(func() wire.ClusterID { return a.pre.Cluster }, a.pre.Origin)
	trans := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{MaxPool: 1, Timeout: 5 * time.Second,
		Stream: stream, Logger: hclog.NewNullLogger()})
	a.Cleanup(func() { _ = trans.Close() })
	return trans
}

// answers makes sure that raft does, if the node goes on: to a candidate of long
// ago, which it refuses.
func (a *attacked) answers(trans *raft.NetworkTransport) {
	a.Helper()
	var r raft.RequestVoteResponse
	err := trans.RequestVote("", wire.Address(a.name, a.pre.Target), &raft.RequestVoteRequest{RPCHeader: header()}, &r)
	if (err != nil || r.Granted) && a.goesOn() {
		a.Fatalf("raft does not answer as it should: granted %v, %v", r.Granted, err)
	}
}

func (a *attacked) send(trans *raft.NetworkTransport, q any) error {
	to := wire.Address(a.name, a.pre.Target)
	switch q := q.(type) {
	case *raft.AppendEntriesRequest:
		return trans.AppendEntries("", to, q, new(raft.AppendEntriesResponse))
	case *raft.InstallSnapshotRequest:
		body := strings.NewReader(strings.Repeat("\x00", int(max(q.Size, 0))))
		return trans.InstallSnapshot("", to, q, new(raft.InstallSnapshotResponse), body)
	case *raft.RequestVoteRequest:
		return trans.RequestVote("", to, q, new(raft.RequestVoteResponse))
	case *raft.RequestPreVoteRequest:
		return trans.RequestPreVote("", to, q, new(raft.RequestPreVoteResponse))
	case *raft.TimeoutNowRequest:
		return trans.TimeoutNow("", to, q, new(raft.TimeoutNowResponse))
	}
	return errImplausible // it cannot be sent
}

// None of it costs the node its raft, or the process.
func TestMalformedRPCsAreRefused(t *testing.T) {
	a := attack(t)
	trans := a.as()
	for name, q := range malformed() {
		if name == "too many entries" { // which raft's own encoder cannot send
			continue
		}
		if err := a.send(trans, q); err == nil {
			t.Errorf("%s: it was taken", name)
		}
		a.answers(trans)
	}
	if _, err := a.node.Do(t.Context(), 10, setOf("v")); err != nil {
		t.Error(err)
	}
}

// kept is a connection that keeps what is written to it.
type kept struct {
	net.Conn
	to *bytes.Buffer
}

func (k kept) Write(b []byte) (int, error)      { return k.to.Write(b) }
func (k kept) Read([]byte) (int, error)         { return 0, io.EOF }
func (k kept) Close() error                     { return nil }
func (k kept) SetDeadline(time.Time) error      { return nil }
func (k kept) SetReadDeadline(time.Time) error  { return nil }
func (k kept) SetWriteDeadline(time.Time) error { return nil }

// bytesOf is a well-formed RPC as it travels.
func bytesOf(a *attacked, q any) []byte {
	var b bytes.Buffer
	trans := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{MaxPool: 1, Timeout: time.Second,
		Stream: keeping{kept{to: &b}}, Logger: hclog.NewNullLogger()})
	defer func() { _ = trans.Close() }()
	_ = a.send(trans, q) // there is nobody to answer it
	return b.Bytes()
}

// keeping is a raft.StreamLayer to a kept connection.
type keeping struct{ kept }

func (keeping) Accept() (net.Conn, error)                                  { return nil, io.EOF }
func (keeping) Addr() net.Addr                                             { return new(net.TCPAddr) }
func (k keeping) Dial(raft.ServerAddress, time.Duration) (net.Conn, error) { return k.kept, nil }

// pipelined is an append as it travels on a pipeline.
func pipelined(q *raft.AppendEntriesRequest) []byte {
	var b bytes.Buffer
	b.WriteByte(kindAppends)
	w := bufio.NewWriter(&b)
	if errors.Join(appends.WriteHello(w, q.RPCHeader), appends.WriteRequest(w, q), w.Flush()) != nil {
		return nil // it cannot be written
	}
	return b.Bytes()
}

// What raft must not be given does not come to it through pipelines either.
func TestMalformedAppendsAreRefused(t *testing.T) {
	a := attack(t)
	trans := a.as()
	for name, q := range malformed() {
		q, ok := q.(*raft.AppendEntriesRequest)
		if !ok || name == "too many entries" || name == "no entry" {
			continue
		}
		b := pipelined(q)
		if b == nil {
			continue
		}
		conn, err := a.port.Dial(t.Context(), a.name, a.pre)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := appends.ReadAnswer(bufio.NewReader(conn), new(appends.Answer)); err == nil {
			//lint:ignore SA1019 what it says is not sent
			if len(q.Leader) <= addressMost {
				t.Errorf("%s: it was answered", name)
			}
		}
		_ = conn.Close()
		a.answers(trans)
	}
}

// goesOn reports whether the node is still the one that was attacked: it may have
// taken an entry that it cannot apply, which ends it, or a configuration without
// it, after which it begins another life.
func (a *attacked) goesOn() bool {
	l := a.node.life.Load()
	return l != nil && l.inc == a.pre.Target && l.ctx.Err() == nil
}

// RPCs of every type, with a byte or two changed: what raft's decoder makes of
// them is anything that it can. A node may come to believe that there are other
// leaders, voters and entries; the process goes on, and raft with it.
func TestGarbledRPCsDoNotEndTheProcess(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	a := attack(t)
	trans := a.as()
	leads := func(term uint64) *raft.AppendEntriesRequest { // overrules all that the node has logged
		return appending(func(q *raft.AppendEntriesRequest) {
			q.Term, q.PrevLogEntry, q.PrevLogTerm, q.LeaderCommitIndex, q.Entries = term, 0, 0, 3, q.Entries[1:]
			for i, e := range q.Entries {
				e.Index, e.Term = uint64(i)+1, term
			}
		})
	}
	for i := range uint64(400) {
		if !a.goesOn() {
			a.end()
			a = attack(t)
			trans = a.as()
		}
		var good []byte
		switch term := 10 + i; i % 8 {
		case 0:
			good = bytesOf(a, installs(func(q *raft.InstallSnapshotRequest) { q.Term = term }))
		case 1:
			good = bytesOf(a, &raft.RequestVoteRequest{RPCHeader: header(), Term: term})
		case 2:
			good = bytesOf(a, &raft.RequestPreVoteRequest{RPCHeader: header(), Term: term})
		case 3:
			good = bytesOf(a, &raft.TimeoutNowRequest{RPCHeader: header()})
		case 4, 5:
			good = bytesOf(a, leads(term))
		default:
			good = pipelined(leads(term))
		}
		for range 1 + r.IntN(2) {
			good[r.IntN(len(good))] = byte(r.Uint32N(256))
		}
		conn, err := a.port.Dial(t.Context(), a.name, a.pre)
		if err != nil {
			continue // it has ended meanwhile
		}
		_, _ = conn.Write(good)
		if i%10 == 0 {
			_ = conn.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, _ = conn.Read(make([]byte, 1)) // or the attack would be over before it is read
			a.answers(trans)
		}
		_ = conn.Close()
	}
}

// Raft hears from whoever sends it a state first that this leads: see announce.
func TestWhoSendsAStateIsFollowed(t *testing.T) {
	in := newInbound(nil, nil, nil)
	var heard []any
	heeding := make(chan struct{})
	go func() {
		defer close(heeding)
		for range 2 {
			rpc := <-in.rpcs
			heard = append(heard, rpc.Command)
			rpc.Respond(nil, nil)
		}
	}()
	q := installs(func(*raft.InstallSnapshotRequest) {})
	if _, err := in.ask(raft.RPC{Command: q}); err != nil {
		t.Fatal(err)
	}
	in.stop()
	<-heeding
	if a, ok := heard[0].(*raft.AppendEntriesRequest); !ok || !isHeartbeat(a) || a.Term != q.Term || !bytes.Equal(a.Addr, q.Addr) || heard[1] != q {
		t.Errorf("raft hears %T %+v, %T", heard[0], heard[0], heard[1])
	}
}

// The schedule: somebody who leads no more, or never has, announces a state that
// never comes. Raft would wait for it, and for nothing else.
func TestAStateThatNeverComesDoesNotHoldRaftUp(t *testing.T) {
	a := attack(t)
	trans := a.as()
	for name, q := range map[string]*raft.InstallSnapshotRequest{
		"of a former term": installs(func(q *raft.InstallSnapshotRequest) { q.Term, q.LastLogTerm = 0, 0 }),
		"malformed":        installs(func(q *raft.InstallSnapshotRequest) { q.Configuration = nil }),
	} {
		begun := bytesOf(a, q)
		conn, err := a.port.Dial(t.Context(), a.name, a.pre)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(begun[:len(begun)-50]); err != nil {
			t.Fatal(err)
		}
		a.answers(trans)
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: it was answered", name)
		}
		_ = conn.Close()
	}
}

// Whoever says how long something is does not decide how much is read of it.
func TestAnRPCIsBounded(t *testing.T) {
	a := attack(t)
	conn, err := a.port.Dial(t.Context(), a.name, a.pre)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A map of one, whose key is as long as there can be one.
	if _, err := conn.Write([]byte{kindAppendEntries, 0x81, 0xdb, 0xff, 0xff, 0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	sent, piece := 0, make([]byte, 1<<20)
	for err == nil && sent < 4*rpcMost {
		var n int
		n, err = conn.Write(piece)
		sent += n
	}
	if err == nil {
		t.Errorf("%d MB of one RPC were read", sent>>20)
	}
	a.answers(a.as())
}

// However large entries are, an append is one that others read.
func TestAppendsAreTrimmed(t *testing.T) {
	of := func(sizes ...int) *raft.AppendEntriesRequest {
		return appending(func(q *raft.AppendEntriesRequest) {
			q.Entries = nil
			for i, n := range sizes {
				q.Entries = append(q.Entries, &raft.Log{Index: 5 + uint64(i), Data: make([]byte, n)})
			}
		})
	}
	for name, c := range map[string]struct {
		q    *raft.AppendEntriesRequest
		want int
	}{
		"nothing":             {of(), 0},
		"all small":           {of(make([]int, 64)...), 64},
		"just enough":         {of(appendMost/2, appendMost/2), 2},
		"one too many":        {of(appendMost/2, appendMost/2, 1), 2},
		"one that is large":   {of(appendMost+1, 1), 1},
		"a large one at last": {of(1, entryMost), 1},
	} {
		if trim(c.q); len(c.q.Entries) != c.want {
			t.Errorf("%s: %d entries are left", name, len(c.q.Entries))
		}
	}
}

// A state comes at a pace, or its connection is closed.
func TestAStateHasAPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			portion int
			every   time.Duration
			stalls  time.Duration // 0: it does not
		}{
			"as fast as it must be": {bodyPace, stalledFor - time.Second, 0},
			"nothing":               {1, time.Hour, stalledFor},
			"a byte now and then":   {1, 1500 * time.Millisecond, stalledFor},
		} {
			here, there := net.Pipe()
			began := time.Now()
			var stalled time.Duration
			p := &paced{from: here, left: stalledFor, stalled: func() { stalled = time.Since(began); _ = here.Close() }}
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range 20 {
					time.Sleep(c.every)
					if _, err := there.Write(make([]byte, c.portion)); err != nil {
						return
					}
				}
				_ = there.Close()
			}()
			_, _ = io.Copy(io.Discard, p)
			<-done
			if stalled != c.stalls {
				t.Errorf("%s: it stalled after %v", name, stalled)
			}
		}
	})
}
