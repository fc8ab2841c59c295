package fsm

import "unsafe"

// Value is what an entry holds at one version: the encoded bytes with their
// version and deadline. It is immutable: a write puts another one in its
// place, so a reader needs no lock and a cut of the state no copy.
//
// Header and bytes are one allocation without pointers, which the garbage
// collector does not scan: with a slice in a struct a set costs two
// allocations, and the state machine loses a third of its throughput.
type Value struct {
	version  uint64
	deadline int64
	size     uint32
}

const valueHeader = int(unsafe.Sizeof(Value{}))

// newValue copies data, which usually lies in a batch that must not be pinned.
func newValue(version uint64, deadline int64, data []byte) *Value {
	words := make([]uint64, (valueHeader+len(data)+7)/8)
	v := (*Value)(unsafe.Pointer(unsafe.SliceData(words)))
	v.version, v.deadline, v.size = version, deadline, uint32(len(data))
	copy(v.Bytes(), data)
	return v
}

// Version is the version of the write that put it there.
func (v *Value) Version() uint64 { return v.version }

// Deadline is the moment on the cluster's clock, in nanoseconds, from which
// the entry is absent; 0 means none.
func (v *Value) Deadline() int64 { return v.deadline }

// Bytes are the encoded value. They must not be changed, and stay as they are
// for as long as somebody holds them.
//
// They are sliced off the whole allocation, not reached by adding to the
// pointer: for an empty value that would point behind the allocation, and kill
// the process when the garbage collector meets it.
func (v *Value) Bytes() []byte {
	whole := unsafe.Slice((*byte)(unsafe.Pointer(v)), valueHeader+int(v.size))
	return whole[valueHeader:]
}

// presentAt reports whether the entry is there at a moment of the cluster's clock.
func (v *Value) presentAt(now int64) bool {
	return v != nil && (v.deadline == 0 || now < v.deadline)
}
