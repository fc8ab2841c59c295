package fsm

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/inelpandzic/imdgo/internal/command"
)

// thin deletes the keys from..to of fill, all but every keep-th.
func (r *replica) thin(from, to, keep int) {
	var keys []string
	for i := from; i < to; i++ {
		if i%keep != 0 {
			keys = append(keys, fmt.Sprint("key", i))
		}
	}
	r.do(r.Clock(), del(keys...))
}

// A map that has lost most of its entries gets another index, while it is read
// and written, and finds everything all the while.
func TestTheIndexIsMadeAnewBehindReaders(t *testing.T) {
	const n, keep = shrinkFrom + 1000, 10
	m := newReplica(t)
	fill(m, n, func(int) int64 { return 0 })
	m.thin(0, n, keep)
	if !m.Refilling() {
		t.Fatalf("%d of %d entries are left and the index stays", m.Table(sessions.Name).Len(), n)
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for i := 0; ; i += keep {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprint("key", i%n/keep*keep)
				if e, v := m.Table(sessions.Name).Lookup(sessions.Type, key); e == nil || v == nil || e.Key() != key {
					t.Errorf("%s is not found", key)
					return
				}
			}
		})
	}
	for i := 0; m.Refilling(); i++ {
		if err := m.invariants(); err != nil {
			t.Fatal(err)
		}
		was := m.Table(sessions.Name).Len()
		m.do(m.Clock(), set(fmt.Sprint("new", i), "v", command.TTL{}), setIfAbsent("key0", "v"),
			set(fmt.Sprint("gone", i), "v", command.TTL{}), del(fmt.Sprint("gone", i), fmt.Sprint("new", i-1)))
		if is := m.Table(sessions.Name).Len(); is != was && i > 0 {
			t.Fatalf("%d entries, there were %d", is, was)
		}
		if i > n/shrinkStep+1 {
			t.Fatal("it does not end")
		}
	}
	close(stop)
	readers.Wait()
	for _, e := range m.scratch[:cap(m.scratch)] {
		if e != nil {
			t.Fatalf("%s is held on to after the index has been made", e.Key())
		}
	}
}

// What a map took for a million entries is given back when a thousand are left.
func TestMemoryIsGivenBack(t *testing.T) {
	const n = 4 * shrinkFrom
	m := newReplica(t)
	live := func() int64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	empty := live()
	fill(m, n, func(int) int64 { return 0 })
	full := live() - empty
	m.thin(0, n, 1000)
	for m.Refilling() {
		m.do(m.Clock())
	}
	m.do(1000*hour, marker()) // the results of all that are no longer kept
	if left := live() - empty; left > full/20 {
		t.Errorf("%d bytes of %d are still taken", left, full)
	}
}
