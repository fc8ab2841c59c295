package value

import (
	"math"
	"reflect"
)

// maxHops bounds the steps through pointers and interfaces, which add nothing to the encoded depth but can form a
// cycle of their own.
const maxHops = 8 * MaxDepth

// walker looks at a value before msgpack does: what stands in an any is checked as V was checked by NewCodec, and a
// value that nests too deep, or for ever, is refused while that is still an error and not the end of the stack.
type walker struct {
	opaque bool // met a type that writes msgpack itself, inside an any
}

// at is where the walk stands.
type at struct {
	mode
	depth, hops int
}

func (w *walker) visit(v reflect.Value, a at) *refusal {
	a.mode &^= addressable
	if v.CanAddr() {
		a.mode |= addressable
	}
	t := v.Type()
	if !inspect(t, a.mode).walk {
		return nil
	}
	a.hops++
	if a.hops > maxHops || a.depth > MaxDepth {
		return &refusal{typ: t, reason: "the value is cyclic, or nested too deep", deep: true}
	}
	switch t.Kind() {
	case reflect.Interface:
		return w.visitAny(v, a)
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return w.visit(v.Elem(), a)
	}
	a.depth++
	return w.visitContainer(v, a)
}

func (w *walker) visitContainer(v reflect.Value, a at) *refusal {
	switch v.Kind() {
	case reflect.Map:
		return w.visitMap(v, a)
	case reflect.Struct:
		return w.visitStruct(v, a)
	}
	for i := range v.Len() {
		if r := w.visit(v.Index(i), a); r != nil {
			return r.under("[]")
		}
	}
	return nil
}

func (w *walker) visitAny(v reflect.Value, a at) *refusal {
	if v.IsNil() {
		return nil
	}
	v = v.Elem()
	if scalar(v.Kind()) && v.Type().PkgPath() == "" {
		return nil // what an any mostly holds needs no look into the cache
	}
	a.mode = untyped
	f := inspect(v.Type(), a.mode)
	if f.refused != nil {
		return f.refused
	}
	w.opaque = w.opaque || f.opaque
	return w.visit(v, a).under(rootName(v.Type()))
}

func (w *walker) visitStruct(v reflect.Value, a at) *refusal {
	fields, _ := fieldsOf(v.Type()) // accepted by inspect
	for _, f := range fields {
		fv := v.FieldByIndex(f.index)
		r := w.visit(fv, a)
		if r == nil && f.omit && fv.Kind() == reflect.Interface && !fv.IsNil() && vanishes(fv.Elem().Type()) {
			r = refuse(fv.Elem().Type(), "omitempty would always drop it, since it has no IsZero method")
		}
		if r != nil {
			return r.under(f.path)
		}
	}
	return nil
}

func (w *walker) visitMap(v reflect.Value, a at) *refusal {
	var keys map[any]bool
	if v.Type().Key().Kind() == reflect.Interface {
		keys = make(map[any]bool, v.Len())
	}
	for it := v.MapRange(); it.Next(); {
		if keys != nil {
			if r := w.visitKey(it.Key(), a, keys); r != nil {
				return r.under("[key]")
			}
		}
		if r := w.visit(it.Value(), a); r != nil {
			return r.under("[]")
		}
	}
	return nil
}

// visitKey refuses keys of a map[any]T that could not be keys after decoding, or would become one: int(1) and int8(1).
func (w *walker) visitKey(k reflect.Value, a at, seen map[any]bool) *refusal {
	if k.IsNil() {
		return nil
	}
	if r := w.visitAny(k, a); r != nil {
		return r
	}
	t := k.Elem().Type()
	if reason := unsupportedKey(t, untyped); reason != "" {
		return refuse(t, reason)
	}
	c := decodedScalar(k.Elem())
	if seen[c] {
		return refuse(t, "two keys of the map would become one")
	}
	seen[c] = true
	return nil
}

// decodedScalar returns what a scalar will be after decoding without a type.
func decodedScalar(v reflect.Value) any {
	switch {
	case v.Kind() == reflect.String:
		return v.String()
	case v.Kind() == reflect.Bool:
		return v.Bool()
	case v.Kind() == reflect.Float32:
		return float32(v.Float())
	case v.Kind() == reflect.Float64:
		return v.Float()
	case v.CanInt():
		return v.Int()
	case v.CanUint() && v.Uint() <= math.MaxInt64:
		return int64(v.Uint())
	case v.CanUint():
		return v.Uint()
	}
	return v.Interface()
}
