package value

import (
	"fmt"
	"reflect"
	"unsafe"
)

// Encoding says how the values of a map are held. Its numbers are replicated state: append only.
type Encoding uint8

// The encodings.
const (
	Raw     Encoding = 1 // the bytes of a string or []byte, as they are
	Msgpack Encoding = 2
)

// String returns the encoding's name as it stands in messages.
func (e Encoding) String() string {
	switch e {
	case Raw:
		return "raw"
	case Msgpack:
		return "msgpack"
	}
	return fmt.Sprintf("Encoding(%d)", uint8(e))
}

// Codec encodes and decodes values of type V. It is immutable and safe for concurrent use.
type Codec[V any] struct {
	form form
	walk bool // values of V must be looked at one by one
}

type form uint8

const (
	formMsgpack form = iota
	formString
	formBytes
)

// NewCodec walks V once. Its error wraps ErrUnsupported and names the path of the part that cannot be stored.
func NewCodec[V any]() (*Codec[V], error) {
	t := reflect.TypeFor[V]()
	f := inspect(t, addressable)
	if f.refused != nil {
		return nil, f.refused
	}
	return &Codec[V]{form: formOf(t), walk: f.walk}, nil
}

func formOf(t reflect.Type) form {
	if c, _ := codingOf(t); c != byKind {
		return formMsgpack
	}
	switch {
	case t.Kind() == reflect.String:
		return formString
	case t.Kind() == reflect.Slice && t.Elem() == byteType:
		return formBytes
	}
	return formMsgpack
}

// Encoding returns Raw where V is a kind of string or []byte and does not encode itself, else Msgpack.
func (c *Codec[V]) Encoding() Encoding {
	if c.form == formMsgpack {
		return Msgpack
	}
	return Raw
}

// Caches reports whether keeping a decoded value beside its bytes saves anything: decoding Raw costs at most a copy.
func (c *Codec[V]) Caches() bool { return c.form == formMsgpack }

// Append appends the encoding of v to dst and returns the extended slice. The bytes are v's own: later changes to what
// v refers to do not reach them. On an error dst is returned as it was. What Append accepts passes Check, unless Raw.
func (c *Codec[V]) Append(dst []byte, v V) ([]byte, error) {
	switch c.form {
	case formString:
		return append(dst, *(*string)(unsafe.Pointer(&v))...), nil // V's kind is string
	case formBytes:
		return append(dst, *(*[]byte)(unsafe.Pointer(&v))...), nil
	}
	return c.appendMsgpack(dst, v)
}

// View returns the encoding of v, for as long as v is not changed: where Append would copy it, it is v's own memory.
// scratch is overwritten, and the result may lie in it.
func (c *Codec[V]) View(scratch []byte, v V) ([]byte, error) {
	switch c.form {
	case formString:
		s := *(*string)(unsafe.Pointer(&v))
		return unsafe.Slice(unsafe.StringData(s), len(s)), nil
	case formBytes:
		return *(*[]byte)(unsafe.Pointer(&v)), nil
	}
	return c.appendMsgpack(scratch[:0], v)
}

func (c *Codec[V]) appendMsgpack(dst []byte, v V) ([]byte, error) {
	rv := reflect.ValueOf(&v).Elem() // by pointer, so that msgpack finds methods with pointer receivers
	var w walker
	if c.walk {
		if r := w.visit(rv, at{}); r != nil {
			return dst, r.under(rootName(rv.Type()))
		}
	}
	out, err := encode(dst, rv)
	if err != nil {
		return dst, fmt.Errorf("value: encode %s: %w", rv.Type(), err)
	}
	b := out[len(dst):]
	if err := Check(b); err != nil {
		return dst, fmt.Errorf("%w: %s: its encoding is refused: %w", ErrUnsupported, rv.Type(), err)
	}
	if w.opaque {
		// Only trying shows whether what a type has written by itself can be read without that type.
		if err := decode(b, reflect.New(rv.Type()).Elem()); err != nil {
			return dst, fmt.Errorf("%w: %s cannot be decoded again: %w", ErrUnsupported, rv.Type(), err)
		}
	}
	return out, nil
}

// Decode decodes b, which must not change afterwards: a Raw string is returned without a copy and shares its memory
// with b, which holds for stored bytes because they are immutable. Nothing else in the result aliases b; a []byte is
// always a fresh copy. Decode checks b itself, and never panics.
func (c *Codec[V]) Decode(b []byte) (V, error) {
	var v V
	switch c.form {
	case formString:
		*(*string)(unsafe.Pointer(&v)) = unsafe.String(unsafe.SliceData(b), len(b))
		return v, nil
	case formBytes:
		*(*[]byte)(unsafe.Pointer(&v)) = append(make([]byte, 0, len(b)), b...)
		return v, nil
	}
	return c.decodeMsgpack(b)
}

func (c *Codec[V]) decodeMsgpack(b []byte) (V, error) {
	var v, zero V
	rv := reflect.ValueOf(&v).Elem()
	if err := Check(b); err != nil {
		return zero, fmt.Errorf("value: decode %s: %w", rv.Type(), err)
	}
	if err := decode(b, rv); err != nil {
		return zero, fmt.Errorf("value: decode %s: %w", rv.Type(), err)
	}
	return v, nil
}
