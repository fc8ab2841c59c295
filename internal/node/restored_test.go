package node

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo/fsm"
	"github.com/inelpandzic/imdgo/internal/command"
	"github.com/inelpandzic/imdgo/snapshot"
)

// state makes the state of a machine that has applied a batch of p and nothing else.
func state(t *testing.T, p command.Part, stamp int64) *fsm.Builder {
	t.Helper()
	m, b := fsm.New(nil), fsm.NewBuilder()
	if err := m.Apply(1, encode([]submission{{part: p}}, stamp, 0, nil)); err != nil {
		t.Fatal(err)
	}
	cut, err := m.Cut()
	if err != nil {
		t.Fatal(err)
	}
	defer cut.Close()
	if _, err := cut.WriteTo(snapshot.NewDecoder(b.Record)); err != nil {
		t.Fatal(err)
	}
	return b
}

// The schedule: a node that is joining writes an entry with a TTL. The batch is
// logged, and before the node has applied it, it is sent the whole state, which
// has the entry in it. No stamp has been applied here yet, and what has a deadline
// cannot be found while the time is unknown.
func TestAWriteThatCameBackInAStateCanBeReadAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const origin, stamp = 7, int64(time.Hour)
		b := newBench(t)
		b.clock.reset()
		b.clock.restored(stamp - 1) // as what it was sent when it came has said
		n := &Node{machine: fsm.New(nil), clock: b.clock, outbox: b.outbox}
		n.life.Store(&life{node: n, origin: origin, replica: new(replica)})

		withTTL := func(dst []byte, patience uint64) []byte {
			ttl := command.TTL{Nanoseconds: int64(time.Minute), Explicit: true}
			return command.AppendSet(dst, command.Set, patience, command.Target{Name: "m"}, "k", ttl, []byte("v"))
		}
		found := false
		b.call(time.Second, withTTL, func(_ Outcome, err error) {
			b.wants(err)
			_, v := n.Table("m").Lookup(0, "k")
			found = v != nil && v.Deadline() != 0 && !n.Passed(v.Deadline())
		})
		p := b.handed()
		p.Origin = origin
		n.machine.Adopt(state(t, p, stamp))
		n.restored()
		b.calls.Wait()
		if !found {
			t.Error("the caller cannot read what it has written")
		}
	})
}
