package wire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo/internal/wire"
)

func TestServeGetsPreambleAndConnection(t *testing.T) {
	got := make(chan wire.Preamble, 1)
	_, addr := open(t, wire.Config{Serve: func(pre wire.Preamble, c net.Conn) {
		got <- pre
		if cl, inc := wire.Peer(c); cl != pre.Cluster || inc != pre.Origin {
			t.Errorf("peer is %v, %v, want what the preamble says", cl, inc)
		}
		echo(pre, c)
	}})
	dialer := openDialer(t, wire.Config{})
	for _, purpose := range []wire.Purpose{wire.Forward, wire.Join, wire.Probe} {
		want := wire.Preamble{Purpose: purpose, Cluster: 7, Target: alice, Origin: bob}
		c := mustDial(t, dialer, addr, want)
		if pre := <-got; pre != want {
			t.Errorf("served %+v, want %+v", pre, want)
		}
		if cl, inc := wire.Peer(c); cl != cluster || inc != alice {
			t.Errorf("peer is %v, %v, want %v, %v", cl, inc, cluster, alice)
		}
		wantEcho(t, c)
	}
}

func TestPortClosesConnectionWhenServeReturns(t *testing.T) {
	_, addr := open(t, wire.Config{Serve: func(wire.Preamble, net.Conn) {}})
	wantEnd(t, mustDial(t, openDialer(t, wire.Config{}), addr, wire.Preamble{Purpose: wire.Probe}))
}

func TestRefusals(t *testing.T) {
	var verdict atomic.Uint32
	_, addr := open(t, wire.Config{Admit: func(wire.Preamble) wire.Refusal { return wire.Refusal(verdict.Load()) }})
	dialer := openDialer(t, wire.Config{})
	for _, want := range []wire.Refusal{wire.WrongIncarnation, wire.WrongCluster, wire.Busy, wire.ShuttingDown, 99} {
		verdict.Store(uint32(want))
		for purpose := wire.Raft; purpose <= wire.Probe; purpose++ {
			refused := wantRefused(t, dialer, addr, wire.Preamble{Purpose: purpose, Target: bob}, want)
			if refused.Incarnation != alice || refused.Cluster != cluster {
				t.Errorf("refused by %v of %v, want %v of %v", refused.Incarnation, refused.Cluster, alice, cluster)
			}
		}
	}
}

func TestUnknownPurposeIsRefusedWithoutAskingTheNode(t *testing.T) {
	_, addr := open(t, wire.Config{Admit: func(pre wire.Preamble) wire.Refusal {
		t.Errorf("asked for %v", pre.Purpose)
		return wire.Admitted
	}})
	dialer := openDialer(t, wire.Config{})
	for _, purpose := range []wire.Purpose{0, 5, 255} {
		wantRefused(t, dialer, addr, wire.Preamble{Purpose: purpose}, wire.UnknownPurpose)
	}
}

func TestReplyNamesWhoTheNodeIsNow(t *testing.T) {
	var now atomic.Uint64
	_, addr := open(t, wire.Config{
		Identity: func() (wire.ClusterID, wire.Incarnation) { return cluster, wire.Incarnation(now.Load()) },
	})
	dialer := openDialer(t, wire.Config{})
	for _, life := range []wire.Incarnation{1, 2} {
		now.Store(uint64(life))
		refused := wantRefused(t, dialer, addr, wire.Preamble{Purpose: wire.Raft, Target: 99}, wire.WrongIncarnation)
		if refused.Incarnation != life {
			t.Errorf("reply names %v, want %v", refused.Incarnation, life)
		}
	}
}

func TestBusyUntilAConnectionEnds(t *testing.T) {
	_, addr := open(t, wire.Config{MaxConns: 2})
	dialer := openDialer(t, wire.Config{})
	first := mustDial(t, dialer, addr, wire.Preamble{Purpose: wire.Forward})
	mustDial(t, dialer, addr, wire.Preamble{Purpose: wire.Join})
	wantRefused(t, dialer, addr, wire.Preamble{Purpose: wire.Probe}, wire.Busy)
	_ = first.Close()
	eventually(t, "a place is free again", func() bool {
		c, err := dialer.Dial(patient(t), addr, wire.Preamble{Purpose: wire.Probe})
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

func TestIdleConnectionsDoNotKeepRaftOut(t *testing.T) {
	p, addr := open(t, wire.Config{MaxConns: 1, MaxRaftConns: 1})
	stream := p.Stream(inCluster, alice)
	dialer := openDialer(t, wire.Config{})
	mustDial(t, dialer, addr, wire.Preamble{Purpose: wire.Forward})
	wantRefused(t, dialer, addr, wire.Preamble{Purpose: wire.Forward}, wire.Busy)

	toAlice := wire.Preamble{Purpose: wire.Raft, Target: alice}
	mustDial(t, dialer, addr, toAlice)
	wantRefused(t, dialer, addr, toAlice, wire.Busy)
	c, err := stream.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close() // as raft's handler does: now its place is free
	mustDial(t, dialer, addr, toAlice)
}

func TestDialWantsAnImdgoNode(t *testing.T) {
	garbled := wire.EncodeReply(wire.Admitted, cluster, alice)
	garbled[10]++
	for name, answer := range map[string][]byte{
		"http":    []byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
		"garbled": garbled,
	} {
		t.Run(name, func(t *testing.T) {
			dialer := openDialer(t, wire.Config{Network: answering(t, answer)})
			if _, err := dialer.Dial(patient(t), "there", wire.Preamble{Purpose: wire.Probe}); !errors.Is(err, wire.ErrProtocol) {
				t.Errorf("got %v, want ErrProtocol", err)
			}
		})
	}
}

func TestDialFailsWhenTheOtherSideHangsUp(t *testing.T) {
	for name, answer := range map[string][]byte{"at once": nil, "within the reply": wire.EncodeReply(0, 0, 0)[:10]} {
		t.Run(name, func(t *testing.T) {
			dialer := openDialer(t, wire.Config{Network: answering(t, answer)})
			_, err := dialer.Dial(patient(t), "there", wire.Preamble{Purpose: wire.Probe})
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// answering is a network where everybody reads a preamble, answers with those bytes and hangs up.
func answering(t *testing.T, answer []byte) wire.Network {
	return network{dial: func(context.Context, string) (net.Conn, error) {
		near, far := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer far.Close()
			_, _ = io.ReadFull(far, make([]byte, wire.PreambleSize))
			_, _ = far.Write(answer)
		}()
		t.Cleanup(func() { _ = far.Close(); <-done })
		return near, nil
	}}
}

// silent is a network where everybody reads all and never answers; heard says that a preamble has arrived.
func silent(t *testing.T, heard chan<- struct{}) wire.Network {
	return network{dial: func(context.Context, string) (net.Conn, error) {
		near, far := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.ReadFull(far, make([]byte, wire.PreambleSize))
			heard <- struct{}{}
			_, _ = io.Copy(io.Discard, far)
		}()
		t.Cleanup(func() { _ = far.Close(); <-done })
		return near, nil
	}}
}

func TestDialIsAborted(t *testing.T) {
	for _, test := range []struct {
		name  string
		abort func(p *wire.Port, cancel func())
		want  error
	}{
		{"by its context", func(_ *wire.Port, cancel func()) { cancel() }, context.Canceled},
		{"by Close", func(p *wire.Port, _ func()) { _ = p.Close() }, net.ErrClosed},
	} {
		t.Run(test.name, func(t *testing.T) {
			heard := make(chan struct{}, 1)
			dialer := openDialer(t, wire.Config{Network: silent(t, heard), HandshakeTimeout: time.Hour})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			failed := make(chan error, 1)
			go func() {
				_, err := dialer.Dial(ctx, "there", wire.Preamble{Purpose: wire.Probe})
				failed <- err
			}()
			<-heard
			test.abort(dialer, cancel)
			within(t, "Dial", func() {
				if err := <-failed; !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
			})
		})
	}
}

func TestConnectingIsAborted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialer := openDialer(t, wire.Config{Network: blackHole})
		failed := make(chan error, 1)
		dial := func(ctx context.Context) {
			_, err := dialer.Dial(ctx, "there", wire.Preamble{Purpose: wire.Probe})
			failed <- err
		}
		ctx, cancel := context.WithCancel(t.Context())
		go dial(ctx)
		synctest.Wait()
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: got %v", err)
		}
		go dial(t.Context())
		synctest.Wait()
		_ = dialer.Close()
		if err := <-failed; !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed: got %v", err)
		}
	})
}

func TestDialTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialer := openDialer(t, wire.Config{Network: silent(t, make(chan struct{}, 2))})
		start := time.Now()
		_, err := dialer.Dial(t.Context(), "there", wire.Preamble{Purpose: wire.Probe})
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != wire.DefaultHandshakeTimeout {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		start = time.Now()
		_, err = dialer.Dial(ctx, "there", wire.Preamble{Purpose: wire.Probe})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Millisecond {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

func TestNoDeadlineAfterTheHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mem memory
		listener, _ := mem.Listen("alice")
		_, addr := open(t, wire.Config{Network: &mem, Listener: listener})
		c := mustDial(t, openDialer(t, wire.Config{Network: &mem}), addr, wire.Preamble{Purpose: wire.Forward})
		time.Sleep(24 * time.Hour)
		wantEcho(t, c)
	})
}

func TestDialNobody(t *testing.T) {
	dialer := openDialer(t, wire.Config{Network: &memory{}})
	if _, err := dialer.Dial(t.Context(), "there", wire.Preamble{}); !errors.Is(err, errNobody) {
		t.Errorf("got %v, want the network's own error", err)
	}
}

// stubborn is a listener whose Accept fails a few times before it does what it should.
type stubborn struct {
	net.Listener
	failures atomic.Int32
}

func (l *stubborn) Accept() (net.Conn, error) {
	if l.failures.Add(-1) >= 0 {
		return nil, errors.New("too many open files")
	}
	return l.Listener.Accept()
}

func TestAcceptErrorsAreOutlived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mem memory
		listener, _ := mem.Listen("alice")
		failing := &stubborn{Listener: listener}
		failing.failures.Store(20)
		start := time.Now()
		_, addr := open(t, wire.Config{Network: &mem, Listener: failing})
		c := mustDial(t, openDialer(t, wire.Config{Network: &mem}), addr, wire.Preamble{Purpose: wire.Probe})
		wantEcho(t, c)
		if waited := time.Since(start); waited < 10*time.Second || waited > 20*time.Second {
			t.Errorf("20 failures took %v: it should back off, up to 1 s", waited)
		}

		failing.failures.Store(1) // for the Accept after the one that is waiting
		start = time.Now()
		for range 2 {
			mustDial(t, openDialer(t, wire.Config{Network: &mem}), addr, wire.Preamble{Purpose: wire.Probe})
		}
		if waited := time.Since(start); waited > 10*time.Millisecond {
			t.Errorf("one failure later took %v: the back-off should start anew", waited)
		}
	})
}

func TestCloseEndsBackoff(t *testing.T) {
	listener, err := wire.TCP{}.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	failing := &stubborn{Listener: listener}
	failing.failures.Store(1 << 30)
	p, _ := open(t, wire.Config{Listener: failing})
	within(t, "Close", func() { _ = p.Close() })
}

func TestCloseWaitsForServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mem memory
		listener, _ := mem.Listen("alice")
		var served atomic.Bool
		p, addr := open(t, wire.Config{Network: &mem, Listener: listener, Serve: func(pre wire.Preamble, c net.Conn) {
			echo(pre, c)
			time.Sleep(time.Hour)
			served.Store(true)
		}})
		mustDial(t, openDialer(t, wire.Config{Network: &mem}), addr, wire.Preamble{Purpose: wire.Forward})
		for range 2 { // the second at the same time as the first
			go func() { _ = p.Close() }()
		}
		_ = p.Close()
		if !served.Load() {
			t.Error("Close did not wait for Serve")
		}
	})
}

func TestCloseEndsEverything(t *testing.T) {
	serving := make(chan struct{}, 1)
	p, addr := open(t, wire.Config{HandshakeTimeout: time.Hour, Serve: func(pre wire.Preamble, c net.Conn) {
		serving <- struct{}{}
		echo(pre, c)
	}})
	stream := p.Stream(inCluster, alice)
	other, otherAddr := open(t, wire.Config{})
	inbound := mustDial(t, other, addr, wire.Preamble{Purpose: wire.Forward})
	raft := mustDial(t, other, addr, wire.Preamble{Purpose: wire.Raft, Target: alice})
	outbound := mustDial(t, p, otherAddr, wire.Preamble{Purpose: wire.Forward})
	idle := rawDial(t, wire.TCP{}, addr)
	<-serving

	within(t, "Close", func() {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	for _, c := range []net.Conn{inbound, raft, outbound, idle} {
		wantEnd(t, c)
	}
	if _, err := stream.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
	wantClosedPort(t, p, addr, otherAddr)
}

// wantClosedPort wants that p, which was reached at addr, does nothing any more.
func wantClosedPort(t *testing.T, p *wire.Port, addr, otherAddr string) {
	t.Helper()
	if err := p.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := p.Dial(t.Context(), otherAddr, wire.Preamble{Purpose: wire.Probe}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Dial: %v", err)
	}
	if _, err := p.Stream(inCluster, bob).Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("new stream's Accept: %v", err)
	}
	if c, err := (wire.TCP{}).Dial(t.Context(), addr); err == nil {
		_ = c.Close()
		t.Error("the port still listens")
	}
}

func TestIPv6(t *testing.T) {
	listener, err := wire.TCP{}.Listen("[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 loopback: %v", err)
	}
	p, addr := open(t, wire.Config{Listener: listener})
	stream := p.Stream(inCluster, alice)
	bobs := openDialer(t, wire.Config{}).Stream(inCluster, bob)
	wantConnected(t, bobs, stream, wire.Address(addr, alice))
}
