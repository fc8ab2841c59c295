package command

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

// set is a Set of so many bytes of key and value.
func set(key, value int) operation {
	return operation{kind: Set, key: strings.Repeat("k", key), value: strings.Repeat("v", value)}
}

// nothings is a part of n operations.
func nothings(low, first uint64, n int) Part {
	return Part{Low: low, First: first, Count: n, Ops: bytes.Repeat(AppendNothing(nil), n)}
}

func changed(p Part, change func(*Part)) Part {
	change(&p)
	return p
}

func TestCheckAcceptsWhatIsWithinTheLimits(t *testing.T) {
	head := len(set(1, 0).append(nil)) + 3 // the length of a large value takes three bytes more
	for name, p := range map[string]Part{
		"every kind":              partOf(everyKind()...),
		"no operations":           nothings(1, 1, 0),
		"no lowest sequence":      nothings(0, 1, 1),
		"longest key":             partOf(set(MaxKey, 1)),
		"largest operation":       partOf(set(1, MaxOp-head)),
		"longest name":            partOf(operation{kind: Clear, target: Target{Name: strings.Repeat("n", MaxName)}}),
		"widest window of one":    nothings(1, MaxWindow, 1),
		"widest window of many":   nothings(1, 1, MaxWindow),
		"last sequence there is":  nothings(math.MaxUint64-1, math.MaxUint64-1, 1),
		"last base":               changed(nothings(1, 1, 1), func(p *Part) { p.Base = maxBase }),
		"largest operation, more": partOf(set(1, MaxOp-head), set(1, 1<<19)),
	} {
		if err := p.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, _, err := read(AppendPart(AppendBatch(nil, 0, 0, nil, 1), &p)); err != nil {
			t.Errorf("%s, from the log: %v", name, err)
		}
	}
}

func TestCheckRefusesWhatIsBeyondTheLimits(t *testing.T) {
	head := len(set(1, 0).append(nil)) + 3
	negative := operation{kind: Touch, key: "k", ttl: TTL{-1, true}}
	for name, p := range map[string]Part{
		"key too long":               partOf(set(MaxKey+1, 1)),
		"key of SetMany too long":    partOf(operation{kind: SetMany, pairs: [][2]string{{strings.Repeat("k", MaxKey+1), ""}}}),
		"key of Delete too long":     partOf(operation{kind: Delete, keys: []string{strings.Repeat("k", MaxKey+1)}}),
		"name too long":              partOf(operation{kind: Clear, target: Target{Name: strings.Repeat("n", MaxName+1)}}),
		"operation too large":        partOf(set(1, MaxOp-head+1)),
		"SetMany too large":          partOf(operation{kind: SetMany, pairs: [][2]string{{"a", strings.Repeat("v", MaxOp/2)}, {"b", strings.Repeat("v", MaxOp/2)}}}),
		"part too large":             partOf(set(1, MaxOp-head), set(1, 1<<20)),
		"negative ttl":               partOf(negative),
		"negative default ttl":       partOf(operation{kind: Declare, options: []Option{{FieldTTL, 1 << 63}}}),
		"too patient":                partOf(operation{kind: Clear, patience: uint64(MaxPatience/time.Millisecond) + 1}),
		"sequence 0":                 nothings(0, 0, 1),
		"lowest after first":         nothings(6, 5, 1),
		"window too wide":            nothings(1, MaxWindow+1, 1),
		"window far too wide":        nothings(0, math.MaxUint64, 1),
		"too many operations":        nothings(1, 1, MaxWindow+1),
		"sequences overflow":         nothings(math.MaxUint64, math.MaxUint64, 1),
		"base too late":              changed(nothings(1, 1, 1), func(p *Part) { p.Base = maxBase + 1 }),
		"base before the beginning":  changed(nothings(1, 1, 1), func(p *Part) { p.Base = -1 }),
		"fewer than announced":       changed(nothings(1, 1, 3), func(p *Part) { p.Count = 4 }),
		"more than announced":        changed(nothings(1, 1, 3), func(p *Part) { p.Count = 2 }),
		"negative count":             changed(nothings(1, 1, 3), func(p *Part) { p.Count = -1 }),
		"some where none were meant": changed(nothings(1, 1, 1), func(p *Part) { p.Count = 0 }),
	} {
		if err := p.Check(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestAPartCutOffAnywhereIsMalformed(t *testing.T) {
	var small []operation
	for _, o := range everyKind() {
		if len(o.append(nil)) < 100 {
			small = append(small, o)
		}
	}
	p := partOf(small...)
	for n := range p.Ops {
		cut := p
		cut.Ops = p.Ops[:n:n]
		if err := cut.Check(); !errors.Is(err, ErrMalformed) {
			t.Fatalf("cut at byte %d of %d: error %v", n, len(p.Ops), err)
		}
	}
	entry := AppendBatch(nil, 1e9, -1, &Decisions{Expire: Threshold{5e9, 300}, Expires: true}, 2)
	entry = AppendPart(AppendPart(entry, &p), &p)
	for n := range entry {
		if _, _, _, err := read(entry[:n:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("entry cut at byte %d of %d: error %v", n, len(entry), err)
		}
	}
	if _, _, _, err := read(entry); err != nil {
		t.Fatal(err)
	}
}

func TestWhatNoReleaseWroteIsMalformed(t *testing.T) {
	p := partOf(set(1, 1))
	valid := AppendPart(AppendBatch(nil, 1e9, 0, nil, 1), &p)
	head := func(decisions ...byte) []byte {
		return append(append([]byte{Format, 1, 0}, decisions...), 0)
	}
	for name, entry := range map[string][]byte{
		"empty":                      {},
		"format 0":                   append([]byte{0}, valid[1:]...),
		"the next format":            append([]byte{Format + 1}, valid[1:]...),
		"a byte too many":            append(bytes.Clone(valid), 0),
		"unknown decision":           head(1, 4, 0, 0),
		"victims that are cut off":   head(1, 3, 9, 0),
		"two lists of victims":       head(2, 3, 1, 0, 3, 1, 0),
		"a budget beyond int64":      append(binary.AppendUvarint([]byte{Format, 1, 0, 1, 2, 0}, 1<<63), 0),
		"two decisions to expire":    head(2, 1, 5, 5, 1, 6, 6),
		"stamp beyond int64":         append(binary.AppendUvarint([]byte{Format}, 1<<63), 0, 0, 0),
		"a number that does not end": {Format, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"more parts than bytes":      {Format, 1, 0, 0, 9},
	} {
		if _, _, _, err := read(entry); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for name, ops := range map[string][]byte{
		"unknown kind":        {byte(kinds), 0, 0, 0},
		"kind 255":            {255, 0},
		"unknown ttl":         {byte(Set), 0, 0, 0, 0, 2, 0, 0},
		"option 0":            {byte(Declare), 0, 0, 0, 1, 0, 0},
		"unknown option":      {byte(Declare), 0, 0, 0, 1, byte(fields), 0},
		"unknown policy":      {byte(Declare), 0, 0, 0, 1, byte(FieldPolicy), byte(policies)},
		"more pairs than fit": {byte(SetMany), 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xf},
		"a byte too many":     append(AppendMarker(nil, 0), byte(Marker)),
	} {
		p := Part{Low: 1, First: 1, Count: 1, Ops: ops}
		if err := p.Check(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestAnErrorIsTheLastThingThatIsRead(t *testing.T) {
	ops, op := ReadOps([]byte{byte(kinds), 0, byte(Nothing), 0}), Op{}
	for range 3 {
		if ops.Next(&op) || !errors.Is(ops.Err(), ErrMalformed) {
			t.Fatalf("error %v", ops.Err())
		}
	}
	bad := partOf(set(1, 1))
	bad.First = 0
	b, err := ReadBatch(AppendPart(AppendBatch(nil, 0, 0, nil, 1), &bad))
	if err != nil {
		t.Fatal(err)
	}
	var p Part
	for range 3 {
		if b.Next(&p) || !errors.Is(b.Err(), ErrMalformed) {
			t.Fatalf("error %v", b.Err())
		}
	}
}

func TestDecodingAllocatesNothing(t *testing.T) {
	var of []operation
	for range 64 {
		of = append(of, set(16, 100))
	}
	p := partOf(append(of, everyKind()...)...)
	entry := AppendPart(AppendPart(AppendBatch(nil, 1e9, 1, &Decisions{Expire: Threshold{1, 1}, Expires: true}, 2), &p), &p)
	sum := 0
	visit := func(key, value []byte) { sum += len(key) + len(value) }
	if n := testing.AllocsPerRun(100, func() {
		b, err := ReadBatch(entry)
		if err != nil {
			t.Fatal(err)
		}
		var p Part
		for b.Next(&p) {
			if err := p.Check(); err != nil {
				t.Fatal(err)
			}
			ops, op := ReadOps(p.Ops), Op{}
			for ops.Next(&op) {
				if op.Kind == SetMany {
					op.Pairs(visit)
				}
				sum += len(op.Key) + len(op.Value)
			}
		}
		if b.Err() != nil {
			t.Fatal(b.Err())
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A million unknown things are refused at the first one.
func TestRefusingIsCheap(t *testing.T) {
	rubbish := bytes.Repeat([]byte{99}, 1<<20)
	ops := append(binary.AppendUvarint([]byte{byte(Declare), 0, 0, 0}, 1<<19), rubbish...)
	p := Part{Low: 1, First: 1, Count: 1, Ops: ops}
	entry := append(binary.AppendUvarint([]byte{Format, 0, 0}, 1<<20), rubbish...)
	if n := testing.AllocsPerRun(10, func() {
		if p.Check() == nil {
			t.Fatal("accepted")
		}
		if _, err := ReadBatch(entry); err == nil {
			t.Fatal("accepted")
		}
	}); n > 20 {
		t.Errorf("%v allocations", n)
	}
}
