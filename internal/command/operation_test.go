package command

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// operation is an operation in plain Go, to be written and read back.
type operation struct {
	kind     Kind
	patience uint64
	target   Target
	key      string
	value    string
	ttl      TTL
	old      uint64
	pairs    [][2]string
	keys     []string
	options  []Option
}

func (o operation) append(dst []byte) []byte {
	switch o.kind {
	case Set, SetIfAbsent:
		return AppendSet(dst, o.kind, o.patience, o.target, o.key, o.ttl, []byte(o.value))
	case CompareAndSwap:
		return AppendCompareAndSwap(dst, o.patience, o.target, o.key, o.old, o.ttl, []byte(o.value))
	case SetMany:
		dst = AppendSetMany(dst, o.patience, o.target, o.ttl, len(o.pairs))
		for _, p := range o.pairs {
			dst = AppendPair(dst, p[0], []byte(p[1]))
		}
		return dst
	case Delete:
		return AppendDelete(dst, o.patience, o.target, o.keys)
	case CompareAndDelete:
		return AppendCompareAndDelete(dst, o.patience, o.target, o.key, o.old)
	case Touch:
		return AppendTouch(dst, o.patience, o.target, o.key, o.ttl.Nanoseconds)
	case Clear:
		return AppendClear(dst, o.patience, o.target)
	case Declare:
		return AppendDeclare(dst, o.patience, o.target, o.options)
	case Marker:
		return AppendMarker(dst, o.patience)
	default:
		return AppendNothing(dst)
	}
}

// operationOf reads everything out of a decoded operation.
func operationOf(op *Op) operation {
	o := operation{kind: op.Kind, patience: op.Patience, target: Target{op.Type, string(op.Map)},
		key: string(op.Key), value: string(op.Value), ttl: op.TTL, old: op.Old}
	switch op.Kind {
	case SetMany:
		op.Pairs(func(k, v []byte) { o.pairs = append(o.pairs, [2]string{string(k), string(v)}) })
	case Delete:
		op.Keys(func(k []byte) { o.keys = append(o.keys, string(k)) })
	case Declare:
		op.Options(func(option Option) { o.options = append(o.options, option) })
	}
	return o
}

// everyKind has one operation of every kind, and of those with an edge both sides of it.
func everyKind() []operation {
	m := Target{NewMapType(3, 2), "sessions"}
	hour := TTL{3600e9, true}
	return []operation{
		{kind: Nothing},
		{kind: Set, patience: 5000, target: m, key: "k", value: "v", ttl: hour},
		{kind: Set, target: Target{}, ttl: TTL{}}, // the default map, an empty key, an empty value
		{kind: Set, patience: uint64(MaxPatience / time.Millisecond), target: Target{0xff, strings.Repeat("n", MaxName)},
			key: strings.Repeat("k", MaxKey), value: "v", ttl: TTL{math.MaxInt64, false}},
		{kind: SetIfAbsent, patience: 1, target: m, key: "k", value: "v", ttl: TTL{60e9, false}},
		{kind: CompareAndSwap, patience: 2, target: m, key: "k", old: math.MaxUint64, value: "w", ttl: hour},
		{kind: SetMany, patience: 3, target: m, ttl: hour, pairs: [][2]string{{"a", "1"}, {"", ""}, {"b", "2"}}},
		{kind: SetMany, target: m},
		{kind: Delete, patience: 4, target: m, keys: []string{"a", "", "b"}},
		{kind: Delete, target: m},
		{kind: CompareAndDelete, patience: 5, target: m, key: "k", old: 7},
		{kind: Touch, patience: 6, target: m, key: "k", ttl: hour},
		{kind: Touch, target: m, key: "k", ttl: TTL{0, true}},
		{kind: Clear, patience: 7, target: m},
		{kind: Declare, patience: 8, target: m, options: []Option{{FieldTTL, 0}, {FieldTTL, math.MaxInt64}}},
		{kind: Declare, target: m},
		{kind: Marker, patience: 9},
	}
}

func randomOperation(r *rand.Rand) operation {
	kind := Kind(r.IntN(int(kinds)))
	if kind == Nothing {
		return operation{}
	}
	o := operation{kind: kind, patience: randomNumber(r) % uint64(MaxPatience/time.Millisecond+1)}
	if kind == Marker {
		return o
	}
	o.target = Target{MapType(r.UintN(256)), randomText(r, MaxName)}
	ttl := TTL{int64(randomNumber(r) & math.MaxInt64), r.IntN(2) == 0}
	switch kind {
	case Set, SetIfAbsent:
		o.key, o.value, o.ttl = randomText(r, 100), randomText(r, 1000), ttl
	case CompareAndSwap:
		o.key, o.value, o.ttl, o.old = randomText(r, 100), randomText(r, 1000), ttl, randomNumber(r)
	case CompareAndDelete:
		o.key, o.old = randomText(r, 100), randomNumber(r)
	case Touch:
		o.key, o.ttl = randomText(r, 100), TTL{ttl.Nanoseconds, true}
	case SetMany:
		o.ttl = ttl
		for range r.IntN(5) {
			o.pairs = append(o.pairs, [2]string{randomText(r, 20), randomText(r, 200)})
		}
	case Delete:
		for range r.IntN(5) {
			o.keys = append(o.keys, randomText(r, 20))
		}
	case Declare:
		for range r.IntN(3) {
			o.options = append(o.options, Option{FieldTTL, uint64(ttl.Nanoseconds)})
		}
	}
	return o
}

// randomNumber is of a random width, since a varint's length depends on it.
func randomNumber(r *rand.Rand) uint64 { return r.Uint64() >> r.UintN(64) }

func randomText(r *rand.Rand, most int) string {
	b := make([]byte, r.IntN(r.IntN(most)+1))
	for i := range b {
		b[i] = byte(r.UintN(256))
	}
	return string(b)
}

// partOf is a valid part of these operations.
func partOf(operations ...operation) Part {
	p := Part{Origin: 0xfeedfacecafebeef, Low: 3, First: 5, Base: 17e9, Count: len(operations)}
	for _, o := range operations {
		p.Ops = o.append(p.Ops)
	}
	return p
}

// read decodes a whole entry, down to the last pair.
func read(entry []byte) (b Batch, parts []Part, operations []operation, err error) {
	b, err = ReadBatch(entry)
	if err != nil {
		return b, nil, nil, err
	}
	var p Part
	for b.Next(&p) {
		parts = append(parts, p)
		ops, op := ReadOps(p.Ops), Op{}
		for ops.Next(&op) {
			operations = append(operations, operationOf(&op))
		}
		if err := ops.Err(); err != nil {
			return b, parts, operations, err
		}
	}
	return b, parts, operations, b.Err()
}

func samePart(a, b Part) bool {
	return a.Origin == b.Origin && a.Low == b.Low && a.First == b.First && a.Base == b.Base &&
		a.Count == b.Count && bytes.Equal(a.Ops, b.Ops)
}
