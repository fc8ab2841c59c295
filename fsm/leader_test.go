package fsm

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/inelpandzic/imdgo/internal/command"
)

// leading plays a leader with one machine: it offers victims with every batch and
// proposes anew what was not enough.
type leading struct {
	*replica
	*rand.Rand
	most    int // rounds that a batch has taken
	longest int // list of victims, in bytes
}

func newLeading(t testing.TB, seed uint64) *leading {
	return &leading{replica: newReplica(t), Rand: rand.New(rand.NewPCG(seed, 1))}
}

// batch applies an entry with the leader's own choice of victims.
func (l *leading) batch(d command.Decisions, ops ...op) []command.Result {
	l.t.Helper()
	var parts []command.Part
	bytes := 0
	for _, o := range ops {
		bytes += len(o)
	}
	if len(ops) > 0 {
		parts = append(parts, partOf(l.Index()+1<<32, 1, 1, 1, ops...))
	}
	l.Offer(&d.Victims, int64(bytes))
	l.longest = max(l.longest, d.Victims.Len())
	l.delivered = l.delivered[:0]
	if err := l.Apply(l.Index()+1, entryWith(1, 0, &d, parts...)); err != nil {
		l.t.Fatal(err)
	}
	return l.delivered
}

// settle proposes operations until each has an answer. One alone has it after a few
// rounds, mostly two. Of several, one more with every further round, and it may take
// as many.
//
// The schedule: a map of one entry, or one that shares what maps without eviction
// have left, room for an entry or two. All that may go is offered, which is that
// entry, and the first operation takes its place. The second needs the place of what
// the first has just written, which was not there to be offered.
func (l *leading) settle(ops ...op) (codes map[command.Code]int) {
	l.t.Helper()
	codes = make(map[command.Code]int)
	most := 4 + len(ops)
	for round := 1; len(ops) > 0; round++ {
		if round > most {
			l.t.Fatalf("%d operations are still to come again after %d rounds", len(ops), round-1)
		}
		l.most = max(l.most, round)
		var again []op
		for i, r := range l.batch(command.Decisions{}, ops...) {
			if r.Code == command.Again {
				again = append(again, ops[i])
			} else {
				codes[r.Code]++
			}
		}
		ops = again
	}
	return codes
}

// could says whether pairs have room in a map once everything else that may be
// evicted has gone.
func (l *leading) could(target command.Target, pairs map[string]int) bool {
	own, whole, stay := int64(0), int64(0), int64(0)
	for key, size := range pairs {
		whole += Cost(len(key), size)
	}
	c := l.Table(target.Name).contents.Load()
	if c == nil {
		return whole <= l.limit
	}
	fresh := int64(len(pairs))
	for key := range pairs {
		if e := c.find([]byte(key)); e != nil {
			own += e.Cost()
			fresh--
		}
	}
	inMap, inAll := whole, l.pinned+whole
	if c.policy == nil {
		stay = c.entries.Load()
		inMap, inAll = c.cost-own+whole, l.pinned-own+whole
		if grows := whole - own; grows <= 0 && fresh <= 0 {
			return true
		}
		return inMap <= c.limits.bytes && inAll <= l.limit && stay+fresh <= c.limits.entries
	}
	return inMap <= c.limits.bytes && inAll <= l.limit && int64(len(pairs)) <= c.limits.entries
}

// maps of a cache as one may be: each with limits of its own.
func (l *leading) declare(n int) (targets []command.Target) {
	for i := range n {
		target := command.Target{Name: fmt.Sprint("map", i)}
		options := []command.Option{{Field: command.FieldPolicy, Value: uint64(i % 3)}}
		switch i % 4 {
		case 1:
			options = append(options, command.Option{Field: command.FieldEntries, Value: 1 + l.Uint64N(200)})
		case 2:
			options = append(options, command.Option{Field: command.FieldBytes, Value: 1 << 16 << l.UintN(6)})
		case 3:
			if i < 8 {
				options[0].Value = uint64(command.NoEviction)
			}
		}
		targets = append(targets, target)
		l.settle(command.AppendDeclare(nil, patience, target, options))
	}
	return targets
}

// size is from 0 to a megabyte, mostly small.
func (l *leading) size() int { return l.IntN(1 << l.UintN(21)) }

var zeros = strings.Repeat("\x00", 1<<20)

// write makes up a write and says what it brings.
func (l *leading) write(target command.Target) (op, map[string]int) {
	if l.IntN(4) > 0 {
		key, size := fmt.Sprint(l.IntN(3000)), l.size()
		return command.AppendSet(nil, command.Set, patience, target, key, noTTL, []byte(zeros[:size])), map[string]int{key: size}
	}
	pairs, sum := make(map[string]int), 0
	for range 1 + l.IntN(1<<l.UintN(9)) {
		if size := l.size() / 8; sum+size < 4<<20 {
			pairs[fmt.Sprint(l.IntN(3000))] = size
			sum += size
		}
	}
	o := op(command.AppendSetMany(nil, patience, target, noTTL, len(pairs)))
	for key, size := range pairs {
		o = command.AppendPair(o, key, []byte(zeros[:size]))
	}
	return o, pairs
}

// A leader's offers are enough in the end: whatever is written, a few rounds answer
// it, and only what nothing could make room for is refused.
func TestWhatTheLeaderOffersIsEnoughInTheEnd(t *testing.T) {
	for seed := range uint64(8) {
		l := newLeading(t, seed)
		l.batch(command.Decisions{Budgets: []command.Budget{{Member: "n1", Bytes: 1 << 20 << (seed % 5)}}})
		targets := l.declare(1 + l.IntN(12))
		codes := make(map[command.Code]int)
		for range 400 {
			target := targets[l.IntN(len(targets))]
			switch l.IntN(20) {
			case 0:
				l.settle(command.AppendClear(nil, patience, target))
			case 1, 2:
				var keys []string
				for range l.IntN(200) {
					keys = append(keys, fmt.Sprint(l.IntN(3000)))
				}
				l.settle(command.AppendDelete(nil, patience, target, keys))
			case 3, 4, 5: // and many at once
				var ops []op
				for bytes := 0; bytes < 256<<10; bytes += len(ops[len(ops)-1]) {
					o, _ := l.write(targets[l.IntN(len(targets))])
					ops = append(ops, o)
				}
				l.settle(ops...)
			default:
				o, pairs := l.write(target)
				could := l.could(target, pairs)
				got := l.settle(o)
				for code := range got {
					codes[code]++
				}
				if (got[command.Applied] == 1) != could {
					t.Fatalf("seed %d, %v: it could be done is %v: %v", seed, target, could, got)
				}
			}
		}
		t.Logf("seed %d: %v, at most %d rounds, at most %d bytes of victims, %d evictions", seed, codes, l.most, l.longest, l.Evictions())
	}
}
