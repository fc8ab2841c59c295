package imdgo

import (
	"sync/atomic"
	"unsafe"
)

// stripes is how many parts a counter has. It is for two readers on two cores
// to seldom meet on one cache line: a single counter costs a parallel Get 20 to
// 40 ns.
const (
	stripeBits = 5
	stripes    = 1 << stripeBits
)

// counter counts what happens on the hot path.
type counter [stripes]struct {
	n atomic.Uint64
	_ [56]byte // the rest of the cache line
}

// add counts one. It picks the stripe by where the caller's stack is: so one
// goroutine stays with one stripe, and two that run at the same time have seldom
// the same one. By the key, the two cores that read it would meet there half of the
// time, and a Get on both took 46 ns instead of 24.
func (c *counter) add() {
	var here byte
	c[uint64(uintptr(unsafe.Pointer(&here))>>11)*0x9e3779b97f4a7c15>>(64-stripeBits)].n.Add(1)
}

func (c *counter) total() (sum uint64) {
	for i := range c {
		sum += c[i].n.Load()
	}
	return sum
}
