package command

import (
	"encoding/binary"
	"fmt"
)

// MaxReads is the largest report of reads, in bytes.
const MaxReads = 32 << 10

// readSize is what a read takes in a report: the hash and the count.
const readSize = 8 + 1

// AppendReads begins the part of a report that is about n entries of the map of
// this name. [AppendRead] must follow n times.
//
//	reads = (name n (hash count)*)*
func AppendReads(dst []byte, name string, n int) []byte {
	return binary.AppendUvarint(appendBytes(dst, name), uint64(n))
}

// AppendRead adds an entry that was read: the hash of its key, and how often.
func AppendRead(dst []byte, hash uint64, count uint8) []byte {
	return append(binary.BigEndian.AppendUint64(dst, hash), count)
}

// ReadReads calls f for every entry of a report. The name points into it.
func ReadReads(report []byte, f func(name []byte, hash uint64, count uint8)) error {
	if len(report) > MaxReads {
		return fmt.Errorf("%w: report of %d bytes", ErrMalformed, len(report))
	}
	c := cursor{rest: report}
	for len(c.rest) > 0 {
		name := c.bytes("map name", MaxName)
		for n := c.count("reads", readSize); n > 0 && c.err == nil; n-- {
			f(name, c.fixed64("hash"), c.byte("reads"))
		}
	}
	return c.err
}
