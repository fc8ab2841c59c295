package imdgotest_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo/imdgotest"
)

// inBubble runs a test where time is exact: it passes only while everybody waits.
func inBubble(t *testing.T, test func(t *testing.T, fabric *imdgotest.Net)) {
	synctest.Test(t, func(t *testing.T) { test(t, newNet(t)) })
}

func TestDelayIsExact(t *testing.T) {
	inBubble(t, func(t *testing.T, fabric *imdgotest.Net) {
		start := time.Now()
		expectTook := func(want time.Duration) {
			t.Helper()
			if took := time.Since(start); took != want {
				t.Errorf("took %v; want %v", took, want)
			}
			start = time.Now()
		}
		fabric.Delay("n1", "n2", 20*time.Millisecond)
		n1, n2 := connect(t, fabric)
		expectTook(40 * time.Millisecond)
		write(t, n1, "a")
		time.Sleep(time.Millisecond)
		write(t, n1, "b")
		expectRead(t, n2, "a")
		expectTook(20 * time.Millisecond)
		expectRead(t, n2, "b")
		expectTook(time.Millisecond)
		fabric.DelayOneWay("n1", "n2", 0)
		write(t, n1, "c")
		expectRead(t, n2, "c")
		expectTook(0)
		n2.Close()
		expectReadError(t, n1, io.EOF)
		expectTook(20 * time.Millisecond)
	})
}

func TestShorterDelayKeepsOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, fabric *imdgotest.Net) {
		n1, n2 := connect(t, fabric)
		fabric.Delay("n1", "n2", time.Second)
		write(t, n1, "slow ")
		fabric.Delay("n1", "n2", 0)
		write(t, n1, "fast")
		expectRead(t, n2, "slow fast")
	})
}

// A cut delays what is under way and adds nothing to it.
func TestCutAndDelay(t *testing.T) {
	inBubble(t, func(t *testing.T, fabric *imdgotest.Net) {
		n1, n2 := connect(t, fabric)
		fabric.Delay("n1", "n2", time.Second)
		start := time.Now()
		write(t, n1, "x")
		fabric.Cut("n1", "n2")
		time.Sleep(time.Minute)
		fabric.Heal()
		expectRead(t, n2, "x")
		if took := time.Since(start); took != time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

// Blocked for an hour means blocked: no timer of the network's own lets go.
func TestCutLastsAnHour(t *testing.T) {
	inBubble(t, func(t *testing.T, fabric *imdgotest.Net) {
		listen(t, fabric, "n2", ":6701")
		n1, n2 := connect(t, fabric)
		fabric.Partition([]string{"n1"}, []string{"n2"})
		var done atomic.Int32
		go func() { n1.Read(make([]byte, 1)); done.Add(1) }()
		go func() { n2.Write(make([]byte, 2*held)); done.Add(1) }()
		go func() { fabric.Node("n1").Dial(t.Context(), "n2:6701"); done.Add(1) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := done.Load(); n != 0 {
			t.Errorf("%d calls returned", n)
		}
		fabric.Heal()
		io.ReadFull(n1, make([]byte, 2*held-1))
		synctest.Wait()
		if n := done.Load(); n != 3 {
			t.Errorf("%d calls returned after Heal", n)
		}
	})
}

func TestDeadlines(t *testing.T) {
	inBubble(t, func(t *testing.T, fabric *imdgotest.Net) {
		n1, n2 := connect(t, fabric)
		start := time.Now()
		n1.SetReadDeadline(start.Add(time.Second))
		n1.SetReadDeadline(start.Add(time.Minute)) // the first must not fire
		expectReadError(t, n1, os.ErrDeadlineExceeded)
		if took := time.Since(start); took != time.Minute {
			t.Errorf("took %v", took)
		}
		expectReadError(t, n1, os.ErrDeadlineExceeded)
		n1.SetReadDeadline(time.Time{})
		write(t, n2, "x")
		expectRead(t, n1, "x")

		go func() {
			time.Sleep(time.Second)
			n1.SetDeadline(time.Now()) // wakes who already waits
		}()
		_, err := n1.Read(make([]byte, 1))
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("read: %v", err)
		}
		if _, err := n1.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("write: %v", err)
		}
	})
}

// Writes of several goroutines do not mix, not even while the buffer is full.
func TestWritesStayTogether(t *testing.T) {
	inBubble(t, func(t *testing.T, fabric *imdgotest.Net) {
		n1, n2 := connect(t, fabric)
		const size, writers = 2 * held, 3
		for i := range writers {
			p := make([]byte, size)
			for j := range p {
				p[j] = byte(i)
			}
			go n1.Write(p)
		}
		got := make([]byte, size)
		for range writers {
			if _, err := io.ReadFull(n2, got); err != nil {
				t.Fatal(err)
			}
			for i, b := range got {
				if b != got[0] {
					t.Fatalf("byte %d is another writer's", i)
				}
			}
		}
	})
}
