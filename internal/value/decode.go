package value

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// keepDecoder is the longest input after which a decoder goes back into the pool: it keeps a buffer as long as the
// longest string that it has read.
const keepDecoder = 64 << 10

var errInExtension = errors.New("an extension stands where its payload would be read as a value")

// decoder reads checked bytes. Decoders are pooled.
type decoder struct {
	dec *msgpack.Decoder
	in  reader
}

var decoders = sync.Pool{New: func() any { return &decoder{dec: msgpack.NewDecoder(nil)} }}

// decode decodes b, which has passed Check, into v, which is settable and zero.
//
// A decoder that failed is not used again, since msgpack does not reset what it was recording. A panic becomes an
// error, because the bytes may be another node's: msgpack panics, for instance, on a nil where a time.Time should be.
func decode(b []byte, v reflect.Value) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the decoder panicked: %v", p)
		}
	}()
	d := decoders.Get().(*decoder)
	d.in = reader{b: b}
	d.dec.Reset(&d.in)
	d.dec.SetMapDecoder(decodeMap)
	if err := d.dec.DecodeValue(v); err != nil {
		return err
	}
	if left := len(b) - d.in.off; left != 0 {
		return fmt.Errorf("%d bytes were left unread", left)
	}
	settle(v)
	d.in = reader{}
	if len(b) <= keepDecoder {
		decoders.Put(d)
	}
	return nil
}

// reader hands out checked bytes, and keeps msgpack from reading codes where Check saw none.
//
// Check cannot look into an extension's payload, but msgpack does where it expects a map: it skips the extension's
// head and takes the payload for a map, whose claimed size and depth nobody has checked. Codes are read byte by byte
// and payloads are not, so a single byte out of a payload is that mistake.
type reader struct {
	b    []byte
	off  int
	next int // where the token after the one at off begins
	ext  int // where the payload of the one at off begins; next if it is no extension
}

func (r *reader) ReadByte() (byte, error) {
	if r.off >= len(r.b) {
		return 0, io.EOF
	}
	for r.next <= r.off {
		r.advance()
	}
	if r.off >= r.ext {
		return 0, errInExtension
	}
	c := r.b[r.off]
	r.off++
	return c, nil
}

func (r *reader) advance() {
	t, _ := scan(r.b[r.next:]) // well-formed, since it has been checked
	r.ext = r.next + t.size
	if t.ext > 0 {
		r.ext = r.next + t.ext
	}
	r.next += t.size
}

func (r *reader) UnreadByte() error {
	if r.off == 0 {
		return errors.New("nothing to unread")
	}
	r.off--
	return nil
}

func (r *reader) Read(p []byte) (int, error) {
	if r.off >= len(r.b) && len(p) > 0 {
		return 0, io.EOF
	}
	n := copy(p, r.b[r.off:])
	r.off += n
	return n, nil
}
