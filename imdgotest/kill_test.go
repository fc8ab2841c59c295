package imdgotest_test

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/inelpandzic/imdgo/imdgotest"
)

func TestKill(t *testing.T) {
	onBoth(t, func(t *testing.T, fabric *imdgotest.Net) {
		n1, n2 := connect(t, fabric)
		l := listen(t, fabric, "n2", ":6701")
		zombie := fabric.Node("n2")
		write(t, n2, "never read")
		fabric.Kill("n2")
		fabric.Kill("n2")
		for _, c := range []net.Conn{n1, n2} {
			expectReadError(t, c, syscall.ECONNRESET)
			if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("write: %v", err)
			}
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v", err)
		}
		if _, err := fabric.Node("n1").Dial(t.Context(), "n2:6701"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial to the dead: %v", err)
		}
		expectDead(t, zombie)
		expectDead(t, fabric.Node("n2"))

		fabric.Revive("n2")
		expectDead(t, zombie)
		listen(t, fabric, "n2", ":6701")
		dial(t, fabric, "n1", "n2:6701")
	})
}

func expectDead(t *testing.T, view *imdgotest.NodeNet) {
	t.Helper()
	if _, err := view.Listen(":7"); !errors.Is(err, syscall.ENETDOWN) {
		t.Errorf("the dead listen: %v", err)
	}
	if _, err := view.Dial(t.Context(), "n1:7"); !errors.Is(err, syscall.ENETDOWN) {
		t.Errorf("the dead dial: %v", err)
	}
}

// A node that dies behind a cut is not known to be dead before the link heals.
func TestKillDuringCut(t *testing.T) {
	onBoth(t, func(t *testing.T, fabric *imdgotest.Net) {
		n1, n2 := connect(t, fabric)
		fabric.Cut("n1", "n2")
		fabric.Kill("n2")
		expectReadError(t, n2, syscall.ECONNRESET)
		expectSilence(t, n1)
		write(t, n1, "still hoping")
		fabric.Revive("n2")
		fabric.Heal()
		expectReadError(t, n1, syscall.ECONNRESET)
	})
}

func TestKillEndsWaitingDials(t *testing.T) {
	onBoth(t, func(t *testing.T, fabric *imdgotest.Net) {
		fabric.Isolate("n2")
		dialed := make(chan error, 1)
		view := fabric.Node("n1")
		go func() {
			_, err := view.Dial(t.Context(), "n2:6701")
			dialed <- err
		}()
		fabric.Kill("n1")
		if err := <-dialed; !errors.Is(err, syscall.ENETDOWN) {
			t.Error(err)
		}
	})
}

// Whenever a Kill comes, no connection outlives it.
func TestKillWhileDialing(t *testing.T) {
	fabric := newNet(t)
	for range 100 {
		l := listen(t, fabric, "n2", ":1")
		dialed := make(chan net.Conn, 1)
		go func() {
			c, _ := fabric.Node("n1").Dial(t.Context(), "n2:1")
			dialed <- c
		}()
		go l.Accept()
		fabric.Kill("n2")
		fabric.Revive("n2")
		if c := <-dialed; c != nil {
			expectReadError(t, c, syscall.ECONNRESET)
		}
	}
}
