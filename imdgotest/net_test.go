package imdgotest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo/imdgotest"
)

// What imdgo.WithNetwork and imdgo.WithClock take.
var (
	_ interface {
		Listen(addr string) (net.Listener, error)
		Dial(ctx context.Context, addr string) (net.Conn, error)
	} = (*imdgotest.NodeNet)(nil)
	_ interface {
		Now() time.Time
		Elapsed() time.Duration
	} = (*imdgotest.NodeClock)(nil)
)

// held is what one direction of a connection holds back before a writer waits.
const held = 256 << 10

// soon is long enough to fail loudly and never needed when all is well.
const soon = 10 * time.Second

// onBoth runs a test on a network in memory and on one over loopback TCP.
func onBoth(t *testing.T, test func(t *testing.T, fabric *imdgotest.Net)) {
	t.Run("memory", func(t *testing.T) { test(t, newNet(t)) })
	t.Run("loopback", func(t *testing.T) {
		fabric, err := imdgotest.NewLoopback()
		if err != nil {
			t.Fatal(err)
		}
		closeAfter(t, fabric)
		test(t, fabric)
	})
}

func newNet(t *testing.T) *imdgotest.Net {
	fabric := imdgotest.NewNet()
	closeAfter(t, fabric)
	return fabric
}

func closeAfter(t *testing.T, c io.Closer) {
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func listen(t *testing.T, fabric *imdgotest.Net, node, address string) net.Listener {
	t.Helper()
	l, err := fabric.Node(node).Listen(address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func dial(t *testing.T, fabric *imdgotest.Net, node, address string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	c, err := fabric.Node(node).Dial(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// connect returns a connection from n1 to n2 with both its ends.
func connect(t *testing.T, fabric *imdgotest.Net) (n1, n2 net.Conn) {
	t.Helper()
	l := listen(t, fabric, "n2", ":0")
	n1 = dial(t, fabric, "n1", l.Addr().String())
	n2, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return n1, n2
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func expectRead(t *testing.T, c net.Conn, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("read %q, %v; want %q", got, err, text)
	}
}

// expectSilence reads for a moment that is far longer than a delivery takes.
func expectSilence(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	defer c.SetReadDeadline(time.Time{})
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v; want silence", n, err)
	}
}

func expectReadError(t *testing.T, c net.Conn, want error) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, want) {
		t.Fatalf("read %d bytes, %v; want %v", n, err, want)
	}
}

// fill writes what a connection holds back, which must not block, and then until something stops it. It
// returns how much went in.
func fill(t *testing.T, c net.Conn) (total int) {
	t.Helper()
	p := make([]byte, held)
	for {
		n, err := c.Write(p)
		total += n
		if err != nil {
			c.SetWriteDeadline(time.Time{})
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("write: %v", err)
			}
			return total
		}
		c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	}
}

func TestAddresses(t *testing.T) {
	onBoth(t, func(t *testing.T, fabric *imdgotest.Net) {
		l := listen(t, fabric, "n1", "0.0.0.0:6701")
		if got := l.Addr().String(); got != "n1:6701" {
			t.Errorf("listens on %s", got)
		}
		_, err := fabric.Node("n2").Listen("n1:6701")
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("second listener: %v", err)
		}
		c := dial(t, fabric, "n2", "n1:6701")
		accepted, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if host, _, _ := net.SplitHostPort(accepted.RemoteAddr().String()); host != "n2" {
			t.Errorf("accepted from %s", host)
		}
		if c.LocalAddr().String() != accepted.RemoteAddr().String() || c.RemoteAddr().String() != "n1:6701" {
			t.Errorf("dialed from %s to %s", c.LocalAddr(), c.RemoteAddr())
		}
		l.Close()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close: %v", err)
		}
		listen(t, fabric, "n1", "n1:6701")
	})
}

func TestDialRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, fabric *imdgotest.Net) {
		_, err := fabric.Node("n1").Dial(t.Context(), "n2:6701")
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("nobody listens: %v", err)
		}
		if _, err := fabric.Node("n1").Dial(t.Context(), "n2"); err == nil {
			t.Error("an address without a port was dialed")
		}
	})
}

func TestCloseDelivers(t *testing.T) {
	onBoth(t, func(t *testing.T, fabric *imdgotest.Net) {
		n1, n2 := connect(t, fabric)
		write(t, n1, "last words")
		n1.Close()
		expectRead(t, n2, "last words")
		expectReadError(t, n2, io.EOF)
		expectReadError(t, n1, net.ErrClosed)
		if _, err := n1.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after Close: %v", err)
		}
		if err := n1.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("SetDeadline after Close: %v", err)
		}
	})
}

func TestListenerCloseResetsWaiting(t *testing.T) {
	onBoth(t, func(t *testing.T, fabric *imdgotest.Net) {
		l := listen(t, fabric, "n2", ":1")
		n1 := dial(t, fabric, "n1", "n2:1")
		l.Close()
		expectReadError(t, n1, syscall.ECONNRESET)
	})
}

// A peer that does not read stops the writer: at a known bound in memory, over TCP at what the
// kernel adds to it.
func TestBackPressure(t *testing.T) {
	onBoth(t, func(t *testing.T, fabric *imdgotest.Net) {
		n1, n2 := connect(t, fabric)
		n := fill(t, n1)
		if n > 16*held {
			t.Errorf("%d bytes are buffered", n)
		}
		n1.Close()
		if got, err := io.Copy(io.Discard, n2); err != nil || got != int64(n) {
			t.Errorf("%d of %d bytes arrived, %v", got, n, err)
		}
	})
}

func TestNetCloseEndsEverything(t *testing.T) {
	onBoth(t, func(t *testing.T, fabric *imdgotest.Net) {
		n1, n2 := connect(t, fabric)
		l := listen(t, fabric, "n3", ":1")
		fabric.Cut("n1", "n2")
		fabric.Isolate("n3")
		n1.Close() // its relay waits for the link

		errs := make(chan error, 3)
		go func() { _, err := n2.Read(make([]byte, 1)); errs <- err }()
		go func() { _, err := l.Accept(); errs <- err }()
		go func() { _, err := fabric.Node("n1").Dial(context.Background(), "n3:1"); errs <- err }()
		fabric.Close()
		for range cap(errs) {
			if err := <-errs; !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.ECONNRESET) {
				t.Error(err)
			}
		}
		if _, err := fabric.Node("n4").Listen(":1"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Listen after Close: %v", err)
		}
	})
}
