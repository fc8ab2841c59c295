package value_test

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"time"
)

// random fills v with something that comes back exactly as it is. What it puts into an any is already in the form in
// which an any comes back.
func random(r *rand.Rand, v reflect.Value, depth int) {
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(r.Int64N(1<<36)-1<<35, r.Int64N(1e9))))
		return
	case reflect.TypeFor[netip.Addr]():
		v.Set(reflect.ValueOf(netip.AddrFrom4([4]byte{byte(r.Int()), 2, 3, byte(r.Int())})))
		return
	case reflect.TypeFor[netip.Prefix]():
		v.Set(reflect.ValueOf(netip.PrefixFrom(netip.AddrFrom4([4]byte{10}), r.IntN(33))))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous {
				random(r, v.Field(i), depth+1)
			}
		}
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if depth < 6 && r.IntN(4) > 0 {
			randomContainer(r, v, depth)
		}
	case reflect.Array:
		for i := range v.Len() {
			random(r, v.Index(i), depth+1)
		}
	case reflect.Interface:
		if x := randomAny(r, depth); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	default:
		randomScalar(r, v)
	}
}

func randomContainer(r *rand.Rand, v reflect.Value, depth int) {
	n := r.IntN(4)
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		random(r, v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			random(r, v.Index(i), depth+1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range n {
			k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			random(r, k, depth+1)
			random(r, e, depth+1)
			v.SetMapIndex(k, e)
		}
	}
}

func randomScalar(r *rand.Rand, v reflect.Value) {
	bits := r.Uint64() >> r.IntN(64)
	switch {
	case v.Kind() == reflect.Bool:
		v.SetBool(bits&1 == 0)
	case v.CanInt():
		v.SetInt(int64(bits))
	case v.CanUint():
		v.SetUint(bits)
	case v.CanFloat():
		v.SetFloat(r.NormFloat64())
	case v.Kind() == reflect.String:
		v.SetString(randomString(r))
	}
}

func randomString(r *rand.Rand) string {
	b := make([]byte, r.IntN(300)>>r.IntN(9))
	for i := range b {
		b[i] = byte(r.Int())
	}
	return string(b)
}

func randomAny(r *rand.Rand, depth int) any {
	n := r.IntN(12)
	if depth >= 6 {
		n = r.IntN(9)
	}
	switch n {
	case 0:
		return nil
	case 1:
		return randomString(r)
	case 2:
		return []byte(randomString(r))
	case 3, 4:
		return int64(r.Uint64() >> r.IntN(64))
	case 5:
		return r.Uint64() | 1<<63
	case 6:
		return r.Float32()
	case 7:
		return r.NormFloat64()
	case 8:
		return r.IntN(2) == 0
	case 9:
		return []any{randomAny(r, depth+1), randomAny(r, depth+1)}
	case 10:
		return map[string]any{randomString(r): randomAny(r, depth+1), "": nil}
	default:
		return map[any]any{r.Int64(): randomAny(r, depth+1), "k": true, r.Float64(): nil}
	}
}

func TestRandomValuesComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var v everything
		random(r, reflect.ValueOf(&v).Elem(), 0)
		if got := roundTrip(t, v); !reflect.DeepEqual(got, v) {
			t.Fatalf("%+v\ncame back as\n%+v", v, got)
		}
		x := randomAny(r, 0)
		if got := roundTrip(t, x); !reflect.DeepEqual(got, x) {
			t.Fatalf("%#v came back as %#v", x, got)
		}
	}
}

func TestCodecsAreSafeForConcurrentUse(t *testing.T) {
	var wg sync.WaitGroup
	for seed := range uint64(4) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 0))
			for range 50 {
				var v everything
				random(r, reflect.ValueOf(&v).Elem(), 3)
				if got := roundTrip(t, v); !reflect.DeepEqual(got, v) {
					t.Errorf("%+v came back as %+v", v, got)
				}
			}
		})
	}
	wg.Wait()
}

type person struct {
	Name   string
	Email  string
	Age    int
	Joined time.Time
	Tags   []string
}

var alice = person{"Alice", "alice@example.org", 42, when, []string{"a", "b"}}

func benchmark[V any](b *testing.B, v V) {
	c := mustCodec[V](b)
	encoded, err := c.Append(nil, v)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Append", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 1024)
		for b.Loop() {
			buf, _ = c.Append(buf[:0], v)
		}
	})
	b.Run("Decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = c.Decode(encoded)
		}
	})
}

func BenchmarkString(b *testing.B)  { benchmark(b, randomString(rand.New(rand.NewPCG(1, 1)))) }
func BenchmarkBytes(b *testing.B)   { benchmark(b, make([]byte, 100)) }
func BenchmarkStruct(b *testing.B)  { benchmark(b, alice) }
func BenchmarkPointer(b *testing.B) { benchmark(b, &alice) }
func BenchmarkAnyInt(b *testing.B)  { benchmark[any](b, 300) }
func BenchmarkAnyStruct(b *testing.B) {
	benchmark[any](b, alice)
}
