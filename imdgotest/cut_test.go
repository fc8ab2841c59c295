package imdgotest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo/imdgotest"
)

// Bytes keep their order and none is lost, whatever happens to the link while they are under way.
func TestStreamSurvivesFaults(t *testing.T) {
	onBoth(t, func(t *testing.T, fabric *imdgotest.Net) {
		n1, n2 := connect(t, fabric)
		sent := make([]byte, 1<<20)
		rand.NewChaCha8([32]byte{1}).Read(sent)
		go func() {
			for rest := sent; len(rest) > 0; {
				n := min(len(rest), 1+rand.IntN(20_000))
				n1.Write(rest[:n])
				rest = rest[n:]
			}
			n1.Close()
		}()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 50 {
				fabric.Cut("n2", "n1")
				fabric.Delay("n1", "n2", time.Duration(i%3)*100*time.Microsecond)
				fabric.Heal()
			}
		}()
		got, err := io.ReadAll(n2)
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%d of %d bytes arrived, or not the same ones: %v", len(got), len(sent), err)
		}
		<-done
	})
}

func TestCutHoldsBack(t *testing.T) {
	onBoth(t, func(t *testing.T, fabric *imdgotest.Net) {
		n1, n2 := connect(t, fabric)
		fabric.Cut("n1", "n2")
		fabric.Cut("n1", "n2")
		write(t, n1, "ping")
		write(t, n2, "pong")
		expectSilence(t, n1)
		expectSilence(t, n2)
		fabric.Heal()
		expectRead(t, n1, "pong")
		expectRead(t, n2, "ping")
	})
}

func TestCutOneWay(t *testing.T) {
	onBoth(t, func(t *testing.T, fabric *imdgotest.Net) {
		n1, n2 := connect(t, fabric)
		fabric.CutOneWay("n1", "n2")
		write(t, n1, "ping")
		write(t, n2, "pong")
		expectRead(t, n1, "pong")
		expectSilence(t, n2)
		fabric.Heal()
		expectRead(t, n2, "ping")
	})
}

// While a link is cut a writer is stopped at exactly what the documentation says, and all that it got
// rid of arrives afterwards.
func TestDeadlinesDuringCut(t *testing.T) {
	onBoth(t, func(t *testing.T, fabric *imdgotest.Net) {
		n1, n2 := connect(t, fabric)
		fabric.Cut("n1", "n2")
		expectSilence(t, n1)
		if n := fill(t, n1); n != held {
			t.Errorf("%d bytes are held back", n)
		}
		fabric.Heal()
		n1.Close()
		if got, err := io.Copy(io.Discard, n2); err != nil || got != held {
			t.Errorf("%d bytes arrived, %v", got, err)
		}
	})
}

func TestCloseDuringCut(t *testing.T) {
	onBoth(t, func(t *testing.T, fabric *imdgotest.Net) {
		n1, n2 := connect(t, fabric)
		fabric.Cut("n1", "n2")
		write(t, n1, "before")
		errs := make(chan error, 2)
		go func() { _, err := n1.Read(make([]byte, 1)); errs <- err }()
		go func() { _, err := n1.Write(make([]byte, 2*held)); errs <- err }()
		n1.Close()
		for range cap(errs) {
			if err := <-errs; !errors.Is(err, net.ErrClosed) {
				t.Errorf("blocked call: %v", err)
			}
		}
		expectSilence(t, n2) // half open
		write(t, n2, "into the void")
		fabric.Heal()
		expectRead(t, n2, "before")
	})
}

func TestDialAcrossCut(t *testing.T) {
	onBoth(t, func(t *testing.T, fabric *imdgotest.Net) {
		listen(t, fabric, "n2", ":6701")
		fabric.CutOneWay("n2", "n1") // the answer would be lost
		for _, address := range []string{"n2:6701", "n2:9"} {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
			defer cancel()
			_, err := fabric.Node("n1").Dial(ctx, address)
			var timeout net.Error
			if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("%s: %v", address, err)
			}
		}
		dialed := make(chan error, 1)
		go func() {
			_, err := fabric.Node("n1").Dial(t.Context(), "n2:6701")
			dialed <- err
		}()
		fabric.Heal()
		if err := <-dialed; err != nil {
			t.Errorf("after Heal: %v", err)
		}
	})
}

func TestWhoReachesWhom(t *testing.T) {
	type faults = func(*imdgotest.Net)
	all := "n1-n2 n1-n3 n2-n3 "
	for name, c := range map[string]struct {
		apply faults
		want  string
	}{
		"nothing":      {func(f *imdgotest.Net) {}, all},
		"cut":          {func(f *imdgotest.Net) { f.Cut("n1", "n3") }, "n1-n2 n2-n3 "},
		"isolate":      {func(f *imdgotest.Net) { f.Isolate("n2") }, "n1-n3 "},
		"partition":    {func(f *imdgotest.Net) { f.Partition([]string{"n1"}, []string{"n2", "n3"}) }, "n2-n3 "},
		"against rest": {func(f *imdgotest.Net) { f.Partition([]string{"n3"}) }, "n1-n2 "},
		"bridge":       {func(f *imdgotest.Net) { f.Partition([]string{"n1", "n2"}, []string{"n2", "n3"}) }, "n1-n2 n2-n3 "},
		"replaced":     {func(f *imdgotest.Net) { f.Partition([]string{"n3"}); f.Partition([]string{"n1"}) }, "n2-n3 "},
		"none left":    {func(f *imdgotest.Net) { f.Partition([]string{"n3"}); f.Partition() }, all},
		"itself":       {func(f *imdgotest.Net) { f.Cut("n1", "n1") }, all},
		"healed": {func(f *imdgotest.Net) {
			f.Isolate("n1")
			f.Cut("n2", "n3")
			f.Partition([]string{"n3"})
			f.Heal()
		}, all},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, fabric *imdgotest.Net) {
				for _, node := range []string{"n1", "n2", "n3"} {
					listen(t, fabric, node, ":1")
				}
				c.apply(fabric)
				dial(t, fabric, "n1", ":1")
				if got := reachable(fabric); got != c.want {
					t.Errorf("got %s; want %s", got, c.want)
				}
			})
		})
	}
}

func reachable(fabric *imdgotest.Net) (links string) {
	for _, pair := range [][2]string{{"n1", "n2"}, {"n1", "n3"}, {"n2", "n3"}} {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Millisecond)
		if _, err := fabric.Node(pair[0]).Dial(ctx, pair[1]+":1"); err == nil {
			links += pair[0] + "-" + pair[1] + " "
		}
		cancel()
	}
	return links
}
