package fsm

import "unsafe"

// alias is b as a string without a copy, for looking something up and for
// nothing else: a key that aliases the batch and is kept would pin the batch,
// and change when its buffer is used again.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
