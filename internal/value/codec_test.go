package value_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo/internal/value"
	"github.com/vmihailenco/msgpack/v5"
)

func mustCodec[V any](t testing.TB) *value.Codec[V] {
	t.Helper()
	c, err := value.NewCodec[V]()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// roundTrip returns v after encoding and decoding.
func roundTrip[V any](t *testing.T, v V) V {
	t.Helper()
	c := mustCodec[V](t)
	b, err := c.Append([]byte("before"), v)
	if err != nil {
		t.Fatalf("%T: %v", v, err)
	}
	b, ok := bytes.CutPrefix(b, []byte("before"))
	if !ok {
		t.Fatalf("%T: Append has changed what was there", v)
	}
	got, err := c.Decode(b)
	if err != nil {
		t.Fatalf("%T: %v", v, err)
	}
	return got
}

func comesBack[V any](t *testing.T, values ...V) {
	t.Helper()
	for _, v := range values {
		if got := roundTrip(t, v); !same(got, v) {
			t.Errorf("%T %#v came back as %#v", v, v, got)
		}
	}
}

// same is reflect.DeepEqual for values in which NaN equals NaN.
func same(a, b any) bool {
	return reflect.DeepEqual(a, b) || fmt.Sprintf("%#v", a) == fmt.Sprintf("%#v", b) && strings.Contains(fmt.Sprint(a), "NaN")
}

func ptr[T any](v T) *T { return &v }

var when = time.Unix(1700000000, 123456789)

func TestTypedValuesComeBack(t *testing.T) {
	comesBack(t, "", "a", "\xff\x00")
	comesBack(t, label("x"))
	comesBack(t, []byte{}, []byte{1, 2})
	comesBack(t, blob{0xc0})
	comesBack(t, true, false)
	comesBack(t, 0, 1<<53+1, math.MinInt, math.MaxInt)
	comesBack[int8](t, math.MinInt8, math.MaxInt8)
	comesBack[int64](t, math.MinInt64, 300, -33)
	comesBack[uint8](t, 0, 200)
	comesBack[uint64](t, math.MaxInt64, math.MaxUint64)
	comesBack[float32](t, 0.1, math.MaxFloat32, float32(math.Inf(1)), float32(math.NaN()))
	comesBack(t, 0.1, 1e300, math.Inf(-1), math.NaN(), math.Copysign(0, -1))
	comesBack(t, celsius(36.6))
	comesBack(t, time.Hour)
	comesBack(t, when)
	comesBack(t, []int(nil), []int{}, []int{1})
	comesBack(t, []string(nil), []string{}, []string{""})
	comesBack(t, [][]byte{nil, {}, {1}})
	comesBack(t, map[string]int(nil), map[string]int{}, map[string]int{"a": 1})
	comesBack(t, map[string]string(nil), map[string]string{}, map[string]string{"a": ""})
	comesBack(t, (*int)(nil), ptr(5))
	comesBack(t, (*Base)(nil), &Base{7})
	comesBack(t, octets{1, 2, 3, 4}, octets{})
	comesBack(t, []octet{1, 2})
	comesBack(t, [16]byte{1}, [16]byte{})
	comesBack(t, struct{}{})
	comesBack(t, list{{}, {nil, {}}})
	comesBack(t, tree{"a": {"b": nil}})
	comesBack(t, custom{1, 2})
	comesBack(t, map[int]custom{1: {3, 4}})
	comesBack(t, stamp{when.Round(0)})
	comesBack(t, asArray{A: 1, B: 2})
	comesBack(t, inlined{Base{1}}, inlined{})
	comesBack(t, nestsPtr{}, nestsPtr{&Base{1}})
	comesBack(t, shadowed{ID: "outer", Base: Base{1}})
	comesBack(t, kept{}, kept{when})
	comesBack(t, map[netip.Addr]int{netip.MustParseAddr("fe80::1%eth0"): 1})
	comesBack(t, map[[2]string]int{{"a", "b"}: 1})
	comesBack(t, msgpack.RawMessage("\x91\x01"))
}

func TestTypesThatEncodeThemselvesComeBack(t *testing.T) {
	big1, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	u, _ := url.Parse("https://user@host/p?q#f")
	in := bigFields{N: big1, V: *big1, R: big.NewRat(1, 3), U: u, I: net.ParseIP("::1")}
	got := roundTrip(t, in)
	if got.N.Cmp(big1) != 0 || got.V.Cmp(big1) != 0 || got.R.Cmp(in.R) != 0 || got.U.String() != u.String() || !got.I.Equal(in.I) {
		t.Errorf("came back as %v", got)
	}
	comesBack(t, bigFields{})
	comesBack(t, netip.MustParseAddrPort("1.2.3.4:80"), netip.AddrPort{})
	comesBack(t, garbage("\x91\x01"))
}

// The location and the monotonic reading are gone, the instant is not.
func TestTimesKeepTheirInstant(t *testing.T) {
	for _, at := range []time.Time{
		{}, time.Now(), when.UTC(), when.In(time.FixedZone("x", 3600)), time.Unix(0, 0), time.Unix(-1, 999999999),
		time.Unix(1<<35, 1), time.Unix(1<<34-1, 999999999),
	} {
		if got := roundTrip(t, at); !got.Equal(at) {
			t.Errorf("%v came back as %v", at, got)
		}
		if got := roundTrip[any](t, at); !got.(time.Time).Equal(at) {
			t.Errorf("%v came back as %v from an any", at, got)
		}
	}
	if got := roundTrip(t, time.Time{}); !got.IsZero() {
		t.Errorf("the zero time came back as %v", got)
	}
}

var untypedCases = []struct{ in, want any }{
	{nil, nil}, {true, true}, {"s", "s"}, {"", ""}, {label("x"), "x"},
	{0, int64(0)}, {int64(300), int64(300)}, {int8(-1), int64(-1)}, {int16(-300), int64(-300)}, {int32(-70000), int64(-70000)},
	{uint8(200), int64(200)}, {uint16(60000), int64(60000)}, {uint32(1 << 31), int64(1 << 31)}, {uint(5), int64(5)},
	{1<<53 + 1, int64(1<<53 + 1)}, {math.MinInt64, int64(math.MinInt64)},
	{uint64(math.MaxInt64), int64(math.MaxInt64)}, {uint64(math.MaxInt64) + 1, uint64(math.MaxInt64) + 1}, {uint64(math.MaxUint64), uint64(math.MaxUint64)},
	{float32(0.1), float32(0.1)}, {0.1, 0.1}, {1.0, 1.0}, {math.NaN(), math.NaN()}, {math.Inf(1), math.Inf(1)}, {celsius(1.5), float32(1.5)},
	{time.Second, int64(time.Second)}, {when, when},
	{[]byte{}, []byte{}}, {[]byte{1}, []byte{1}}, {blob{2}, []byte{2}}, {[2]byte{3, 4}, []byte{3, 4}},
	{[]byte(nil), nil}, {[]int(nil), nil}, {map[string]int(nil), nil}, {(*int)(nil), nil},
	{[]int{}, []any{}}, {[]int{1, 300}, []any{int64(1), int64(300)}}, {[]string{"a"}, []any{"a"}}, {[2]bool{true}, []any{true, false}},
	{[]any{uint8(1), nil, []any{[]byte{5}}}, []any{int64(1), nil, []any{[]byte{5}}}},
	{map[string]int{}, map[string]any{}}, {map[string]int{"a": 300}, map[string]any{"a": int64(300)}},
	{map[label]int{"a": 1}, map[string]any{"a": int64(1)}},
	{map[int]string{300: "x"}, map[any]any{int64(300): "x"}},
	{map[any]any{"a": 1, 2: int8(3), nil: 4, true: 5.0}, map[any]any{"a": int64(1), int64(2): int64(3), nil: int64(4), true: 5.0}},
	{map[any]any{"a": 1}, map[string]any{"a": int64(1)}},
	{map[any]any{float32(1): 1, 1.0: 2, uint64(1): 3, uint64(math.MaxUint64): 4, false: 5},
		map[any]any{float32(1): int64(1), 1.0: int64(2), int64(1): int64(3), uint64(math.MaxUint64): int64(4), false: int64(5)}},
	{ptr(5), int64(5)}, {ptr(ptr("x")), "x"},
	{Base{1}, map[string]any{"ID": int64(1)}}, {&Base{1}, map[string]any{"ID": int64(1)}}, {asArray{A: 1, B: 2}, []any{int64(1), int64(2)}},
	{holder{X: []Base{{300}}}, map[string]any{"X": []any{map[string]any{"ID": int64(300)}}}},
	{netip.MustParseAddr("1.2.3.4"), []byte{1, 2, 3, 4}}, {big.NewInt(12), []byte("12")},
	{custom{1, 300}, []any{int64(1), int64(300)}},
}

func TestAnyComesBackAsItsBasicForm(t *testing.T) {
	for _, c := range untypedCases {
		if got := roundTrip(t, c.in); !same(got, c.want) {
			t.Errorf("%T %#v came back as %T %#v, want %T %#v", c.in, c.in, got, got, c.want, c.want)
		}
	}
}

// What holds for an any on its own holds wherever an any stands in a type.
func TestAnysWithinTypesComeBackAlike(t *testing.T) {
	for _, c := range untypedCases {
		wrapped := map[string]any{
			"field":    roundTrip(t, holder{c.in}).X,
			"pointer":  roundTrip(t, &holder{c.in}).X,
			"slice":    roundTrip(t, []any{c.in})[0],
			"array":    roundTrip(t, [1]anything{c.in})[0],
			"map":      roundTrip(t, map[string]any{"k": c.in})["k"],
			"typed":    roundTrip(t, map[int]holder{1: {c.in}})[1].X,
			"any keys": roundTrip(t, map[any]any{7: c.in})[int64(7)],
			"deep":     roundTrip(t, map[label][]map[bool]any{"k": {{true: c.in}}})["k"][0][true],
		}
		for where, got := range wrapped {
			if !same(got, c.want) {
				t.Errorf("%s: %T %#v came back as %T %#v, want %#v", where, c.in, c.in, got, got, c.want)
			}
		}
	}
}

func TestWhatCannotStayDistinct(t *testing.T) {
	if got := roundTrip(t, []byte(nil)); got == nil || len(got) != 0 {
		t.Errorf("a nil Raw value came back as %#v", got)
	}
	if got := roundTrip(t, ptr((*int)(nil))); got != nil {
		t.Errorf("a pointer to a nil pointer came back as %v", got)
	}
	if got := roundTrip(t, maybe{X: 0}); got.X != nil {
		t.Errorf("an omitted 0 came back as %v", got.X)
	}
}

func TestEncodings(t *testing.T) {
	for name, c := range map[string]struct {
		got  value.Encoding
		want value.Encoding
	}{
		"string": {mustCodec[string](t).Encoding(), value.Raw}, "label": {mustCodec[label](t).Encoding(), value.Raw},
		"[]byte": {mustCodec[[]byte](t).Encoding(), value.Raw}, "blob": {mustCodec[blob](t).Encoding(), value.Raw},
		"garbage": {mustCodec[garbage](t).Encoding(), value.Msgpack}, "net.IP": {mustCodec[net.IP](t).Encoding(), value.Msgpack},
		"RawMessage": {mustCodec[msgpack.RawMessage](t).Encoding(), value.Msgpack}, "any": {mustCodec[any](t).Encoding(), value.Msgpack},
		"[4]byte": {mustCodec[[4]byte](t).Encoding(), value.Msgpack}, "int": {mustCodec[int](t).Encoding(), value.Msgpack},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v", name, c.got)
		}
	}
	if mustCodec[string](t).Caches() || mustCodec[blob](t).Caches() || !mustCodec[any](t).Caches() {
		t.Error("only Msgpack is worth caching")
	}
	b, _ := mustCodec[string](t).Append(nil, "as it is")
	if string(b) != "as it is" {
		t.Errorf("%q", b)
	}
}

func TestSharedMemory(t *testing.T) {
	raw, typed := mustCodec[[]byte](t), mustCodec[map[string]any](t)
	in := []byte("abc")
	b, _ := raw.Append(nil, in)
	m, _ := typed.Append(nil, map[string]any{"k": in, "s": "text"})
	in[0] = 'X'
	if string(b) != "abc" || bytes.Contains(m, []byte("X")) {
		t.Error("the caller's slice reaches the encoded bytes")
	}
	out, _ := raw.Decode(b)
	out[0] = 'Y'
	v, _ := typed.Decode(m)
	v["k"].([]byte)[0] = 'Y'
	if string(b) != "abc" || bytes.Contains(m, []byte("Y")) {
		t.Error("the decoded slice reaches the encoded bytes")
	}
	clear(m)
	if v["s"] != "text" {
		t.Error("a decoded string shares the encoded bytes")
	}
}

func TestDecodeRefusesWhatCheckRefuses(t *testing.T) {
	_, err := mustCodec[any](t).Decode([]byte{1, 2})
	if !errors.Is(err, value.ErrMalformed) || !strings.Contains(err.Error(), "decode interface {}") {
		t.Errorf("%v", err)
	}
}

func TestNamesInMessages(t *testing.T) {
	got := fmt.Sprint(value.Raw, value.Msgpack, value.Encoding(9), value.String, value.Int, value.Uint, value.Bytes16, value.KeyKind(9))
	if want := "raw msgpack Encoding(9) string int uint [16]byte KeyKind(9)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEncodingIsTheSameEveryTime(t *testing.T) {
	c := mustCodec[any](t)
	m := map[string]any{}
	for i := range 100 {
		m[fmt.Sprint(i)] = i
	}
	first, _ := c.Append(nil, m)
	for range 10 {
		if again, _ := c.Append(nil, m); !bytes.Equal(first, again) {
			t.Fatal("map[string]any encodes in another order")
		}
	}
}
