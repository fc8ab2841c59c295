package wire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/wire"
)

func inCluster() wire.ClusterID { return cluster }

// wantConnected dials from one stream to the other and wants a word to come through both ways. It returns both ends.
func wantConnected(t *testing.T, from, to *wire.Stream, address raft.ServerAddress) (near, far net.Conn) {
	t.Helper()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := to.Accept()
		accepted <- c
	}()
	near, err := from.Dial(address, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	far = <-accepted
	if far == nil {
		t.Fatal("nothing was accepted")
	}
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	wantWord(t, near, far)
	wantWord(t, far, near)
	return near, far
}

func wantWord(t *testing.T, from, to net.Conn) {
	t.Helper()
	sent := make(chan error, 1)
	go func() {
		_, err := from.Write([]byte("word"))
		sent <- err
	}()
	b := make([]byte, 4)
	if _, err := io.ReadFull(to, b); err != nil || string(b) != "word" {
		t.Fatalf("got %q, %v", b, err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

func TestStreamsAreRoutedByIncarnation(t *testing.T) {
	p, addr := open(t, wire.Config{})
	first, second := p.Stream(inCluster, 1), p.Stream(inCluster, 2)
	from := openDialer(t, wire.Config{}).Stream(inCluster, bob)
	for inc, to := range map[wire.Incarnation]*wire.Stream{1: first, 2: second} {
		_, far := wantConnected(t, from, to, wire.Address(addr, inc))
		if cl, origin := wire.Peer(far); cl != cluster || origin != bob {
			t.Errorf("came from %v of %v, want %v of %v", origin, cl, bob, cluster)
		}
	}
	for _, inc := range []wire.Incarnation{0, 3} {
		_, err := from.Dial(wire.Address(addr, inc), time.Minute)
		var refused *wire.RefusedError
		if !errors.As(err, &refused) || refused.Refusal != wire.WrongIncarnation || refused.Incarnation != alice {
			t.Errorf("dial of %v: %v", inc, err)
		}
	}
}

func TestStreamAddr(t *testing.T) {
	p, addr := open(t, wire.Config{})
	if got, want := p.Stream(inCluster, alice).Addr().String(), string(wire.Address(addr, alice)); got != want {
		t.Errorf("Addr() = %q, want %q", got, want)
	}
}

func TestStreamDialRefusesAddressWithoutIncarnation(t *testing.T) {
	p, addr := open(t, wire.Config{})
	if _, err := p.Stream(inCluster, alice).Dial(raft.ServerAddress(addr), time.Minute); err == nil {
		t.Error("dialed")
	}
}

func TestClosedStreamTakesItsConnectionsAlong(t *testing.T) {
	p, addr := open(t, wire.Config{})
	q, otherAddr := open(t, wire.Config{})
	stream, stays := p.Stream(inCluster, 1), p.Stream(inCluster, 2)
	other := q.Stream(inCluster, bob)
	in, accepted := wantConnected(t, other, stream, wire.Address(addr, 1))
	dialed, out := wantConnected(t, stream, other, wire.Address(otherAddr, bob))
	selfNear, selfFar := wantConnected(t, stream, stream, wire.Address(addr, 1))
	near, far := wantConnected(t, other, stays, wire.Address(addr, 2))
	waiting := mustDial(t, q, addr, wire.Preamble{Purpose: wire.Raft, Target: 1}) // nobody accepts it

	for _, handler := range []net.Conn{accepted, selfFar} {
		go func() { _, _ = io.Copy(io.Discard, handler); _ = handler.Close() }()
	}
	within(t, "Close", func() { _ = stream.Close() })
	for _, c := range []net.Conn{in, out, waiting} {
		wantEnd(t, c)
	}
	for _, c := range []net.Conn{dialed, selfNear} {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("a connection of the closed stream still reads")
		}
	}
	wantWord(t, near, far) // the other stream's
	wantClosedStream(t, stream, addr, otherAddr)
	wantRefused(t, q, addr, wire.Preamble{Purpose: wire.Raft, Target: 1}, wire.WrongIncarnation)
}

// wantClosedStream wants that s, of incarnation 1 at addr, does nothing any more.
func wantClosedStream(t *testing.T, s *wire.Stream, addr, otherAddr string) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := s.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
	for _, address := range []raft.ServerAddress{wire.Address(addr, 1), wire.Address(otherAddr, bob)} {
		if _, err := s.Dial(address, time.Minute); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Dial %s: %v", address, err)
		}
	}
}

func TestStreamCloseWaitsForHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := openDialer(t, wire.Config{}).Stream(inCluster, alice)
		_, far := wantConnected(t, stream, stream, wire.Address("", alice))
		start, busy := time.Now(), 300*time.Millisecond
		var gone atomic.Bool
		go func() {
			_, _ = io.Copy(io.Discard, far)
			time.Sleep(busy)
			gone.Store(true)
			_ = far.Close()
		}()
		_ = stream.Close()
		if took := time.Since(start); took != busy || !gone.Load() {
			t.Errorf("Close returned after %v, the handler had ended: %v", took, gone.Load())
		}
	})
}

func TestStreamCloseDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := openDialer(t, wire.Config{}).Stream(inCluster, alice)
		wantConnected(t, stream, stream, wire.Address("", alice)) // its handler never closes it
		start := time.Now()
		_ = stream.Close()
		if took := time.Since(start); took != wire.StreamCloseLimit {
			t.Errorf("Close took %v", took)
		}
	})
}

func TestStreamDialIsCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := openDialer(t, wire.Config{Network: blackHole}).Stream(inCluster, alice)
		for asked, want := range map[time.Duration]time.Duration{
			0: wire.StreamDialLimit, 10 * time.Second: wire.StreamDialLimit, time.Millisecond: time.Millisecond,
		} {
			for _, address := range []raft.ServerAddress{wire.Address("there", bob), wire.Address("here", alice)} {
				start := time.Now()
				_, err := stream.Dial(address, asked)
				if took := time.Since(start); took != want || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("asked for %v, %s: %v after %v", asked, address, err, took)
				}
			}
		}
	})
}

func TestStreamCloseAbortsDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := openDialer(t, wire.Config{Network: silent(t, make(chan struct{}, 1))}).Stream(inCluster, alice)
		failed := make(chan error, 2)
		for _, address := range []raft.ServerAddress{wire.Address("there", bob), wire.Address("here", alice)} {
			go func() {
				_, err := stream.Dial(address, time.Minute)
				failed <- err
			}()
		}
		synctest.Wait()
		start := time.Now()
		_ = stream.Close()
		for range 2 {
			if err := <-failed; !errors.Is(err, net.ErrClosed) {
				t.Errorf("got %v", err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

// The schedule of the package comment: the node begins a new life after Admit and before the registration.
func TestStreamClosedAfterAdmission(t *testing.T) {
	var stream *wire.Stream
	var life atomic.Uint64
	life.Store(uint64(alice))
	p, addr := open(t, wire.Config{
		Identity: func() (wire.ClusterID, wire.Incarnation) { return cluster, wire.Incarnation(life.Load()) },
		Admit: func(wire.Preamble) wire.Refusal {
			_ = stream.Close()
			life.Store(uint64(bob))
			return wire.Admitted
		},
	})
	stream = p.Stream(inCluster, alice)
	dialer := openDialer(t, wire.Config{})
	refused := wantRefused(t, dialer, addr, wire.Preamble{Purpose: wire.Raft, Target: alice}, wire.WrongIncarnation)
	if refused.Incarnation != bob {
		t.Errorf("the reply names %v, want the new life %v", refused.Incarnation, bob)
	}
}

// The other one: after the registration and before the reply.
func TestStreamClosedBeforeTheReply(t *testing.T) {
	var stream *wire.Stream
	p, addr := open(t, wire.Config{Identity: func() (wire.ClusterID, wire.Incarnation) {
		_ = stream.Close()
		return cluster, alice
	}})
	stream = p.Stream(inCluster, alice)
	c, err := openDialer(t, wire.Config{}).Dial(patient(t), addr, wire.Preamble{Purpose: wire.Raft, Target: alice})
	if err == nil {
		_ = c.Close()
		t.Error("admitted to a closed stream")
	}
}

// The steps between which no test can reach: Close comes right before each of them.
func TestClosedStreamTakesNoConnection(t *testing.T) {
	stream := openDialer(t, wire.Config{}).Stream(inCluster, alice)
	_ = stream.Close()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	if stream.Register(near) {
		t.Error("registered")
	}
	if stream.HandOver(far) {
		t.Error("handed over")
	}
}

// A connection that nobody accepts gives its place back when its stream is closed.
func TestNextLifeFindsRoom(t *testing.T) {
	p, addr := open(t, wire.Config{MaxRaftConns: 1})
	first := p.Stream(inCluster, 1)
	dialer := openDialer(t, wire.Config{})
	waiting := mustDial(t, dialer, addr, wire.Preamble{Purpose: wire.Raft, Target: 1})
	_ = first.Close()
	wantEnd(t, waiting)
	p.Stream(inCluster, 2)
	eventually(t, "the next life's connection is admitted", func() bool {
		c, err := dialer.Dial(patient(t), addr, wire.Preamble{Purpose: wire.Raft, Target: 2})
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// Whatever the schedule, a connection that raft was given or that a dial returned is closed after Close, and none is left over.
// The census and goleak count.
func TestStreamCloseAgainstConnectionsInFlight(t *testing.T) {
	listener, err := wire.TCP{}.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counting := &census{Listener: listener}
	p, addr := open(t, wire.Config{Listener: counting})
	dialer := openDialer(t, wire.Config{})
	for inc := wire.Incarnation(1); inc <= 10; inc++ {
		raceClose(t, p, dialer, wire.Address(addr, inc))
	}
	eventually(t, "all connections are closed", func() bool { now, _ := counting.read(); return now == 0 })
	eventually(t, "nothing is kept", func() bool { conns, streams := p.Held(); return conns+streams == 0 })
}

func raceClose(t *testing.T, p, dialer *wire.Port, address raft.ServerAddress) {
	_, inc, _ := wire.SplitAddress(address)
	stream := p.Stream(inCluster, inc)
	from := dialer.Stream(inCluster, bob)
	var group sync.WaitGroup
	group.Go(func() {
		for {
			c, err := stream.Accept()
			if err != nil {
				return
			}
			group.Go(func() { _, _ = io.Copy(io.Discard, c); _ = c.Close() })
		}
	})
	started := make(chan struct{}, 8)
	for range cap(started) {
		group.Go(func() {
			started <- struct{}{}
			if c, err := from.Dial(address, time.Minute); err == nil {
				_, _ = io.Copy(io.Discard, c) // ends only because the stream is closed
				_ = c.Close()
			}
		})
	}
	<-started
	_ = stream.Close()
	within(t, "every end", group.Wait)
	_ = from.Close()
}
