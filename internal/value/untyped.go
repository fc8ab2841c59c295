package value

import (
	"fmt"
	"math"
	"reflect"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// msgpack decodes into an any whatever integer type the bytes happen to use, and maps only with string keys. The
// alternative that it offers, loose decoding, turns []byte into string and int64(300) into uint64. So maps are decoded
// here, and the integers are put right in a second pass over the decoded value, where its type holds an any at all.

// decodeMap decodes the map that stands next into a map[string]any, or a map[any]any when a key is not a string.
func decodeMap(d *msgpack.Decoder) (any, error) {
	n, err := d.DecodeMapLen()
	if err != nil {
		return nil, err
	}
	var m map[string]any // made when the first key has turned out to be a string
	for i := range n {
		c, err := d.PeekCode()
		if err != nil {
			return nil, err
		}
		if !msgpcode.IsString(c) {
			return decodeAnyKeys(d, m, n-i)
		}
		k, err := d.DecodeString()
		if err != nil {
			return nil, err
		}
		if m == nil {
			m = make(map[string]any, n)
		}
		if m[k], err = d.DecodeInterface(); err != nil {
			return nil, err
		}
	}
	if m == nil {
		m = map[string]any{}
	}
	return m, nil
}

// decodeAnyKeys decodes the last n pairs of a map that began as m.
func decodeAnyKeys(d *msgpack.Decoder, m map[string]any, n int) (any, error) {
	out := make(map[any]any, len(m)+n)
	for k, v := range m {
		out[k] = v
	}
	for range n {
		k, err := d.DecodeInterface()
		if err != nil {
			return nil, err
		}
		if k != nil && !reflect.TypeOf(k).Comparable() {
			return nil, fmt.Errorf("a %T cannot be a map key", k)
		}
		if out[settled(k)], err = d.DecodeInterface(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// settled returns v, decoded by msgpack without a type, with every integer an int64, or uint64 beyond it.
func settled(v any) any {
	switch v := v.(type) {
	case int8:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case uint8:
		return int64(v)
	case uint16:
		return int64(v)
	case uint32:
		return int64(v)
	case uint64:
		if v <= math.MaxInt64 {
			return int64(v)
		}
	case []any:
		for i := range v {
			v[i] = settled(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = settled(v[k])
		}
	case map[any]any:
		for k := range v {
			v[k] = settled(v[k])
		}
	}
	return v
}

// settle puts right what stands in v's anys. What v can hold is a tree no deeper than the bytes it came from.
func settle(v reflect.Value) {
	if !inspect(v.Type(), addressable).anys {
		return
	}
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			v.Set(reflect.ValueOf(settled(v.Interface())))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			settle(v.Elem())
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			settle(v.Index(i))
		}
	case reflect.Map:
		settleMap(v)
	case reflect.Struct:
		fields, _ := fieldsOf(v.Type()) // accepted by inspect
		for _, f := range fields {
			settle(v.FieldByIndex(f.index))
		}
	}
}

// settleMap makes a new map, since neither keys nor elements can be changed in place.
func settleMap(v reflect.Value) {
	if v.IsNil() {
		return
	}
	t := v.Type()
	out := reflect.MakeMapWithSize(t, v.Len())
	for it := v.MapRange(); it.Next(); {
		k, e := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		k.Set(it.Key())
		e.Set(it.Value())
		settle(k)
		settle(e)
		out.SetMapIndex(k, e)
	}
	v.Set(out)
}
