package command

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Part is what one node asked for in one go.
type Part struct {
	// Origin is the incarnation that asked.
	Origin uint64
	// Low is the origin's lowest sequence that it may still want an answer to.
	Low uint64
	// First is the sequence of the first operation; the others follow it.
	First uint64
	// Base is the time, on the cluster's clock, that patience counts from.
	Base int64
	// Count is the number of operations.
	Count int
	// Ops are their bytes.
	Ops []byte
}

// Check walks a part that came from outside. It is what a leader does before
// it proposes it: nothing that a replica could not apply may enter the log.
func (p *Part) Check() error {
	if err := p.CheckWindow(); err != nil {
		return err
	}
	if len(p.Ops) > MaxPart {
		return fmt.Errorf("%w: part of %d bytes", ErrMalformed, len(p.Ops))
	}
	ops, op, n := ReadOps(p.Ops), Op{}, 0
	for ops.Next(&op) {
		n++
		if op.Patience > uint64(MaxPatience/time.Millisecond) {
			return fmt.Errorf("%w: patience of %d ms", ErrMalformed, op.Patience)
		}
	}
	if err := ops.Err(); err != nil {
		return err
	}
	if n != p.Count {
		return fmt.Errorf("%w: %d operations where %d were announced", ErrMalformed, n, p.Count)
	}
	return nil
}

// CheckWindow is the part of Check that does not look at the operations: how far
// the sequences run ahead of the lowest one, which the origin decides.
func (p *Part) CheckWindow() error {
	if p.First == 0 || p.Low > p.First || p.First-p.Low > MaxWindow ||
		p.Count < 0 || p.Count > MaxWindow || p.First-p.Low+uint64(p.Count) > MaxWindow ||
		p.First+uint64(p.Count) < p.First || p.Base < 0 || p.Base > maxBase {
		return fmt.Errorf("%w: sequences %d+%d with lowest %d", ErrMalformed, p.First, p.Count, p.Low)
	}
	return nil
}

// maxBase keeps NotAfter far from overflow; it is 146 years.
const maxBase = 1 << 62

// NotAfter is the last moment, on the cluster's clock, at which an operation
// of this part may be applied.
func (p *Part) NotAfter(patience uint64) int64 {
	const millisecond = 1_000_000
	return p.Base + int64(min(patience, maxBase/millisecond))*millisecond
}

// Batch is one log entry: what the leader stamped, decided and collected.
type Batch struct {
	// Stamp is the cluster's time that the leader gave the batch.
	Stamp int64
	// Wall is the leader's wall clock, in nanoseconds since 1970. Nothing in
	// a running cluster is decided by it.
	Wall int64
	// Decided is what the leader decided by itself.
	Decided Decisions

	parts int
	c     cursor
}

// AppendBatch begins an entry; AppendPart must follow parts times.
func AppendBatch(dst []byte, stamp, wall int64, decided *Decisions, parts int) []byte {
	dst = append(dst, Format)
	dst = binary.AppendUvarint(dst, uint64(stamp))
	dst = binary.AppendVarint(dst, wall)
	dst = decided.append(dst)
	return binary.AppendUvarint(dst, uint64(parts))
}

// AppendPart adds a part to an entry.
func AppendPart(dst []byte, p *Part) []byte {
	dst = binary.BigEndian.AppendUint64(dst, p.Origin)
	dst = binary.AppendUvarint(dst, p.Low)
	dst = binary.AppendUvarint(dst, p.First)
	dst = binary.AppendUvarint(dst, uint64(p.Base))
	dst = binary.AppendUvarint(dst, uint64(p.Count))
	return appendBytes(dst, p.Ops)
}

// ReadBatch decodes the head of an entry.
func ReadBatch(entry []byte) (Batch, error) {
	c := cursor{rest: entry}
	if f := c.byte("format"); c.err == nil && f != Format {
		return Batch{}, fmt.Errorf("%w: format %d, this release reads %d", ErrMalformed, f, Format)
	}
	b := Batch{Stamp: c.nanoseconds("stamp"), Wall: c.varint("wall clock")}
	b.Decided.read(&c)
	b.parts = c.count("parts", 1)
	b.c = c
	return b, c.err
}

// Next decodes the next part into p. False means that there is none, or that
// it is malformed: see Err.
func (b *Batch) Next(p *Part) bool {
	c := &b.c
	if c.err != nil {
		return false
	}
	if b.parts == 0 {
		if len(c.rest) > 0 {
			c.fail("bytes after the last part")
		}
		return false
	}
	b.parts--
	*p = Part{Origin: c.fixed64("origin"), Low: c.uvarint("lowest sequence"),
		First: c.uvarint("first sequence"), Base: c.nanoseconds("base"),
		Count: int(c.uvarint("operations")), Ops: c.bytes("operations", MaxPart)}
	if err := p.CheckWindow(); c.err == nil && err != nil {
		c.err = err
	}
	return c.err == nil
}

// Err is what was wrong, or nil.
func (b *Batch) Err() error { return b.c.err }
