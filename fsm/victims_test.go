package fsm

import (
	"fmt"
	"testing"

	"github.com/inelpandzic/imdgo/eviction"
	"github.com/inelpandzic/imdgo/internal/command"
)

func within(name string) command.Target { return command.Target{Name: name} }

func put(target command.Target, key string, size int) op {
	return command.AppendSet(nil, command.Set, patience, target, key, noTTL, []byte(zeros[:size]))
}

// allow has the leader's own decided.
func (l *leading) allow(bytes int64) {
	l.batch(command.Decisions{Budgets: []command.Budget{{Member: "n1", Bytes: bytes}}})
}

// fillMaps writes so many small entries by turns to maps of these names.
func (l *leading) fillMaps(n int, names ...string) {
	for i := 0; i < n; {
		var ops []op
		for ; i < n && len(ops) < 1000; i++ {
			ops = append(ops, put(within(names[i%len(names)]), fmt.Sprint("key", i), 1))
		}
		l.settle(ops...)
	}
}

// counted is a policy that counts what it yields.
type counted struct {
	eviction.Policy[*Entry]
	yielded *int
}

func (c counted) Victims(yield func(*Entry) bool) {
	c.Policy.Victims(func(e *Entry) bool {
		*c.yielded++
		return yield(e)
	})
}

// One large value takes the place of tens of thousands of small ones, in one step;
// and the leader finds them in one go, of however many maps they are.
func TestALargeValueOverTinyOnes(t *testing.T) {
	const n = 70_000
	for _, maps := range []int{1, 2, 7} {
		l := newLeading(t, 1)
		var names []string
		for i := range maps {
			names = append(names, fmt.Sprint("map", i))
		}
		l.fillMaps(n, names...)
		l.allow(l.used)
		l.demand.ratio = 1.2 // of one that has learned
		yielded := 0
		for _, name := range names {
			c := l.Table(name).contents.Load()
			c.policy = counted{c.policy, &yielded}
		}
		before, size := l.Evictions(), 10<<20
		o := command.AppendSet(nil, command.Set, patience, within("large"), "k", noTTL, make([]byte, size))
		if codes := l.settle(o); codes[command.Applied] != 1 {
			t.Fatalf("%d maps: %v", maps, codes)
		}
		evicted := int(l.Evictions() - before)
		if least := size / int(Cost(8, 1)); evicted < least || evicted > least*11/10 {
			t.Errorf("%d maps: %d entries had to go, %d went", maps, least, evicted)
		}
		if yielded > 2*evicted {
			t.Errorf("%d maps: %d entries were looked at, of which %d went", maps, yielded, evicted)
		}
	}
}

// The map whose entries have waited longest gives way, however old a single one of
// another map is.
func TestTheOldestMapGivesWay(t *testing.T) {
	for policy := command.S3FIFO; policy < command.NoEviction; policy++ {
		l := newLeading(t, 1)
		for _, name := range []string{"young", "old"} {
			l.settle(command.AppendDeclare(nil, patience, within(name), []command.Option{{Field: command.FieldPolicy, Value: uint64(policy)}}))
		}
		l.fillMaps(1, "young")
		l.fillMaps(3000, "old")
		for i := range 3000 {
			l.settle(put(within("young"), fmt.Sprint("later", i), 1))
		}
		l.allow(l.used)
		l.fillMaps(1500, "new")
		if young, old := l.Table("young").Len(), l.Table("old").Len(); young < 2900 || old > 1600 {
			t.Errorf("policy %d: %d are left of the young map, %d of the old one", policy, young, old)
		}
	}
}

// A map that is full and that nobody writes to costs the others' batches nothing,
// and its next write comes again at most.
func TestAnIdleFullMapOffersNothing(t *testing.T) {
	l := newLeading(t, 1)
	limited := []command.Option{{Field: command.FieldEntries, Value: 10}}
	for i := range 50 {
		target := within(fmt.Sprint("map", i))
		l.settle(command.AppendDeclare(nil, patience, target, limited))
		for j := range 20 {
			l.settle(put(target, fmt.Sprint(j), 1))
		}
	}
	for i := range attentive {
		l.settle(put(within("other"), fmt.Sprint(i), 1))
	}
	l.longest, l.most = 0, 0
	l.settle(put(within("other"), "last", 1))
	if l.longest > 0 {
		t.Errorf("%d bytes of victims with a write that needs no room", l.longest)
	}
	l.settle(put(within("map7"), "new", 1))
	if l.most > 2 || l.Table("map7").Len() != 10 {
		t.Errorf("the next write took %d rounds, %d entries", l.most, l.Table("map7").Len())
	}
}

// What SetMany frees by making entries smaller it may use for its others, in
// whatever order they come, and nothing else has to go for it.
func TestSetManyUsesTheRoomThatItFrees(t *testing.T) {
	for _, pairs := range [][]string{{"a", zeros[:100], "b", zeros[:4000]}, {"b", zeros[:4000], "a", zeros[:100]}} {
		r := newReplica(t)
		r.do(1, set("a", zeros[:5000], noTTL))
		c := r.Table(sessions.Name).contents.Load()
		r.budget(command.Budget{Member: "n1", Bytes: r.used})
		c.policy = watched{c.policy, r.ledger, t}
		expect(t, "many", r.do(1, setMany(noTTL, pairs...)), command.Applied, 2)
		expect(t, "too many", r.do(1, setMany(noTTL, "a", zeros[:3000], "c", zeros[:3000])), command.TooLarge, 0)
	}
}
