package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cespare/xxhash/v2"
)

// Format is what this release writes, and the newest that it reads.
const Format = 1

const (
	magic     = "imdgosnp"
	headSize  = len(magic) + 1 + 8
	chunkSize = 64 << 10
	frameSize = 4 + 4 // length and checksum of a chunk
	endSize   = 4 + 8
)

// MaxRecord is the largest record, in bytes: the largest key and value there
// can be, and their head.
const MaxRecord = 33 << 20

// ErrDamaged is returned when a stream is not what a Writer wrote: of another
// program or a later format, cut off, changed on the way, or with a record that
// makes no sense.
var ErrDamaged = errors.New("damaged snapshot")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Size is the length of a stream whose payload has this length.
func Size(payload int64) int64 {
	chunks := (payload + chunkSize - 1) / chunkSize
	return int64(headSize) + payload + chunks*frameSize + endSize
}

// RecordSize is what a record of n bytes adds to the payload.
func RecordSize(n int) int64 { return 4 + int64(n) }

// Writer writes a stream.
type Writer struct {
	to      io.Writer
	left    int64 // of the declared payload
	chunk   []byte
	digest  xxhash.Digest
	scratch []byte
}

// NewWriter begins a stream whose records will come to payload bytes.
func NewWriter(to io.Writer, payload int64) (*Writer, error) {
	head := append(make([]byte, 0, headSize), magic...)
	head = binary.BigEndian.AppendUint64(append(head, Format), uint64(payload))
	if _, err := to.Write(head); err != nil {
		return nil, fmt.Errorf("writing a snapshot's head: %w", err)
	}
	w := &Writer{to: to, left: payload, chunk: make([]byte, 0, chunkSize+frameSize)}
	w.digest.Reset()
	return w, nil
}

// Record adds a record, given in parts that belong together.
func (w *Writer) Record(parts ...[]byte) error {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	if w.left -= RecordSize(n); w.left < 0 {
		return fmt.Errorf("writing a snapshot: %d bytes more than were declared", -w.left)
	}
	w.scratch = binary.BigEndian.AppendUint32(w.scratch[:0], uint32(n))
	if err := w.add(w.scratch); err != nil {
		return err
	}
	for _, p := range parts {
		if err := w.add(p); err != nil {
			return err
		}
	}
	return nil
}

// add puts bytes into chunks. The first four bytes of the buffer are the
// chunk's length.
func (w *Writer) add(b []byte) error {
	for len(b) > 0 {
		if len(w.chunk) == 0 {
			w.chunk = append(w.chunk, 0, 0, 0, 0)
		}
		n := min(len(b), 4+chunkSize-len(w.chunk))
		w.chunk = append(w.chunk, b[:n]...)
		b = b[n:]
		if len(w.chunk) == 4+chunkSize {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Writer) flush() error {
	if len(w.chunk) == 0 {
		return nil
	}
	payload := w.chunk[4:]
	_, _ = w.digest.Write(payload) // a Digest never fails
	binary.BigEndian.PutUint32(w.chunk, uint32(len(payload)))
	w.chunk = binary.BigEndian.AppendUint32(w.chunk, crc32.Checksum(payload, castagnoli))
	_, err := w.to.Write(w.chunk)
	w.chunk = w.chunk[:0]
	if err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	return nil
}

// Close ends the stream; it does not close what it writes to. It is an error
// if less has been written than was declared.
func (w *Writer) Close() error {
	if w.left != 0 {
		return fmt.Errorf("writing a snapshot: %d bytes less than were declared", w.left)
	}
	if err := w.flush(); err != nil {
		return err
	}
	end := binary.BigEndian.AppendUint64(make([]byte, 4, endSize), w.digest.Sum64())
	if _, err := w.to.Write(end); err != nil {
		return fmt.Errorf("writing a snapshot's end: %w", err)
	}
	return nil
}
