package value

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strings"
	"unsafe"
)

// KeyKind says how the keys of a map are encoded. Its numbers are replicated state: append only.
type KeyKind uint8

// The kinds of keys.
const (
	String  KeyKind = 1 // the bytes of the string
	Int     KeyKind = 2 // every signed integer: 8 bytes, big endian, sign bit flipped
	Uint    KeyKind = 3 // every unsigned integer: 8 bytes, big endian
	Bytes16 KeyKind = 4 // the 16 bytes of an array
)

// String returns the kind's name as it stands in messages.
func (k KeyKind) String() string {
	switch k {
	case String:
		return "string"
	case Int:
		return "int"
	case Uint:
		return "uint"
	case Bytes16:
		return "[16]byte"
	}
	return fmt.Sprintf("KeyKind(%d)", uint8(k))
}

// Key is what a map's keys can be. Within one kind the order of encoded keys is the order of the keys themselves.
type Key interface {
	~string | ~int | ~int32 | ~int64 | ~uint | ~uint32 | ~uint64 | ~[16]byte
}

const signBit = 1 << 63

// KeyKindOf returns how keys of type K are encoded.
func KeyKindOf[K Key]() KeyKind {
	switch reflect.TypeFor[K]().Kind() {
	case reflect.String:
		return String
	case reflect.Array:
		return Bytes16
	case reflect.Int, reflect.Int32, reflect.Int64:
		return Int
	default:
		return Uint
	}
}

// EncodeKey returns the bytes of k. For string kinds that is k itself, without a copy.
func EncodeKey[K Key](k K) string {
	// A type switch on any(k) would miss named types and box the key, so k's memory is read as its kind says.
	p := unsafe.Pointer(&k)
	switch reflect.TypeFor[K]().Kind() {
	case reflect.String:
		return *(*string)(p)
	case reflect.Array:
		return string((*(*[16]byte)(p))[:])
	case reflect.Int, reflect.Int32, reflect.Int64:
		return encodeUint64(uint64(loadInt(p, unsafe.Sizeof(k))) ^ signBit)
	default:
		return encodeUint64(loadUint(p, unsafe.Sizeof(k)))
	}
}

// DecodeKey is the inverse of EncodeKey. It fails when s is not the encoding of any K. The key is a copy: s may lie in
// an entry, which would stay with whoever keeps the key, and with the entry all that is linked to it.
func DecodeKey[K Key](s string) (K, error) {
	var k K
	p := unsafe.Pointer(&k)
	kind := KeyKindOf[K]()
	if kind == String {
		*(*string)(p) = strings.Clone(s)
		return k, nil
	}
	if want := keyLen(kind); len(s) != want {
		return k, fmt.Errorf("value: decode key of type %T: %d bytes instead of %d", k, len(s), want)
	}
	if kind == Bytes16 {
		copy((*(*[16]byte)(p))[:], s)
		return k, nil
	}
	if !storeInteger(p, unsafe.Sizeof(k), kind, decodeUint64(s)) {
		return k, fmt.Errorf("value: decode key of type %T: %x is out of range", k, s)
	}
	return k, nil
}

func keyLen(k KeyKind) int {
	if k == Bytes16 {
		return 16
	}
	return 8
}

func encodeUint64(u uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], u)
	return string(b[:])
}

func decodeUint64(s string) uint64 {
	var b [8]byte
	copy(b[:], s)
	return binary.BigEndian.Uint64(b[:])
}

// loadInt reads the signed integer of size bytes at p.
func loadInt(p unsafe.Pointer, size uintptr) int64 {
	if size == 4 {
		return int64(*(*int32)(p))
	}
	return *(*int64)(p)
}

// loadUint reads the unsigned integer of size bytes at p.
func loadUint(p unsafe.Pointer, size uintptr) uint64 {
	if size == 4 {
		return uint64(*(*uint32)(p))
	}
	return *(*uint64)(p)
}

// storeInteger writes the encoded integer u at p, and reports false where it does not fit into size bytes.
func storeInteger(p unsafe.Pointer, size uintptr, kind KeyKind, u uint64) bool {
	switch {
	case kind == Int && size == 4:
		n := int64(u ^ signBit)
		*(*int32)(p) = int32(n)
		return n >= math.MinInt32 && n <= math.MaxInt32
	case kind == Int:
		*(*int64)(p) = int64(u ^ signBit)
	case size == 4:
		*(*uint32)(p) = uint32(u)
		return u <= math.MaxUint32
	default:
		*(*uint64)(p) = u
	}
	return true
}
