package fsm

import (
	"runtime"
	"strings"
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

// Keys of all lengths come back, also when the garbage collector has been by, and
// an entry takes with its key what it is accounted for.
func TestAnEntryHoldsItsKey(t *testing.T) {
	var entries []*Entry
	for n := range 300 {
		entries = append(entries, newEntry(strings.Repeat(string(rune('a'+n%26)), n)))
	}
	runtime.GC()
	for n, e := range entries {
		if want := strings.Repeat(string(rune('a'+n%26)), n); e.Key() != want {
			t.Fatalf("%q, want %q", e.Key(), want)
		}
		room := unsafe.Sizeof(entryFar{}) + uintptr(allocated(n))
		if n <= inlineMost {
			_, behind := allocateEntry(n)
			room = entrySize + uintptr(len(behind))
		}
		if got := entryBytes(n); got != allocated(int(room)) && n <= inlineMost || n > inlineMost && got != 80+allocated(n) {
			t.Fatalf("a key of %d bytes is accounted for as %d bytes, it takes %d", n, got, room)
		}
	}
}
