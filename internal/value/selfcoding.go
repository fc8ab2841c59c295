package value

import (
	"encoding"
	"reflect"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// coding is how msgpack encodes a type: by its kind, or by methods or a registration that take precedence.
type coding uint8

const (
	byKind coding = iota
	byCustom
	byMarshaler
	byBinary
	byText
	asTime // time.Time, which the msgpack library has registered as an extension
)

// pairs are in the order in which msgpack looks for them.
var pairs = []struct {
	coding   coding
	enc, dec reflect.Type
}{
	{byCustom, reflect.TypeFor[msgpack.CustomEncoder](), reflect.TypeFor[msgpack.CustomDecoder]()},
	{byMarshaler, reflect.TypeFor[msgpack.Marshaler](), reflect.TypeFor[msgpack.Unmarshaler]()},
	{byBinary, reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.BinaryUnmarshaler]()},
	{byText, reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler]()},
}

var (
	timeType   = reflect.TypeFor[time.Time]()
	byteType   = reflect.TypeFor[byte]()
	isZeroType = reflect.TypeFor[interface{ IsZero() bool }]()
)

// codingOf returns how values of t are encoded, and refuses types whose two halves do not meet.
//
// msgpack looks at T's methods before those of *T when it encodes a T, at all of *T's when it encodes a *T (unless it
// has met T before), and at all of *T's when it decodes. The three must agree, or what is read is not what was written.
func codingOf(t reflect.Type) (coding, *refusal) {
	if t == timeType {
		return asTime, nil
	}
	if k := t.Kind(); k == reflect.Pointer || k == reflect.Interface {
		return byKind, nil
	}
	ptr := reflect.PointerTo(t)
	asValue, asPointer, back := encodes(t), encodes(ptr), decodes(ptr)
	if asValue == byKind {
		asValue = asPointer
	}
	switch {
	case decodes(t) != byKind:
		if r := refuseLossy(t, decodes(t)); r != nil {
			return byKind, r
		}
		return byKind, refuse(t, "decodes itself into a copy of itself; give the method a pointer receiver")
	case asValue == byKind && back == byKind:
		return byKind, nil
	case back == byKind:
		return byKind, refuse(t, "encodes itself but cannot decode itself")
	case asValue == byKind:
		return byKind, refuse(t, "decodes itself but does not encode itself")
	case asValue != back || asPointer != back:
		return byKind, refuse(t, "encodes itself in one way and decodes itself in another")
	}
	return back, refuseLossy(t, back)
}

func encodes(t reflect.Type) coding {
	for _, p := range pairs {
		if t.Implements(p.enc) {
			return p.coding
		}
	}
	return byKind
}

func decodes(t reflect.Type) coding {
	for _, p := range pairs {
		if t.Implements(p.dec) {
			return p.coding
		}
	}
	return byKind
}

// needsAddress reports whether t's encoder hangs on *t, where msgpack only finds it for addressable values.
func needsAddress(t reflect.Type) bool {
	return t != timeType && encodes(t) == byKind
}

// refuseLossy refuses types that encode themselves, but not all of themselves.
func refuseLossy(t reflect.Type, c coding) *refusal {
	if t.PkgPath() == "math/big" && t.Name() == "Float" {
		return refuse(t, "its text form does not keep the precision")
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && promotes(f.Type, c) && (t.NumField() > 1 || f.Type.Kind() != reflect.Struct) {
			return refuse(t, "the methods of its embedded "+f.Name+" would store only that; name the field")
		}
	}
	return nil
}

// promotes reports whether embedding a t brings along the methods of c. Whether the outer type has overridden them
// cannot be seen by reflection, so refuseLossy refuses both cases.
func promotes(t reflect.Type, c coding) bool {
	if t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface {
		t = reflect.PointerTo(t)
	}
	for _, p := range pairs {
		if p.coding == c && (t.Implements(p.enc) || t.Implements(p.dec)) {
			return true
		}
	}
	return false
}
