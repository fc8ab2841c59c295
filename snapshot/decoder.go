package snapshot

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/cespare/xxhash/v2"
)

// Decoder takes a stream apart as it comes, in pieces of any size.
type Decoder struct {
	record func([]byte) error
	head   bool   // it has been read
	left   int64  // of the payload that the head declared
	ended  bool   // the end has been read
	in     []byte // of the chunk that is coming
	out    []byte // of the record that is coming
	digest xxhash.Digest
	err    error // the first, which is the last
}

// NewDecoder calls record for every record; the bytes are its own until it
// returns. An error of record's ends the decoding.
func NewDecoder(record func([]byte) error) *Decoder {
	d := &Decoder{record: record}
	d.digest.Reset()
	return d
}

// Payload is the size that the head has declared, once it has been read.
func (d *Decoder) Payload() (int64, bool) { return d.left, d.head }

// Write takes the next piece of the stream.
func (d *Decoder) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 && d.err == nil {
		if d.ended {
			d.fail("bytes after the end")
			break
		}
		want := d.wants()
		take := min(len(b), want-len(d.in))
		d.in = append(d.in, b[:take]...)
		b = b[take:]
		if len(d.in) == d.wants() { // which the length may have changed
			d.err = d.piece()
			d.in = d.in[:0]
		}
	}
	if d.err != nil {
		return n - len(b), d.err
	}
	return n, nil
}

// Close is an error unless the whole stream has come.
func (d *Decoder) Close() error {
	if d.err == nil && !d.ended {
		d.fail("cut off")
	}
	return d.err
}

func (d *Decoder) fail(format string, args ...any) {
	d.err = damaged(format, args...)
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}

// wants is how many bytes make the piece that is coming: the head, a chunk or
// the end, as far as can be told.
func (d *Decoder) wants() int {
	switch {
	case !d.head:
		return headSize
	case len(d.in) < 4:
		return 4
	}
	if length := binary.BigEndian.Uint32(d.in); length != 0 {
		return int(min(length, chunkSize)) + frameSize
	}
	return endSize
}

func (d *Decoder) piece() error {
	if !d.head {
		return d.readHead()
	}
	length := binary.BigEndian.Uint32(d.in)
	if length == 0 {
		return d.readEnd()
	}
	return d.readChunk(length)
}

func (d *Decoder) readHead() error {
	if string(d.in[:len(magic)]) != magic {
		return damaged("it begins with %q", d.in[:len(magic)])
	}
	if f := d.in[len(magic)]; f != Format {
		return damaged("format %d, this release reads %d", f, Format)
	}
	size := binary.BigEndian.Uint64(d.in[len(magic)+1:])
	if size > 1<<56 {
		return damaged("a payload of %d bytes", size)
	}
	d.left, d.head = int64(size), true
	return nil
}

func (d *Decoder) readChunk(length uint32) error {
	if int64(length) != min(d.left, chunkSize) {
		return damaged("a chunk of %d bytes where %d are to come", length, d.left)
	}
	payload := d.in[4 : 4+length]
	if sum := binary.BigEndian.Uint32(d.in[4+length:]); sum != crc32.Checksum(payload, castagnoli) {
		return damaged("a chunk's checksum, %d bytes before the end of the payload", d.left)
	}
	d.left -= int64(length)
	_, _ = d.digest.Write(payload) // a Digest never fails
	return d.records(payload)
}

// records cuts the payload into records, which chunks may divide anywhere.
func (d *Decoder) records(payload []byte) error {
	for len(payload) > 0 {
		want := 4
		if len(d.out) >= 4 {
			n := binary.BigEndian.Uint32(d.out)
			if n > MaxRecord {
				return damaged("a record of %d bytes", n)
			}
			want += int(n)
		}
		take := min(len(payload), want-len(d.out))
		d.out = append(d.out, payload[:take]...)
		payload = payload[take:]
		if len(d.out) >= 4 && len(d.out) == 4+int(binary.BigEndian.Uint32(d.out)) {
			if err := d.record(d.out[4:]); err != nil {
				return err
			}
			d.out = d.out[:0]
		}
	}
	return nil
}

func (d *Decoder) readEnd() error {
	switch {
	case d.left != 0:
		return damaged("the end, with %d bytes of payload to come", d.left)
	case len(d.out) != 0:
		return damaged("the end, within a record")
	case binary.BigEndian.Uint64(d.in[4:]) != d.digest.Sum64():
		return damaged("the digest of the whole")
	}
	d.ended = true
	return nil
}
