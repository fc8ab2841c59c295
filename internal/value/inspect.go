package value

import (
	"reflect"
	"sync"
)

// mode is where a type stands, as far as that decides whether msgpack can store it.
type mode uint8

const (
	// addressable values let msgpack find methods with pointer receivers. Elements of maps and what an interface
	// holds are not addressable.
	addressable mode = 1 << iota
	// untyped values are held in an any and are decoded without a type.
	untyped
	modes = iota * 2
)

// facts are what one walk over a type has found.
type facts struct {
	refused *refusal
	anys    bool // it contains an any
	walk    bool // whether a value can be stored shows only in the value: it holds an any, or the type is recursive
	opaque  bool // it contains a type that writes msgpack itself
}

var factsCache [modes]sync.Map // reflect.Type → *facts

// inspect returns the facts about t standing at m. They are computed once per type and process.
func inspect(t reflect.Type, m mode) *facts {
	if f, ok := factsCache[m].Load(t); ok {
		return f.(*facts)
	}
	in := inspector{facts: &facts{}, open: make(map[place]bool)}
	in.facts.refused = in.visit(t, m).under(rootName(t))
	f, _ := factsCache[m].LoadOrStore(t, in.facts)
	return f.(*facts)
}

// rootName is what a path begins with: the name of a declared type, or nothing, so that it begins with [] or a field.
func rootName(t reflect.Type) string {
	if t.Kind() == reflect.Pointer && t.Name() == "" {
		t = t.Elem()
	}
	if t.PkgPath() == "" {
		return ""
	}
	return t.Name()
}

type place struct {
	typ reflect.Type
	mode
}

type inspector struct {
	facts *facts
	open  map[place]bool // true while the walk is inside; false once it has come out
}

func (in *inspector) visit(t reflect.Type, m mode) *refusal {
	at := place{t, m}
	if inside, seen := in.open[at]; seen {
		in.facts.walk = in.facts.walk || inside
		return nil
	}
	in.open[at] = true
	defer func() { in.open[at] = false }()
	switch c, r := codingOf(t); {
	case r != nil:
		return r
	case c != byKind:
		return in.visitSelfCoding(t, m, c)
	}
	if reason := unsupportedKind(t); reason != "" {
		return refuse(t, reason)
	}
	return in.visitKind(t, m)
}

func (in *inspector) visitSelfCoding(t reflect.Type, m mode, c coding) *refusal {
	in.facts.opaque = in.facts.opaque || c == byCustom || c == byMarshaler
	if m&addressable == 0 && needsAddress(t) {
		return refuse(t, "its encoder has a pointer receiver, which is out of reach here; store a pointer")
	}
	return nil
}

func (in *inspector) visitKind(t reflect.Type, m mode) *refusal {
	switch t.Kind() {
	case reflect.Interface:
		in.facts.anys, in.facts.walk = true, true
	case reflect.Pointer:
		return in.visitPointer(t, m)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return nil // stored as one run of bytes, whatever its elements are called
		}
		return in.visit(t.Elem(), m|addressable).under("[]")
	case reflect.Array:
		return in.visitArray(t, m)
	case reflect.Map:
		return in.visitMap(t, m)
	case reflect.Struct:
		return in.visitStruct(t, m)
	}
	return nil
}

// visitPointer refuses pointers without end (type P *P), on which msgpack recurses before it looks at any value.
func (in *inspector) visitPointer(t reflect.Type, m mode) *refusal {
	n := 0
	for e := t; e.Kind() == reflect.Pointer; e = e.Elem() {
		if n++; n > MaxDepth {
			return refuse(t, "a pointer to itself")
		}
	}
	return in.visit(t.Elem(), m|addressable)
}

func (in *inspector) visitArray(t reflect.Type, m mode) *refusal {
	if t.Elem().Kind() != reflect.Uint8 {
		return in.visit(t.Elem(), m).under("[]")
	}
	if m&addressable == 0 && t.Elem() != byteType {
		return refuse(t, "an array of a named byte type is out of reach here; store a slice")
	}
	return nil
}

func (in *inspector) visitStruct(t reflect.Type, m mode) *refusal {
	fields, r := fieldsOf(t)
	if r != nil {
		return r
	}
	for _, f := range fields {
		if r := in.visit(f.typ, m); r != nil {
			return r.under(f.path)
		}
	}
	return nil
}

func (in *inspector) visitMap(t reflect.Type, m mode) *refusal {
	m &^= addressable
	if r := in.visit(t.Key(), m); r != nil {
		return r.under("[key]")
	}
	if reason := unsupportedKey(t.Key(), m); reason != "" {
		return refuse(t.Key(), reason).under("[key]")
	}
	return in.visit(t.Elem(), m).under("[]")
}

// unsupportedKind returns why msgpack cannot encode, or cannot decode, a type of t's kind.
func unsupportedKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Chan:
		return "channels cannot be stored"
	case reflect.Func:
		return "functions cannot be stored"
	case reflect.UnsafePointer, reflect.Uintptr:
		return "addresses cannot be stored"
	case reflect.Complex64, reflect.Complex128:
		return "complex numbers cannot be stored"
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return "an interface with methods cannot be decoded; use any or a concrete type"
		}
	}
	return ""
}

// unsupportedKey returns why keys of an otherwise supported type t would not be the same keys after decoding.
func unsupportedKey(t reflect.Type, m mode) string {
	c, _ := codingOf(t)
	switch {
	case c == asTime:
		return "a time.Time is not the same map key after decoding"
	case t.Kind() == reflect.Interface || c == byKind && scalar(t.Kind()):
		return ""
	case m&untyped != 0:
		return "only strings, numbers and booleans can be map keys inside an any"
	case c != byKind:
		return ""
	}
	switch t.Kind() {
	case reflect.Array:
		return unsupportedInKey(t.Elem(), m)
	case reflect.Struct:
		return unsupportedStructKey(t, m)
	}
	return "a " + t.Kind().String() + " is not the same map key after decoding"
}

func unsupportedInKey(t reflect.Type, m mode) string {
	if t.Kind() == reflect.Interface {
		return "an interface inside a map key cannot be decoded"
	}
	return unsupportedKey(t, m)
}

func unsupportedStructKey(t reflect.Type, m mode) string {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" || f.Name == "_msgpack" {
			continue
		}
		if tag, _ := parseTag(f.Tag.Get("msgpack")); tag.name == "-" {
			return "map keys that differ only in " + f.Name + " would become one"
		}
		if reason := unsupportedInKey(f.Type, m); reason != "" {
			return reason
		}
	}
	return ""
}

func scalar(k reflect.Kind) bool {
	return k == reflect.String || k >= reflect.Bool && k <= reflect.Float64 && k != reflect.Uintptr
}
