package value

import (
	"reflect"
	"slices"
	"strings"
	"sync"
)

// field is one entry of a struct's encoded map.
type field struct {
	name  string // in the encoded map
	path  string // below the struct, in Go: .Base.ID
	index []int
	typ   reflect.Type
	omit  bool
}

// fieldSet is what msgpack makes of a struct type. It follows the rules of msgpack's getFields, and refuses what that
// would skip, overwrite, or only warn about on the standard logger.
type fieldSet struct {
	list  []field
	names map[string]bool
}

var fieldSets sync.Map // reflect.Type → []field, of accepted types only

// fieldsOf returns the fields of a struct type.
func fieldsOf(t reflect.Type) ([]field, *refusal) {
	if list, ok := fieldSets.Load(t); ok {
		return list.([]field), nil
	}
	s, r := collect(t)
	if r != nil {
		return nil, r
	}
	fieldSets.Store(t, s.list)
	return s.list, nil
}

func collect(t reflect.Type) (*fieldSet, *refusal) {
	s := &fieldSet{names: make(map[string]bool)}
	omitAll := false
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := parseTag(f.Tag.Get("msgpack"))
		if !ok {
			return nil, refuse(f.Type, "quotes, brackets and backslashes in tags are not supported").under("." + f.Name)
		}
		if f.Name == "_msgpack" { // msgpack's way to set options for the whole struct
			omitAll = omitAll || tag.has("omitempty")
			continue
		}
		if tag.name == "-" || f.Name == "_" {
			continue
		}
		if r := s.add(f, tag, omitAll); r != nil {
			return nil, r.under("." + f.Name)
		}
	}
	return s, nil
}

func (s *fieldSet) add(f reflect.StructField, tag tag, omitAll bool) *refusal {
	if tag.has("intern") {
		return refuse(f.Type, "interned strings are not supported")
	}
	name := tag.name
	if name == "" {
		name = f.Name
	}
	if inlined, r := s.inline(f, tag, name); inlined || r != nil {
		return r
	}
	if r := refuseField(f); r != nil {
		return r
	}
	omit := omitAll || tag.has("omitempty")
	if omit && vanishes(f.Type) {
		return refuse(f.Type, "omitempty would always drop it, since it has no IsZero method")
	}
	s.list = append(s.list, field{name: name, path: "." + f.Name, index: f.Index, typ: f.Type, omit: omit})
	if alias, ok := tag.value("alias"); ok {
		if r := s.claim(alias, f.Type); r != nil {
			return r
		}
	}
	return s.claim(name, f.Type)
}

// claim takes a name of the encoded map. Of two fields under one name, decoding would fill only one.
func (s *fieldSet) claim(name string, t reflect.Type) *refusal {
	if s.names[name] {
		return refuse(t, "another field is stored under the name "+name)
	}
	s.names[name] = true
	return nil
}

// refuseField refuses fields that reflection cannot set, naming the kind where that would be refused anyway.
func refuseField(f reflect.StructField) *refusal {
	if f.IsExported() {
		return nil
	}
	if reason := unsupportedKind(f.Type); reason != "" && f.Type.Kind() != reflect.Interface {
		return refuse(f.Type, reason)
	}
	return refuse(f.Type, `unexported fields would be lost; tag it msgpack:"-" to leave it out`)
}

// vanishes reports whether msgpack's idea of empty, which counts the exported fields of a struct, is wrong for t.
func vanishes(t reflect.Type) bool {
	if t.Kind() != reflect.Struct || t.Implements(isZeroType) {
		return false
	}
	c, _ := codingOf(t)
	return c != byKind
}

// inline takes in the fields of an embedded struct, as msgpack does for plain structs unless a name is taken already.
func (s *fieldSet) inline(f reflect.StructField, tag tag, name string) (bool, *refusal) {
	if !f.Anonymous || tag.has("noinline") {
		return false, nil
	}
	base := f.Type
	if base.Kind() == reflect.Pointer {
		base = base.Elem()
	}
	asked := tag.has("inline")
	if !plainStruct(base) {
		if asked {
			return false, refuse(f.Type, "only a plain struct can be inlined")
		}
		return false, nil
	}
	if f.Type.Kind() == reflect.Pointer {
		// Nil would come back as a pointer to a zero struct, and msgpack starts a goroutine per such type for ever.
		return false, refuse(f.Type, `an embedded pointer cannot be inlined; tag it msgpack:",noinline" or embed the struct`)
	}
	inner, r := collect(base)
	if r != nil {
		return false, r
	}
	for _, in := range inner.list {
		if s.names[in.name] {
			if asked {
				return false, refuse(f.Type, "another field is stored under the name "+in.name)
			}
			return false, nil // nested under its own name instead
		}
	}
	s.takeIn(f, inner)
	return true, s.claim(name, f.Type) // msgpack keeps the embedded name for decoding
}

func (s *fieldSet) takeIn(f reflect.StructField, inner *fieldSet) {
	for _, in := range inner.list {
		in.index = slices.Concat(f.Index, in.index)
		in.path = "." + f.Name + in.path
		s.list = append(s.list, in)
		s.names[in.name] = true
	}
}

func plainStruct(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	c, r := codingOf(t)
	return c == byKind && r == nil
}

// tag is a parsed msgpack struct tag: a name, then options, some with a value after a colon.
type tag struct {
	name    string
	options []string
}

// parseTag reports false for tags that need msgpack's own parser to be understood alike.
func parseTag(s string) (tag, bool) {
	if strings.ContainsAny(s, `'\()`) {
		return tag{}, false
	}
	parts := strings.Split(s, ",")
	for i, p := range parts {
		parts[i] = strings.TrimSpace(p)
	}
	if strings.Contains(parts[0], ":") {
		return tag{options: parts}, true
	}
	return tag{name: parts[0], options: parts[1:]}, true
}

func (t tag) has(option string) bool {
	_, ok := t.value(option)
	return ok
}

func (t tag) value(option string) (string, bool) {
	for _, o := range t.options {
		if name, value, _ := strings.Cut(o, ":"); strings.TrimSpace(name) == option {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}
