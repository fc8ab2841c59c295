package command

import "encoding/binary"

// Target names the map of an operation.
type Target struct {
	Type MapType
	Name string
}

// The Append functions add one operation to dst. patience is in milliseconds
// after the part's base. They check nothing: limits are for the public face
// and for [CheckOps].

// AppendSet adds a Set or a SetIfAbsent.
func AppendSet(dst []byte, k Kind, patience uint64, m Target, key string, ttl TTL, value []byte) []byte {
	dst = appendHead(dst, k, patience, m)
	dst = appendBytes(dst, key)
	dst = appendTTL(dst, ttl)
	return appendBytes(dst, value)
}

// AppendCompareAndSwap adds a CompareAndSwap; old 0 means that nothing may be there.
func AppendCompareAndSwap(dst []byte, patience uint64, m Target, key string, old uint64, ttl TTL, value []byte) []byte {
	dst = appendHead(dst, CompareAndSwap, patience, m)
	dst = appendBytes(dst, key)
	dst = binary.AppendUvarint(dst, old)
	dst = appendTTL(dst, ttl)
	return appendBytes(dst, value)
}

// AppendSetMany adds the head of a SetMany of n pairs; [AppendPair] must
// follow n times.
func AppendSetMany(dst []byte, patience uint64, m Target, ttl TTL, n int) []byte {
	dst = appendHead(dst, SetMany, patience, m)
	dst = appendTTL(dst, ttl)
	return binary.AppendUvarint(dst, uint64(n))
}

// AppendPair adds a pair of a SetMany.
func AppendPair(dst []byte, key string, value []byte) []byte {
	return appendBytes(appendBytes(dst, key), value)
}

// AppendDelete adds a Delete of keys.
func AppendDelete(dst []byte, patience uint64, m Target, keys []string) []byte {
	dst = appendHead(dst, Delete, patience, m)
	dst = binary.AppendUvarint(dst, uint64(len(keys)))
	for _, key := range keys {
		dst = appendBytes(dst, key)
	}
	return dst
}

// AppendCompareAndDelete adds a CompareAndDelete.
func AppendCompareAndDelete(dst []byte, patience uint64, m Target, key string, old uint64) []byte {
	dst = appendHead(dst, CompareAndDelete, patience, m)
	dst = appendBytes(dst, key)
	return binary.AppendUvarint(dst, old)
}

// AppendTouch adds a Touch; ttl 0 takes the deadline away.
func AppendTouch(dst []byte, patience uint64, m Target, key string, ttl int64) []byte {
	dst = appendHead(dst, Touch, patience, m)
	dst = appendBytes(dst, key)
	return binary.AppendUvarint(dst, uint64(ttl))
}

// AppendClear adds a Clear.
func AppendClear(dst []byte, patience uint64, m Target) []byte {
	return appendHead(dst, Clear, patience, m)
}

// Option is one option of a map, as a Declare carries it.
type Option struct {
	Field Field
	Value uint64
}

// AppendDeclare adds a Declare of options.
func AppendDeclare(dst []byte, patience uint64, m Target, options []Option) []byte {
	dst = appendHead(dst, Declare, patience, m)
	dst = binary.AppendUvarint(dst, uint64(len(options)))
	for _, o := range options {
		dst = append(dst, byte(o.Field))
		dst = binary.AppendUvarint(dst, o.Value)
	}
	return dst
}

// AppendMarker adds a Marker.
func AppendMarker(dst []byte, patience uint64) []byte {
	return binary.AppendUvarint(append(dst, byte(Marker)), patience)
}

// AppendNothing adds a Nothing.
func AppendNothing(dst []byte) []byte { return append(dst, byte(Nothing), 0) }

func appendHead(dst []byte, k Kind, patience uint64, m Target) []byte {
	dst = append(dst, byte(k))
	dst = binary.AppendUvarint(dst, patience)
	dst = append(dst, byte(m.Type))
	return appendBytes(dst, m.Name)
}

func appendTTL(dst []byte, ttl TTL) []byte {
	var explicit byte
	if ttl.Explicit {
		explicit = 1
	}
	return binary.AppendUvarint(append(dst, explicit), uint64(ttl.Nanoseconds))
}

func appendBytes[B ~string | ~[]byte](dst []byte, b B) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}
