package value

import (
	"reflect"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// encoder appends msgpack to a slice. Encoders are pooled.
type encoder struct {
	enc *msgpack.Encoder
	out sink
}

// sink is the writer that msgpack needs, without bytes.Buffer's copy at the end.
type sink struct{ b []byte }

func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

func (s *sink) WriteByte(c byte) error {
	s.b = append(s.b, c)
	return nil
}

var encoders = sync.Pool{New: func() any { return &encoder{enc: msgpack.NewEncoder(nil)} }}

// encode appends v to dst. It is not put back by a defer: an encoder whose user's method panicked is left to the
// garbage collector.
func encode(dst []byte, v reflect.Value) ([]byte, error) {
	e := encoders.Get().(*encoder)
	e.out.b = dst
	e.enc.Reset(&e.out) // each time, since a type that encodes itself may have changed the options
	e.enc.UseCompactInts(true)
	e.enc.SetSortMapKeys(true)
	err := e.enc.EncodeValue(v)
	dst, e.out.b = e.out.b, nil
	encoders.Put(e)
	return dst, err
}
