package fsm

import (
	"testing"
	"unsafe"
)

// With the 16 bytes of a short key an entry is in Go's size class of 80 bytes,
// which has no room to spare: a field more takes 16 bytes of every entry.
func TestAnEntryTakes64Bytes(t *testing.T) {
	if size := unsafe.Sizeof(Entry{}); size != 64 {
		t.Errorf("an entry is %d bytes", size)
	}
}
