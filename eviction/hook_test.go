package eviction

import (
	"sync"
	"testing"
	"unsafe"
)

func TestHookIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(Hook[*item]{}); size != 24 {
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

// What a hook keeps in one word comes back, whatever else is in it.
func TestAHookKeepsWhatIsPutIntoIt(t *testing.T) {
	var h Hook[*item]
	for _, count := range []uint32{0, 1, 0x1234567, countMask, countMask + 5} {
		for at := nowhere; at <= condemned; at++ {
			for from := nowhere; from <= condemned; from++ {
				h.setCount(count)
				h.setAt(at)
				h.setFrom(from)
				h.setCount(count)
				if h.at() != at || h.from() != from || h.count() != count&countMask {
					t.Fatalf("%d, %d, %d is kept as %d, %d, %d", count, at, from, h.count(), h.at(), h.from())
				}
			}
		}
	}
}

// A flag and touches leave each other alone.
func TestAFlagIsTakenOnce(t *testing.T) {
	var h Hook[*item]
	h.Touch()
	if !h.Flag() || h.Flag() || h.Touched() != 1 {
		t.Error("the first takes it, nobody else does, and it is no touch")
	}
	h.setTouched(3)
	h.Touch()
	if h.Flag() || h.Touched() != 3 {
		t.Error("the flag has gone")
	}
	h.Unflag()
	if !h.Flag() || h.Touched() != 3 {
		t.Error("it can be taken again")
	}
}

// Dates are right to within a sixteenth of as many additions as there are
// entries, as far back as four times as many, also when the count wraps around.
func TestDatesAreAboutRight(t *testing.T) {
	for _, entries := range []int{1, 10, 1000} {
		var d dates
		first := ^uint32(0) - 3000
		for i := range uint32(10_000) {
			d.note(first+i, uint64(i), entries)
		}
		for age := range uint32(3 * entries) {
			want, got := 10_000-1-uint64(age), d.read(age, first+10_000-1)
			if got > want || want-got > uint64(entries/perLength) {
				t.Fatalf("%d entries: %d additions ago the clock read %d, not %d", entries, age, want, got)
			}
		}
	}
}
