package node

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/inelpandzic/imdgo/internal/command"
	"github.com/inelpandzic/imdgo/internal/wire"
)

// alone is a node without members, and its life. It is closed with the test, or before.
func alone(t *testing.T, dir string) (*Node, *life) {
	t.Helper()
	n, err := New(Config{Name: "a:1", Clock: SystemClock{}, Timeout: 10 * time.Second, DataDir: dir, LogLimit: 1 << 20,
		Budget: Budget{Entries: 1 << 20, Log: 1 << 20}, Logger: hclog.NewNullLogger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n, n.life.Load()
}

// A life has operations under its incarnation where it begins, so that leaders
// know whose they are, and under another origin wherever it goes on: sequence 1
// of each process is another operation.
func TestEveryProcessHasAnOriginOfItsOwn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	var inc wire.Incarnation
	var origins []wire.Incarnation
	for process := range 3 {
		n, l := alone(t, dir)
		if process == 0 {
			inc = l.inc
			if l.origin != inc {
				t.Errorf("a life that begins is %s, and its operations are from %s", inc, l.origin)
			}
		}
		if l.inc != inc {
			t.Fatalf("process %d is %s, not %s", process, l.inc, inc)
		}
		for _, former := range origins {
			if l.origin == former {
				t.Errorf("process %d has the origin of another one", process)
			}
		}
		origins = append(origins, l.origin)
		o, err := n.Do(t.Context(), 10, setOf("v"))
		if err != nil || o.Code != command.Applied || o.Version != uint64(process)+1 {
			t.Errorf("the first write of process %d: %+v, %v", process, o, err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// So does a life that follows another one in the same process.
func TestALifeThatFollowsAnotherHasItsIncarnationAsOrigin(t *testing.T) {
	for _, dir := range []string{"", filepath.Join(t.TempDir(), "data")} {
		n, l := alone(t, dir)
		n.seeking() // which begins lives as well
		<-n.supervised
		next, err := n.rebirth(l, ErrRemoved)
		if err != nil {
			t.Fatal(err)
		}
		if next.inc == l.inc || next.origin != next.inc {
			t.Errorf("after %s came %s, with operations from %s", l.inc, next.inc, next.origin)
		}
	}
}

func TestOnlyMembersForward(t *testing.T) {
	n, l := alone(t, "")
	hands := func(origin wire.Incarnation) wire.Refusal {
		return n.admit(wire.Preamble{Purpose: wire.Forward, Cluster: l.cluster(), Target: l.inc, Origin: origin})
	}
	if got := hands(l.inc); got != wire.Admitted {
		t.Errorf("a member: %v", got)
	}
	if got := hands(l.inc + 1); got != wire.NoMember {
		t.Errorf("somebody else: %v", got)
	}
}
