package forward

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/inelpandzic/imdgo/internal/command"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const origin = 0xa11ce

// pipe and tcp are the connections that everything is tried over.
func pipe(testing.TB) (here, there net.Conn) { return net.Pipe() }

func tcp(t testing.TB) (here, there net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	here, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	there, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return here, there
}

func overBoth(t *testing.T, f func(t *testing.T, connect func(testing.TB) (net.Conn, net.Conn))) {
	t.Run("pipe", func(t *testing.T) { f(t, pipe) })
	t.Run("tcp", func(t *testing.T) { f(t, tcp) })
}

// from puts before frames what a connection begins with.
func from(frames []byte) []byte { return append(appendOrigin(nil, origin), frames...) }

// watched is a client, with what it was told.
type watched struct {
	*Client
	mu       sync.Mutex
	refusals []refusal
	broken   chan error // has room for more than the one that there may be
}

type refusal struct {
	first uint64
	why   command.Refusal
}

func watch(conn net.Conn, refused func(refusal)) *watched {
	w := &watched{broken: make(chan error, 8)}
	w.Client = NewClient(conn, origin, func(first uint64, why command.Refusal) {
		w.mu.Lock()
		w.refusals = append(w.refusals, refusal{first, why})
		w.mu.Unlock()
		refused(refusal{first, why})
	}, func(err error) { w.broken <- err })
	return w
}

// end closes the client and expects to have been told once that it is broken.
func (w *watched) end(t *testing.T) {
	t.Helper()
	w.Close()
	w.Close()
	if n := len(w.broken); n != 1 {
		t.Errorf("broken was called %d times", n)
	}
}

// Parts are submitted in the order in which they were sent, without waiting for
// each other, and a refusal reaches the part that it is about.
func TestPartsAndRefusals(t *testing.T) {
	overBoth(t, func(t *testing.T, connect func(testing.TB) (net.Conn, net.Conn)) {
		const n = 200
		here, there := connect(t)
		var refused sync.WaitGroup
		refused.Add(n / 2)
		client := watch(here, func(refusal) { refused.Done() })
		var submitted []uint64
		served := make(chan error, 1)
		var refusing sync.WaitGroup
		go func() {
			err := NewServer().Serve(t.Context(), there, func(p command.Part, refuse func(command.Refusal)) {
				if p.Origin != origin || p.Check() != nil {
					t.Errorf("submitted %+v, %v", p, p.Check())
				}
				submitted = append(submitted, p.First)
				if p.First%2 == 0 { // some time later, from another goroutine
					refusing.Go(func() { refuse(command.Refusal(1 + p.First/2%4)) })
				}
			})
			_ = there.Close()
			served <- err
		}()
		for i := range uint64(n) {
			p := markers(i+1, int(i%7))
			if i%50 == 0 {
				p = large(i+1, 1<<20)
			}
			if err := client.Send(&p); err != nil {
				t.Fatal(err)
			}
		}
		refused.Wait()
		client.end(t)
		err := <-served
		refusing.Wait()
		if err != nil {
			t.Errorf("serving ended with %v", err)
		}
		for i, first := range submitted {
			if first != uint64(i)+1 {
				t.Fatalf("part %d is %d", i, first)
			}
		}
		if len(submitted) != n {
			t.Errorf("%d parts of %d were submitted", len(submitted), n)
		}
		slices.SortFunc(client.refusals, func(a, b refusal) int { return int(a.first) - int(b.first) })
		for i, r := range client.refusals {
			if want := uint64(2*i) + 2; r.first != want || r.why != command.Refusal(1+want/2%4) {
				t.Fatalf("refusal %d is %+v", i, r)
			}
		}
	})
}

// A Submit that blocks holds back its origin.
func TestAnOriginIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		room := make(chan struct{})
		var submitted atomic.Int64
		done := make(chan error, 1)
		go func() {
			done <- NewServer().Serve(t.Context(), there, func(command.Part, func(command.Refusal)) {
				submitted.Add(1)
				<-room
			})
			_ = there.Close()
		}()
		client := watch(here, func(refusal) {})
		var sent atomic.Int64
		sending := make(chan error, 1)
		go func() {
			for i := range uint64(5) {
				p := large(i+1, 100<<10) // more than is buffered
				if err := client.Send(&p); err != nil {
					sending <- err
					return
				}
				sent.Add(1)
			}
			sending <- nil
		}()
		synctest.Wait()
		if submitted.Load() != 1 || sent.Load() > 1 {
			t.Errorf("%d parts submitted, %d sent, while there is no room", submitted.Load(), sent.Load())
		}
		close(room)
		if err := <-sending; err != nil {
			t.Error(err)
		}
		client.end(t)
		if err := <-done; err != nil || submitted.Load() != 5 {
			t.Errorf("%d parts submitted, error %v", submitted.Load(), err)
		}
	})
}

// However a connection ends, the client is told once, and Close then returns.
func TestBrokenIsCalledOnce(t *testing.T) {
	overBoth(t, func(t *testing.T, connect func(testing.TB) (net.Conn, net.Conn)) {
		for name, end := range map[string]func(*watched, net.Conn){
			"closed here":           func(w *watched, _ net.Conn) { w.Close() },
			"aborted here, twice":   func(w *watched, _ net.Conn) { w.Abort(); w.Abort() },
			"closed there":          func(_ *watched, there net.Conn) { _ = there.Close() },
			"an answer that is bad": func(_ *watched, there net.Conn) { _, _ = there.Write([]byte("HTTP/1.1 400 Bad Request")) },
			"half an answer": func(_ *watched, there net.Conn) {
				_, _ = there.Write(appendRefusal(nil, 1, command.Full)[:5])
				_ = there.Close()
			},
		} {
			t.Run(name, func(t *testing.T) {
				here, there := connect(t)
				client := watch(here, func(r refusal) { t.Errorf("refused %+v", r) })
				end(client, there)
				err := <-client.broken
				if err == nil {
					t.Error("broken without an error")
				}
				client.broken <- err // for end to count
				client.end(t)
				p := markers(1, 1)
				if client.Send(&p) == nil {
					t.Error("a part was sent all the same")
				}
				_ = there.Close()
			})
		}
	})
}

// broken's error tells a bad answer from a connection that ended.
func TestBrokenSaysWhy(t *testing.T) {
	here, there := net.Pipe()
	client := watch(here, func(refusal) {})
	_, _ = there.Write(make([]byte, refusalSize))
	if err := <-client.broken; !errors.Is(err, ErrFrame) {
		t.Errorf("after rubbish: %v", err)
	}
	client.Close()
	_ = there.Close()
}

// Abort frees a Send that hangs on a server that does not read.
func TestAbortFreesAHangingSend(t *testing.T) {
	t.Run("pipe", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			here, there := net.Pipe()
			client := watch(here, func(refusal) {})
			sent := make(chan error, 1)
			go func() { p := markers(1, 1); sent <- client.Send(&p) }()
			synctest.Wait() // it hangs
			began := time.Now()
			client.Abort()
			if err := <-sent; !errors.Is(err, io.ErrClosedPipe) || time.Since(began) > 0 {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
			client.end(t)
			_ = there.Close()
		})
	})
	t.Run("tcp", func(t *testing.T) {
		here, there := tcp(t)
		client := watch(here, func(refusal) {})
		sent := make(chan error, 1)
		go func() { p := large(1, command.MaxOp-64); sent <- client.Send(&p) }()
		if _, err := there.Read(make([]byte, 1)); err != nil { // it has begun, and is more than any buffer holds
			t.Error(err)
		}
		client.Abort()
		if err := <-sent; errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(err, net.ErrClosed) {
			t.Errorf("the hanging part: %v", err)
		}
		client.end(t)
		_ = there.Close()
	})
}

// A server that does not read makes Send fail in the end, and then the
// connection is over: half a frame may be out.
func TestASendTakesNoLongerThanItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		client := watch(here, func(refusal) {})
		began := time.Now()
		p := large(1, 1000)
		if err := client.Send(&p); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != writeTimeout {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		<-client.broken
		client.broken <- nil // for end to count
		client.end(t)
		if n, err := there.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the other side reads %d bytes, %v", n, err)
		}
		_ = there.Close()
	})
}

// An origin that reads no refusals loses its connection, which tells it that
// nothing is certain.
func TestARefusalTakesNoLongerThanItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		served := make(chan error, 1)
		var took time.Duration
		go func() {
			served <- NewServer().Serve(t.Context(), there, func(_ command.Part, refuse func(command.Refusal)) {
				began := time.Now()
				refuse(command.Full)
				refuse(command.Full) // which the contract does not allow, but must not hang either
				took = time.Since(began)
			})
		}()
		_, _ = here.Write(from(frameOf(markers(1, 1))))
		if err := <-served; took != refusalTimeout {
			t.Errorf("refusing took %v, serving ended with %v", took, err)
		}
		if _, err := here.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the origin reads %v", err)
		}
	})
}

// Only an end between two parts is a proper one.
func TestServeSaysHowItEnded(t *testing.T) {
	overBoth(t, func(t *testing.T, connect func(testing.TB) (net.Conn, net.Conn)) {
		frame, hello := from(frameOf(markers(1, 3))), originSize
		for name, c := range map[string]struct {
			sent []byte
			want error
			n    int
		}{
			"nothing":              {nil, nil, 0},
			"half an origin":       {frame[:5], io.ErrUnexpectedEOF, 0},
			"no origin":            {frame[hello:], ErrFrame, 0},
			"origin 0":             {appendOrigin(nil, 0), ErrFrame, 0},
			"an origin":            {frame[:hello], nil, 0},
			"a part":               {frame, nil, 1},
			"half a head":          {frame[:hello+20], io.ErrUnexpectedEOF, 0},
			"a head":               {frame[:hello+partHead], io.ErrUnexpectedEOF, 0},
			"a part and half one":  {append(slices.Clone(frame), frame[hello:len(frame)-1]...), io.ErrUnexpectedEOF, 1},
			"a part and no frame":  {append(slices.Clone(frame), make([]byte, partHead)...), ErrFrame, 1},
			"a part that is wrong": {from(frameOf(markers(0, 1))), ErrFrame, 0},
		} {
			t.Run(name, func(t *testing.T) {
				here, there := connect(t)
				served := make(chan error, 1)
				submitted := 0
				go func() {
					served <- NewServer().Serve(t.Context(), there, func(command.Part, func(command.Refusal)) { submitted++ })
				}()
				_, _ = here.Write(c.sent)
				_ = here.Close()
				err := <-served
				if (c.want == nil) != (err == nil) || !errors.Is(err, c.want) || submitted != c.n {
					t.Errorf("%d parts submitted, error %v, want %d and %v", submitted, err, c.n, c.want)
				}
				_ = there.Close()
			})
		}
	})
}

// A refusal that comes when the connection is gone goes nowhere.
func TestRefusingAfterTheEnd(t *testing.T) {
	here, there := tcp(t)
	var refuse func(command.Refusal)
	served := make(chan error, 1)
	go func() {
		served <- NewServer().Serve(t.Context(), there, func(_ command.Part, r func(command.Refusal)) { refuse = r })
	}()
	_, _ = here.Write(from(frameOf(markers(1, 1))))
	_ = here.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
	_ = there.Close()
	refuse(command.NotLeader)
}
