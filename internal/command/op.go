package command

import "fmt"

// Op is a decoded operation. Which fields mean something depends on Kind; the
// byte slices point into the entry.
type Op struct {
	Kind     Kind
	Patience uint64 // milliseconds after the part's base
	Type     MapType
	Map      []byte
	Key      []byte
	Value    []byte
	TTL      TTL
	Old      uint64
	Count    int // of the pairs, keys or options that list holds

	list []byte
}

// Ops reads the operations of a part one after the other.
type Ops struct{ c cursor }

// ReadOps begins to read ops, the bytes of a part's operations.
func ReadOps(ops []byte) Ops { return Ops{cursor{rest: ops}} }

// Next decodes the next operation into op. False means that there is none, or
// that it is malformed: see Err.
func (r *Ops) Next(op *Op) bool {
	if len(r.c.rest) == 0 || r.c.err != nil {
		return false
	}
	before := len(r.c.rest)
	*op = Op{Kind: Kind(r.c.byte("kind")), Patience: r.c.uvarint("patience")}
	readBody(&r.c, op)
	if before-len(r.c.rest) > MaxOp {
		r.c.fail("size of an operation")
	}
	return r.c.err == nil
}

// Err is what was wrong, or nil.
func (r *Ops) Err() error { return r.c.err }

func readBody(c *cursor, op *Op) {
	if op.Kind == Nothing || op.Kind == Marker {
		return
	}
	if op.Kind >= kinds {
		c.fail(fmt.Sprintf("kind %d", op.Kind))
		return
	}
	op.Type = MapType(c.byte("map type"))
	op.Map = c.bytes("map name", MaxName)
	switch op.Kind {
	case Set, SetIfAbsent:
		op.Key = c.bytes("key", MaxKey)
		op.TTL = readTTL(c)
		op.Value = c.bytes("value", MaxOp)
	case CompareAndSwap:
		op.Key = c.bytes("key", MaxKey)
		op.Old = c.uvarint("old version")
		op.TTL = readTTL(c)
		op.Value = c.bytes("value", MaxOp)
	case CompareAndDelete:
		op.Key = c.bytes("key", MaxKey)
		op.Old = c.uvarint("old version")
	case Touch:
		op.Key = c.bytes("key", MaxKey)
		op.TTL = TTL{Nanoseconds: c.nanoseconds("ttl"), Explicit: true}
	case SetMany:
		op.TTL = readTTL(c)
		readList(c, op, 2)
	case Delete:
		readList(c, op, 1)
	case Declare:
		readList(c, op, 2)
	}
}

// readList remembers where the list begins, having walked it once: whoever
// iterates it later cannot fail half-way, so an operation is all or nothing.
// (A function as parameter would do for the switch, but the cursor would escape.)
func readList(c *cursor, op *Op, least int) {
	op.Count = c.count("count", least)
	op.list = c.rest
	for n := op.Count; n > 0 && c.err == nil; n-- {
		switch op.Kind {
		case SetMany:
			c.bytes("key", MaxKey)
			c.bytes("value", MaxOp)
		case Delete:
			c.bytes("key", MaxKey)
		default: // Declare
			skipOption(c)
		}
	}
}

func skipOption(c *cursor) {
	f := Field(c.byte("option"))
	if f == 0 || f >= fields {
		c.fail(fmt.Sprintf("option %d", f))
	}
	if v := c.nanoseconds("option's value"); f == FieldPolicy && v >= int64(policies) {
		c.fail(fmt.Sprintf("policy %d", v))
	}
}

// Pairs calls f for every pair of a SetMany.
func (op *Op) Pairs(f func(key, value []byte)) {
	c := cursor{rest: op.list}
	for range op.Count {
		key := c.bytes("key", MaxKey)
		f(key, c.bytes("value", MaxOp))
	}
}

// Keys calls f for every key of a Delete.
func (op *Op) Keys(f func(key []byte)) {
	c := cursor{rest: op.list}
	for range op.Count {
		f(c.bytes("key", MaxKey))
	}
}

// Options calls f for every option of a Declare.
func (op *Op) Options(f func(Option)) {
	c := cursor{rest: op.list}
	for range op.Count {
		field := Field(c.byte("option"))
		f(Option{field, c.uvarint("option's value")})
	}
}

func readTTL(c *cursor) TTL {
	explicit := c.byte("ttl")
	if explicit > 1 {
		c.fail("ttl")
	}
	return TTL{Nanoseconds: c.nanoseconds("ttl"), Explicit: explicit == 1}
}
