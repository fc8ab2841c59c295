package command

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// ErrMalformed is returned when bytes are not what this package writes: cut
// off, of an unknown format or kind, beyond a limit, or with something left over.
var ErrMalformed = errors.New("malformed command")

// cursor walks bytes and remembers the first thing that was wrong, so that
// decoding reads as a list of fields.
type cursor struct {
	rest []byte
	err  error
}

func (c *cursor) fail(what string) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: %s", ErrMalformed, what)
		c.rest = nil
	}
}

func (c *cursor) byte(what string) byte {
	if len(c.rest) == 0 {
		c.fail(what)
		return 0
	}
	b := c.rest[0]
	c.rest = c.rest[1:]
	return b
}

func (c *cursor) fixed64(what string) uint64 {
	if len(c.rest) < 8 {
		c.fail(what)
		return 0
	}
	v := binary.BigEndian.Uint64(c.rest)
	c.rest = c.rest[8:]
	return v
}

func (c *cursor) uvarint(what string) uint64 {
	v, n := binary.Uvarint(c.rest)
	if n <= 0 {
		c.fail(what)
		return 0
	}
	c.rest = c.rest[n:]
	return v
}

// nanoseconds is an unsigned number that must fit a time.Duration.
func (c *cursor) nanoseconds(what string) int64 {
	v := c.uvarint(what)
	if v > math.MaxInt64 {
		c.fail(what)
		return 0
	}
	return int64(v)
}

func (c *cursor) varint(what string) int64 {
	v, n := binary.Varint(c.rest)
	if n <= 0 {
		c.fail(what)
		return 0
	}
	c.rest = c.rest[n:]
	return v
}

// bytes are a length and that many bytes, of at most limit.
func (c *cursor) bytes(what string, limit int) []byte {
	n := c.uvarint(what)
	if n > uint64(len(c.rest)) || n > uint64(limit) {
		c.fail(what)
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

// count is a number of things of at least size bytes each, so that it cannot
// claim more than can follow.
func (c *cursor) count(what string, size int) int {
	n := c.uvarint(what)
	if n > uint64(len(c.rest)/size) {
		c.fail(what)
		return 0
	}
	return int(n)
}
