package local

import (
	"testing"
	"time"
)

// TestEveryCacheIsReadAndFilled: what is set is found, in all of them.
func TestEveryCacheIsReadAndFilled(t *testing.T) {
	for _, kind := range Kinds {
		t.Run(kind.Name, func(t *testing.T) {
			h := new(Host)
			if _, err := h.open(kind.Name); err != nil {
				t.Fatal(err)
			}
			r, err := h.reads(ReadsArgs{Procs: 2, For: time.Millisecond})
			if err != nil || r.Nanoseconds <= 0 {
				t.Errorf("reads: %+v, %v", r, err)
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
			f, err := fill(FillArgs{Kind: kind.Name, Entries: 10_000})
			if err != nil || f.Heap < 10_000*116 {
				t.Errorf("fill: %+v, %v", f, err)
			}
		})
	}
}

func TestUnknownCacheIsRefused(t *testing.T) {
	if _, err := new(Host).open("none"); err == nil {
		t.Error("no error")
	}
	if _, err := fill(FillArgs{Kind: "none"}); err == nil {
		t.Error("no error")
	}
}
