package fsm

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// Readers of more keys than the front has places for see each key's versions in
// their order, and nothing of a key after its removal was seen, while entries are
// overwritten, removed and come again under the same keys.
func TestTheFrontShowsWhatTheMapHolds(t *testing.T) {
	for _, bits := range []int{64, 9, 0} {
		t.Run(fmt.Sprint("hashes of ", bits, " bits"), func(t *testing.T) { frontShowsWhatTheMapHolds(t, weakHash(bits)) })
	}
}

func frontShowsWhatTheMapHolds(t *testing.T, hash func(string) uint64) {
	const keys = 4 * frontSets
	r := newReplica(t)
	r.do(1, clearMap())
	r.Table(sessions.Name).contents.Load().items.init(hash)
	table, sequence := r.Table(sessions.Name), uint64(0)
	do := func(ops ...op) {
		sequence++
		r.apply(1, nil, partOf(1, sequence, sequence, 1, ops...))
		sequence += uint64(len(ops))
	}
	for i := range keys {
		do(set(fmt.Sprint(i), "v", noTTL))
	}
	stop := make(chan struct{})
	var reading sync.WaitGroup
	for n := range 3 {
		reading.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 0))
			last := make(map[string]uint64)
			for {
				select {
				case <-stop:
					return
				default:
				}
				key := fmt.Sprint(random.IntN(1 + random.IntN(keys))) // some more often
				e, v := table.Lookup(sessions.Type, key)
				if v == nil {
					continue
				}
				if e.Key() != key || v.Version() < last[key] {
					t.Errorf("%s: entry %q, version %d after %d", key, e.Key(), v.Version(), last[key])
					return
				}
				last[key] = v.Version()
			}
		})
	}
	random := rand.New(rand.NewPCG(9, 9))
	for range 4000 {
		key := fmt.Sprint(random.IntN(1 + random.IntN(keys)))
		if random.IntN(2) == 0 {
			do(del(key))
			if e, v := table.Lookup(sessions.Type, key); v != nil {
				t.Fatalf("%q is found after its removal: %q", key, e.Key())
			}
		} else {
			do(set(key, "w", noTTL))
			if _, v := table.Lookup(sessions.Type, key); v == nil || string(v.Bytes()) != "w" {
				t.Fatalf("%q is not found as it was written", key)
			}
		}
	}
	close(stop)
	reading.Wait()
	do(clearMap())
	for i := range keys {
		if e, _ := table.Lookup(sessions.Type, fmt.Sprint(i)); e != nil {
			t.Fatalf("%q is found after a clear", e.Key())
		}
	}
}

// A hot key is found without the map, and where many share a set they do not take
// each other's place all the time.
func TestTheFrontKeepsWhatIsRead(t *testing.T) {
	r := newReplica(t)
	var ops []op
	for i := range frontFrom {
		ops = append(ops, set(fmt.Sprint(i), "v", noTTL))
	}
	r.do(1, ops...)
	table := r.Table(sessions.Name)
	c := table.contents.Load()
	found := 0
	for range 2 {
		found = 0
		for i := range frontFrom {
			if _, v := c.front.get(c.items.hash(fmt.Sprint(i)), fmt.Sprint(i)); v != nil {
				found++
			}
			table.Lookup(sessions.Type, fmt.Sprint(i))
		}
	}
	if found < frontFrom*95/100 {
		t.Errorf("%d of %d keys that were read are found", found, frontFrom)
	}
}
