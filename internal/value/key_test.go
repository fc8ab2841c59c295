package value_test

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/inelpandzic/imdgo/internal/value"
)

type (
	userName string
	userID   int32
	serial   uint64
	uuid     [16]byte
)

func TestKeyKindOf(t *testing.T) {
	for _, c := range []struct {
		got, want value.KeyKind
	}{
		{value.KeyKindOf[string](), value.String}, {value.KeyKindOf[userName](), value.String},
		{value.KeyKindOf[int](), value.Int}, {value.KeyKindOf[userID](), value.Int}, {value.KeyKindOf[int64](), value.Int},
		{value.KeyKindOf[uint](), value.Uint}, {value.KeyKindOf[uint32](), value.Uint}, {value.KeyKindOf[serial](), value.Uint},
		{value.KeyKindOf[[16]byte](), value.Bytes16}, {value.KeyKindOf[uuid](), value.Bytes16},
	} {
		if c.got != c.want {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
}

// The numbers are written into the replicated log.
func TestNumbersAreFixed(t *testing.T) {
	kinds := []value.KeyKind{value.String, value.Int, value.Uint, value.Bytes16}
	for i, k := range kinds {
		if int(k) != i+1 {
			t.Errorf("%v = %d, want %d", k, k, i+1)
		}
	}
	if value.Raw != 1 || value.Msgpack != 2 {
		t.Errorf("Raw = %d, Msgpack = %d", value.Raw, value.Msgpack)
	}
}

func roundTripKey[K interface {
	value.Key
	comparable
}](t *testing.T, keys ...K) {
	t.Helper()
	for _, k := range keys {
		got, err := value.DecodeKey[K](value.EncodeKey(k))
		if err != nil || got != k {
			t.Errorf("%T %v came back as %v, %v", k, k, got, err)
		}
	}
}

func TestKeysRoundTrip(t *testing.T) {
	roundTripKey(t, "", "a", "\x00\xff", strings.Repeat("k", 64<<10))
	roundTripKey(t, userName("x"))
	roundTripKey(t, math.MinInt, -1, 0, 1, math.MaxInt)
	roundTripKey[int32](t, math.MinInt32, -1, 0, math.MaxInt32)
	roundTripKey[userID](t, math.MinInt32, math.MaxInt32)
	roundTripKey[int64](t, math.MinInt64, 1<<53+1, math.MaxInt64)
	roundTripKey[uint](t, 0, math.MaxUint)
	roundTripKey[uint32](t, 0, math.MaxUint32)
	roundTripKey[serial](t, 0, math.MaxUint64)
	roundTripKey(t, uuid{}, uuid{15: 1}, uuid{0: 0xff})
}

func TestEncodedKeysHaveTheOrderOfTheKeys(t *testing.T) {
	ints := []int64{5, math.MinInt64, -1, 0, math.MaxInt64, -256, 255, 256}
	slices.SortFunc(ints, func(a, b int64) int { return cmp.Compare(value.EncodeKey(a), value.EncodeKey(b)) })
	if !slices.IsSorted(ints) {
		t.Errorf("sorted by their bytes: %v", ints)
	}
	if value.EncodeKey(int64(-1)) != "\x7f\xff\xff\xff\xff\xff\xff\xff" {
		t.Errorf("-1 is %x", value.EncodeKey(int64(-1)))
	}
	if value.EncodeKey(int32(7)) != value.EncodeKey(int64(7)) {
		t.Error("integers of one kind encode alike, whatever their size")
	}
}

func refuseKey[K value.Key](t *testing.T, s string) {
	t.Helper()
	if k, err := value.DecodeKey[K](s); err == nil {
		t.Errorf("%x decoded as %T %v", s, k, k)
	}
}

func TestKeysThatAreNone(t *testing.T) {
	refuseKey[int](t, "")
	refuseKey[int64](t, "1234567")
	refuseKey[uint64](t, "123456789")
	refuseKey[uuid](t, "12345678")
	refuseKey[int32](t, value.EncodeKey(int64(math.MaxInt32)+1))
	refuseKey[int32](t, value.EncodeKey(int64(math.MinInt32)-1))
	refuseKey[uint32](t, value.EncodeKey(uint64(math.MaxUint32)+1))
}

func TestStringKeysAreNotCopied(t *testing.T) {
	k := userName(strings.Repeat("k", 100))
	if n := testing.AllocsPerRun(100, func() { sink = value.EncodeKey(k) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzKey(f *testing.F) {
	f.Add("abcdefgh", int64(-1), uint64(1))
	f.Fuzz(func(t *testing.T, s string, n int64, u uint64) {
		roundTripKey(t, s)
		roundTripKey(t, n)
		roundTripKey(t, u)
		stable[int32](t, s)
		stable[int64](t, s)
		stable[uint32](t, s)
		stable[uuid](t, s)
		if m := int64(u); (n < m) != (value.EncodeKey(n) < value.EncodeKey(m)) {
			t.Errorf("the order of %d and %d is lost", n, m)
		}
	})
}

// stable checks that what decodes is the encoding of exactly what it decodes to.
func stable[K value.Key](t *testing.T, s string) {
	t.Helper()
	if k, err := value.DecodeKey[K](s); err == nil && value.EncodeKey(k) != s {
		t.Errorf("%x decoded as %T %v, which encodes differently", s, k, k)
	}
}

var sink string

func BenchmarkEncodeKeyString(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sink = value.EncodeKey("a key of 16 byte")
	}
}

func BenchmarkEncodeKeyNamedString(b *testing.B) {
	b.ReportAllocs()
	k := userName("a key of 16 byte")
	for b.Loop() {
		sink = value.EncodeKey(k)
	}
}

func BenchmarkEncodeKeyInt(b *testing.B) {
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		sink = value.EncodeKey(n)
	}
}

func BenchmarkEncodeKeyUUID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sink = value.EncodeKey(uuid{1})
	}
}
