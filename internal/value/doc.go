// Package value turns users' keys and values into bytes and back.
//
// Everything that enters the replicated state goes through here once, so the package refuses early what could not come
// back: [NewCodec] walks a type before the first value is stored, [Codec.Append] looks at what an `any` holds and at how
// deep a value nests, and [Check] walks bytes before the msgpack library, which trusts length prefixes and recurses
// without limit, sees them.
//
// # What may be stored
//
// Booleans, integers, floats, strings, byte slices, time.Time, and pointers, slices, arrays, maps and structs of them;
// `any` wherever it stands; and types that encode and decode themselves (msgpack.CustomEncoder, msgpack.Marshaler,
// encoding.BinaryMarshaler, encoding.TextMarshaler, each with its counterpart, in this order). Recursive types are
// welcome as long as a value nests at most [MaxDepth] deep. Refused, naming the field, is what msgpack would drop,
// change or choke on: unexported fields that are not tagged `msgpack:"-"`, channels, functions, complex numbers,
// uintptr, interfaces with methods, map keys that are not the same after decoding (pointers, time.Time), two fields
// under one name, embedded pointers, types with only one half of a pair of methods, and a few more.
//
// # What comes back
//
// The value that went in, when it is decoded into the type that it was stored from (nothing in the bytes names a type,
// and msgpack cuts an int64 that meets an int8), with these exceptions:
//
//   - time.Time keeps its instant. Its location and its monotonic reading are not kept: it comes back in time.Local.
//   - A nil and an empty slice, map or byte slice stay distinct, except where V itself is a kind of []byte (held as it
//     is, so nil comes back empty), and in fields tagged omitempty, whose empty values come back as the zero value.
//   - A pointer to something that is stored as nil (a nil slice, a nil pointer) comes back as a nil pointer.
//   - Pointers that shared a target point to copies of it.
//   - What a type that encodes itself leaves out is its own affair.
//
// Inside an `any` there is no type to decode into. Strings, booleans, floats of either size, time.Time and nil come
// back as they were; integers of every size as int64, and as uint64 only above math.MaxInt64; byte slices and byte
// arrays as []byte; other slices and arrays as []any; maps and structs as map[string]any, or map[any]any when a key is
// not a string; named types as their basic kind; pointers as what they point to; a type that encodes itself as what it
// encodes to, which is []byte for binary and text marshalers. A nil slice, map or pointer comes back as a plain nil.
package value
