package value_test

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/inelpandzic/imdgo/internal/value"
)

func TestCheckAccepts(t *testing.T) {
	for name, b := range map[string]string{
		"nil": "\xc0", "false": "\xc2", "fixint": "\x7f", "negative fixint": "\xe0", "uint8": "\xcc\xff", "int64": "\xd312345678",
		"float": "\xca1234", "double": "\xcb12345678", "empty string": "\xa0", "fixstr": "\xa3abc", "str8": "\xd9\x01a",
		"bin16": "\xc5\x00\x01a", "fixext4": "\xd6\xff1234", "fixext16": "\xd8\x011234567812345678", "ext8": "\xc7\x0c\xff123412345678",
		"empty ext": "\xc7\x00\x05", "fixarray": "\x92\x01\x02", "array16": "\xdc\x00\x01\xc0", "fixmap": "\x81\xa1a\x01", "map32": "\xdf\x00\x00\x00\x00",
		"as deep as allowed": nested(value.MaxDepth),
	} {
		if err := value.Check([]byte(b)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, c := range []struct{ name, bytes, want string }{
		{"nothing", "", "at byte 0: the input ends early"},
		{"unused code", "\xc1", "at byte 0: code 0xc1"},
		{"1 GiB string", "\xdb\x40\x00\x00\x00", "at byte 0: a length beyond"},
		{"1 GiB bytes", "\xc6\x40\x00\x00\x00", "at byte 0: a length beyond"},
		{"4 billion elements", "\xdd\xff\xff\xff\xff", "at byte 0: more elements claimed"},
		{"4 billion pairs", "\xdf\xff\xff\xff\xff", "at byte 0: more elements claimed"},
		{"two pairs in three bytes", "\x82\x01\x02\x03", "at byte 0: more elements claimed"},
		{"cut length", "\xda\x00", "at byte 0: the input ends early"},
		{"cut scalar", "\x91\xcb123", "at byte 1: a length beyond"},
		{"cut ext", "\xd4\x01", "at byte 0: a length beyond"},
		{"inner takes the outer's bytes", "\x92\x91\x01", "at byte 3: the input ends early"},
		{"two values", "\x01\x02", "at byte 1: bytes after the value"},
		{"one level too many", nested(value.MaxDepth + 1), "at byte 32: nested too deep"},
		{"2 MB of nesting", nested(2 << 20), "at byte 32: nested too deep"},
		{"2 MB of maps", strings.Repeat("\x81\x01", 1<<20) + "\x01", "at byte 64: nested too deep"},
	} {
		err := value.Check([]byte(c.bytes))
		if !errors.Is(err, value.ErrMalformed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func nested(depth int) string {
	return strings.Repeat("\x91", depth-1) + "\x90"
}

func TestCheckDoesNotAllocate(t *testing.T) {
	b := []byte("\x82\xa1a\x92\x01\xc4\x01x\xa1b\xd6\xff1234")
	if n := testing.AllocsPerRun(100, func() { _ = value.Check(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Where msgpack expects a map it reads an extension's payload as one. Neither the size nor the depth found in there has
// been checked, and 9 bytes would allocate gigabytes.
func TestAnExtensionIsNotReadAsAMap(t *testing.T) {
	for name, b := range map[string]string{
		"size":  "\xd7\xff\xdf\xff\xff\xff\xff\x00\x00\x00",
		"ext8":  "\xc7\x0c\xff\xdf\x01\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00",
		"depth": "\xc9\x00\x20\x00\x00\x01" + strings.Repeat("\x81\xa1", 1<<20),
	} {
		if err := value.Check([]byte(b)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		allocates(t, name, 64<<10, func() {
			refuseBytes[map[string]any](t, b)
			refuseBytes[map[string]string](t, b)
			refuseBytes[map[int]int](t, b)
			refuseBytes[struct{ A int }](t, b)
		})
	}
}

func refuseBytes[V any](t *testing.T, b string) {
	t.Helper()
	in := unsafe.Slice(unsafe.StringData(b), len(b)) // a copy would count as allocated
	if v, err := mustCodec[V](t).Decode(in); err == nil {
		t.Errorf("%.20q decoded as %T %v", b, v, v)
	}
}

// allocates fails if f allocates more than limit bytes.
func allocates(t *testing.T, name string, limit int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > uint64(limit) {
		t.Errorf("%s: allocated %d bytes, more than %d", name, got, limit)
	}
}

func TestHostileBytesCostNothing(t *testing.T) {
	for name, b := range map[string]string{
		"1 GiB string": "\xdb\x40\x00\x00\x00", "1 GiB bytes": "\xc6\x40\x00\x00\x00", "1 GiB ext": "\xc9\x40\x00\x00\x00\xff",
		"4 billion elements": "\xdd\xff\xff\xff\xff", "2 MB of nesting": nested(2 << 20),
	} {
		allocates(t, name, 64<<10, func() {
			refuseBytes[any](t, b)
			refuseBytes[[]string](t, b)
			refuseBytes[[]byte2](t, b)
		})
	}
}

type byte2 [2]byte

// An old entry may hold what a new version of the type does not expect. msgpack panics on the first of these.
func TestTypesThatDoNotFitTheBytes(t *testing.T) {
	refuseBytes[struct{ At time.Time }](t, "\x81\xa2At\xc0")
	refuseBytes[map[any]int](t, "\x81\x90\x01")
	refuseBytes[any](t, "\x81\xc4\x01a\x01")
	refuseBytes[any](t, "\xd4\x05\x01")
	refuseBytes[string2](t, "\xa1a")
	refuseBytes[[2]int](t, "\x93\x01\x02\x03")
	refuseBytes[time.Time](t, "\xd4\xff\x01")
}

type string2 struct{ S string }

// The costliest containers are nested one-pair maps: Go makes room for eight pairs in each.
const maxGrowth = 400

func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		"", "\xc1", "\xdb\x40\x00\x00\x00", "\x82\xa1a\x92\x01\xc4\x01x\x05\xd6\xff1234", "\xd7\xff\xdf\xff\xff\xff\xff\x00\x00\x00",
		nested(40), strings.Repeat("\x81\xa0", 31) + "\x80", "\x81\xc0\xc0", "\xc7\x01\x80\x00",
	} {
		f.Add([]byte(s))
	}
	untyped, typed := mustCodec[any](f), mustCodec[everything](f)
	f.Fuzz(func(t *testing.T, b []byte) {
		ok := value.Check(b) == nil
		in := bytes.Clone(b)
		var v any
		var err error
		allocates(t, "any", maxGrowth*len(b)+64<<10, func() { v, err = untyped.Decode(b) })
		if err == nil && !ok {
			t.Errorf("%x decoded as %v, which Check refuses", b, v)
		}
		if err == nil {
			encodesAgain(t, untyped, v)
		}
		_, _ = typed.Decode(b)
		if !bytes.Equal(b, in) {
			t.Error("the input has changed")
		}
	})
}

// encodesAgain checks that what came out goes in: what Decode returns is within what Append accepts.
func encodesAgain(t *testing.T, c *value.Codec[any], v any) {
	t.Helper()
	if hasTimeKey(v) {
		return
	}
	if _, err := c.Append(nil, v); err != nil {
		t.Errorf("%#v cannot be encoded again: %v", v, err)
	}
}

// hasTimeKey finds map keys that decode, but that Append refuses.
func hasTimeKey(v any) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if hasTimeKey(e) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if hasTimeKey(e) {
				return true
			}
		}
	case map[any]any:
		for k, e := range v {
			if _, ok := k.(time.Time); ok || hasTimeKey(e) {
				return true
			}
		}
	}
	return false
}
