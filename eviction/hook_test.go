package eviction

import (
	"sync"
	"testing"
	"unsafe"
)

func TestHookIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Hook[*item]{}); size != 32 {
		t.Errorf("a hook has %d bytes", size)
	}
}

func TestTouchesEndAtThree(t *testing.T) {
	var h Hook[*item]
	for want := range []int{0, 1, 2, 3, 3} {
		if got := h.Touched(); got != min(want, 3) {
			t.Errorf("%d touches after %d", got, want)
		}
		h.Touch()
	}
}

// TestTouchBesideThePolicy is for the race detector.
func TestTouchBesideThePolicy(t *testing.T) {
	eachPolicy(t, func(t *testing.T, build func(Config) policy) {
		p := build(Config{})
		all := fill(p, 0, 1000)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 20 {
					for _, e := range all {
						e.hook.Touch()
					}
				}
			})
		}
		for range 900 {
			if victim(p) == nil {
				t.Error("no victim while readers touch")
			}
		}
		wg.Wait()
	})
}

func TestStampKeeps48Bits(t *testing.T) {
	for _, clock := range []uint64{0, 1, 1 << 16, 1<<48 - 1, 0x123456789abc} {
		if got := stampOf(clock).clock(); got != clock {
			t.Errorf("%#x is kept as %#x", clock, got)
		}
	}
}
