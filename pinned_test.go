package imdgo_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/inelpandzic/imdgo"
)

// Whoever keeps a key that All came up with keeps no more than that key: neither
// its entry nor, once the map has been cleared, all that was linked with it.
func TestAKeyKeepsNothingElse(t *testing.T) {
	c, err := imdgo.New(imdgo.WithMemoryLimit(64 << 20))
	ok(t, err)
	defer c.Close()
	ok(t, c.Ready(ctx))
	m, err := imdgo.OpenMap[string, []byte](c, "m")
	ok(t, err)
	for i := range 200 {
		ok(t, m.Set(ctx, fmt.Sprint("key", i), make([]byte, 64<<10)))
	}
	var kept string
	for k := range m.All() {
		kept = k
	}
	ok(t, m.Clear(ctx))
	ok(t, m.Set(ctx, "other", nil))
	held := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	with := held()
	runtime.KeepAlive(kept)
	kept = ""
	without := held()
	if with > without+1<<20 {
		t.Errorf("one key keeps %d bytes", with-without)
	}
}
