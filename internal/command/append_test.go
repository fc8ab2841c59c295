package command

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

func TestOperationsComeBackAsTheyWereWritten(t *testing.T) {
	for _, want := range everyKind() {
		t.Run(kindName(want.kind), func(t *testing.T) { roundTrip(t, want) })
	}
	t.Run("random", func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for range 5000 {
			roundTrip(t, randomOperation(r))
		}
	})
}

func roundTrip(t *testing.T, want operation) {
	t.Helper()
	ops, op := ReadOps(want.append(nil)), Op{}
	if !ops.Next(&op) {
		t.Fatalf("%+v does not decode: %v", want, ops.Err())
	}
	if got := operationOf(&op); !reflect.DeepEqual(got, want) {
		t.Fatalf("decoded\n%+v, want\n%+v", got, want)
	}
	if ops.Next(&op) || ops.Err() != nil {
		t.Fatalf("after the only operation: error %v", ops.Err())
	}
}

func kindName(k Kind) string {
	return [...]string{"Nothing", "Set", "SetIfAbsent", "CompareAndSwap", "SetMany", "Delete",
		"CompareAndDelete", "Touch", "Clear", "Declare", "Marker"}[k]
}

func TestEveryKindIsInTheTable(t *testing.T) {
	seen := make(map[Kind]bool)
	for _, o := range everyKind() {
		seen[o.kind] = true
	}
	for k := range kinds {
		if !seen[k] {
			t.Errorf("kind %d is not tested", k)
		}
	}
}

func TestTheNumbersInTheLogAreFrozen(t *testing.T) {
	kinds := []Kind{Nothing, Set, SetIfAbsent, CompareAndSwap, SetMany, Delete, CompareAndDelete, Touch, Clear, Declare, Marker}
	for i, k := range kinds {
		if int(k) != i {
			t.Errorf("%s is %d, was %d", kindName(k), k, i)
		}
	}
	for i, c := range []Code{Applied, Unmet, TooLate, Mismatch, Again, NoRoom, TooLarge} {
		if int(c) != i+1 {
			t.Errorf("code %d, was %d", c, i+1)
		}
	}
	for i, r := range []Refusal{NotLeader, Lost, Full, Invalid} {
		if int(r) != i+1 {
			t.Errorf("refusal %q is %d, was %d", r, r, i+1)
		}
	}
	if Format != 1 || decisionExpire != 1 || decisionBudget != 2 || decisionVictims != 3 ||
		FieldTTL != 1 || FieldEntries != 2 || FieldBytes != 3 || FieldPolicy != 4 ||
		S3FIFO != 0 || LRU != 1 || TwoQueue != 2 || NoEviction != 3 {
		t.Error("a number of the format has changed")
	}
}

func TestEntriesComeBackAsTheyWereWritten(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		decided := randomDecisions(r)
		stamp, wall := int64(randomNumber(r)&math.MaxInt64), int64(randomNumber(r))
		var parts []Part
		var operations []operation
		for range r.IntN(5) {
			var of []operation
			for range r.IntN(6) {
				of = append(of, randomOperation(r))
			}
			p := partOf(of...)
			p.Origin, p.First, p.Base = r.Uint64(), 1+r.Uint64N(1<<60), r.Int64N(maxBase+1)
			p.Low = p.First - r.Uint64N(min(p.First, MaxWindow-10))
			parts, operations = append(parts, p), append(operations, of...)
		}
		entry := AppendBatch(nil, stamp, wall, decided, len(parts))
		for i := range parts {
			if err := parts[i].Check(); err != nil {
				t.Fatal(err)
			}
			entry = AppendPart(entry, &parts[i])
		}

		b, gotParts, gotOperations, err := read(entry)
		if err != nil {
			t.Fatal(err)
		}
		if b.Stamp != stamp || b.Wall != wall || !reflect.DeepEqual(told(&b.Decided), told(decided)) {
			t.Fatalf("head %+v, want stamp %d, wall %d and\n%v, got\n%v", b, stamp, wall, told(decided), told(&b.Decided))
		}
		if len(gotParts) != len(parts) || !reflect.DeepEqual(gotOperations, operations) {
			t.Fatalf("%d parts with\n%+v, want %d with\n%+v", len(gotParts), gotOperations, len(parts), operations)
		}
		for i := range parts {
			if !samePart(gotParts[i], parts[i]) {
				t.Fatalf("part %+v, want %+v", gotParts[i], parts[i])
			}
		}
	}
}

func randomDecisions(r *rand.Rand) *Decisions {
	if r.IntN(4) == 0 {
		return nil
	}
	d := new(Decisions)
	if r.IntN(2) == 0 {
		d.Expire, d.Expires = Threshold{int64(randomNumber(r) & math.MaxInt64), randomNumber(r)}, true
	}
	for range r.IntN(3) {
		d.Budgets = append(d.Budgets, Budget{Member: someText(r), Bytes: int64(randomNumber(r) & math.MaxInt64)})
	}
	for range r.IntN(3) {
		name := someText(r)
		for range r.IntN(4) {
			d.Victims.Add(name, someText(r), randomNumber(r))
		}
	}
	d.Victims.Done()
	return d
}

func someText(r *rand.Rand) string { return strings.Repeat("x", r.IntN(5)) }

// told is what decisions say.
func told(d *Decisions) (lines []string) {
	if d == nil {
		return nil
	}
	if d.Expires {
		lines = append(lines, fmt.Sprint(d.Expire))
	}
	for _, b := range d.Budgets {
		lines = append(lines, fmt.Sprint(b))
	}
	if err := d.Victims.Runs(func(name []byte, list VictimList) {
		for key, version, ok := list.Next(); ok; key, version, ok = list.Next() {
			lines = append(lines, fmt.Sprintf("%q %q %d", name, key, version))
		}
		if err := list.Err(); err != nil {
			lines = append(lines, err.Error())
		}
	}); err != nil {
		lines = append(lines, err.Error())
	}
	return lines
}

func TestThresholdsOrderByDeadlineThenVersion(t *testing.T) {
	threshold := Threshold{Deadline: 100, Version: 7}
	for _, c := range []struct {
		deadline int64
		version  uint64
		goes     bool
	}{
		{99, math.MaxUint64, true}, {100, 6, true}, {100, 7, true}, {100, 8, false}, {101, 0, false},
	} {
		if got := threshold.Covers(c.deadline, c.version); got != c.goes {
			t.Errorf("(%d, %d): %v, want %v", c.deadline, c.version, got, c.goes)
		}
	}
}

func TestNotAfterCountsFromBaseAndDoesNotOverflow(t *testing.T) {
	p := Part{Base: 3e9}
	if got := p.NotAfter(1500); got != 4.5e9 {
		t.Errorf("3s and 1500ms are %d", got)
	}
	for _, base := range []int64{0, 1, maxBase - 1, maxBase} {
		for _, patience := range []uint64{0, 1, maxBase / 1_000_000, math.MaxInt64, math.MaxUint64} {
			if p := (Part{Base: base}); p.NotAfter(patience) < base {
				t.Errorf("base %d, patience %d: %d", base, patience, p.NotAfter(patience))
			}
		}
	}
}

func TestNames(t *testing.T) {
	if got := NewMapType(3, 2).String(); got != "keys 3, values 2" {
		t.Errorf("map type %q", got)
	}
	for r, want := range map[Refusal]string{
		NotLeader: "not the leader", Lost: "leadership lost", Full: "queue full", Invalid: "malformed", 99: "refusal 99",
	} {
		if r.String() != want {
			t.Errorf("%d is %q", r, r)
		}
	}
}
