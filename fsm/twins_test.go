package fsm

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// weakHash leaves so many bits of a hash, which choose the shard as well.
func weakHash(bits int) func(string) uint64 {
	return func(key string) uint64 { return hashOf(key) &^ (1<<(64-bits) - 1) }
}

// indexed is an index with what its owner knows of it.
type indexed struct {
	index
	sequence
	entries map[string]*Entry
	twin    map[*Entry]bool // the entries that were among the twins
	scratch []*Entry
}

func newIndexed(bits int) *indexed {
	x := &indexed{entries: make(map[string]*Entry), twin: make(map[*Entry]bool)}
	x.init(weakHash(bits))
	return x
}

func (x *indexed) found(key string) (*Entry, bool) { return x.get(x.hash(key), key) }

// put puts an entry there, and returns whether there was none.
func (x *indexed) put(key string) bool {
	e := newEntry(key)
	if !x.index.add(x.hash(key), e, int64(len(x.entries)+1)) {
		return false
	}
	x.sequence.add(e)
	x.entries[key] = e
	return true
}

func (x *indexed) drop(key string) {
	e := x.entries[key]
	x.sequence.remove(e)
	delete(x.entries, key)
	delete(x.twin, e)
	x.index.remove(x.hash(key), e, int64(len(x.entries)))
}

// shrink has the next removal begin to fill another map.
func (x *indexed) shrink() { x.most = max(shrinkFrom, int64(shrinkAt*len(x.entries))) }

func (x *indexed) move() { x.scratch = x.step(&x.sequence, x.scratch) }

// check looks all keys up. What is among the twins must stay there: a reader may have
// looked elsewhere already.
func (x *indexed) check(keys []string) error {
	for _, key := range keys {
		want, there := x.entries[key]
		if e, ok := x.found(key); ok != there || e != want {
			return fmt.Errorf("%q: found %v, there %v", key, ok, there)
		}
	}
	if n := x.maps.Load().present.Count() + len(x.twins.byKey); n > len(x.entries) || n < len(x.entries) && !x.filling() {
		return fmt.Errorf("%d entries are held, there are %d", n, len(x.entries))
	}
	for e := range x.twin {
		if !x.twins.has(e) {
			return fmt.Errorf("%q is among the twins no more", e.Key())
		}
	}
	for _, e := range x.twins.byKey {
		x.twin[e] = true
	}
	if n := x.twins.count.Load(); n != int64(len(x.twins.byKey)) {
		return fmt.Errorf("%d twins are counted, there are %d", n, len(x.twins.byKey))
	}
	return nil
}

// However many keys have the same hash, each is found as in a plain map, also while
// the index is being made anew.
func TestKeysOfOneHashAreToldApart(t *testing.T) {
	for _, bits := range []int{0, 2, 8, 64} {
		t.Run(fmt.Sprint(bits, " bits"), func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(bits), 1))
			keys := make([]string, 3*shrinkStep)
			for i := range keys {
				keys[i] = fmt.Sprint("key", i)
			}
			x := newIndexed(bits)
			filled, fills := 0, 0
			for i := range 60_000 {
				key := keys[random.IntN(len(keys))]
				switch _, there := x.entries[key]; {
				case !there || random.IntN(4) == 0:
					if x.put(key) == there {
						t.Fatalf("%q comes although there is one: %v", key, there)
					}
				default:
					if i%1000 < 10 && !x.filling() {
						x.shrink()
						fills++
					}
					x.drop(key)
				}
				if e, ok := x.found(key); ok != (x.entries[key] != nil) || e != x.entries[key] {
					t.Fatalf("%q: found %v after it was changed", key, ok)
				}
				if x.filling() && random.IntN(500) == 0 {
					filled++
					x.move()
				}
				if i%2000 == 0 {
					if err := x.check(keys); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := x.check(keys); err != nil {
				t.Error(err)
			}
			if twins := x.twins.count.Load(); filled < 20 || fills < 5 || (twins == 0) != (bits == 64) {
				t.Errorf("%d steps in %d fillings and %d twins: too few for this test", filled, fills, twins)
			}
			for key := range x.entries {
				x.drop(key)
			}
			for x.filling() {
				x.move()
			}
			if err := x.check(keys); err != nil || !x.twins.none() || x.maps.Load().present.Count() > 0 {
				t.Errorf("the empty index: %v, %d twins", err, len(x.twins.byKey))
			}
		})
	}
}

// A reader finds an entry that is there all the while, whatever comes and goes
// under its hash, and never another one.
func TestReadersNeverMissATwin(t *testing.T) {
	for _, c := range []struct{ bits, rest int }{{0, 0}, {1, 0}, {12, 2 * shrinkStep}} {
		t.Run(fmt.Sprint(c.bits, " bits"), func(t *testing.T) { readersNeverMissATwin(t, c.bits, c.rest) })
	}
}

func readersNeverMissATwin(t *testing.T, bits, rest int) {
	const others, staying = 12, 4
	random := rand.New(rand.NewPCG(uint64(bits), 2))
	x := newIndexed(bits)
	for i := range rest { // so that to move them takes several steps
		x.put(fmt.Sprint("rest", i))
	}
	for i := range others { // most of the first under their hash go, and leave their place
		x.put(fmt.Sprint("go", i))
	}
	var stay []string
	for i := range staying {
		stay = append(stay, fmt.Sprint("stay", i))
		x.put(stay[i])
	}
	entries := make([]*Entry, len(stay))
	for i, key := range stay {
		entries[i] = x.entries[key]
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for i := 0; ; i = (i + 1) % len(stay) {
				select {
				case <-stop:
					return
				default:
				}
				if e, _ := x.found(stay[i]); e != entries[i] {
					t.Errorf("%q is missed", stay[i])
					return
				}
				if e, ok := x.found("go0"); ok && e.Key() != "go0" {
					t.Errorf("%q for go0", e.Key())
					return
				}
			}
		})
	}
	for range 20_000 {
		key := fmt.Sprint("go", random.IntN(others))
		if x.entries[key] == nil {
			x.put(key)
		} else {
			if random.IntN(20+rest/5) == 0 && !x.filling() {
				x.shrink()
			}
			x.drop(key)
		}
		if x.filling() && random.IntN(10) == 0 {
			x.move()
		}
	}
	close(stop)
	readers.Wait()
	if err := x.check(stay); err != nil {
		t.Error(err)
	}
}

// What a machine holds does not depend on the hash by which its index finds it.
func TestTheHashIsNoPartOfTheState(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	machines := []*replica{newReplica(t), newReplica(t), newReplica(t)}
	for i, bits := range []int{64, 5, 0} {
		machines[i].do(1, clearMap())
		machines[i].Table(sessions.Name).contents.Load().items.init(weakHash(bits))
	}
	for now := second; now < 60*second; now += second {
		var ops []op
		for range 50 {
			key := fmt.Sprint(random.IntN(500))
			switch random.IntN(5) {
			case 0:
				ops = append(ops, del(key))
			case 1:
				ops = append(ops, set(key, "v", noTTL))
			default:
				ops = append(ops, setIfAbsent(key, "w"), set(key, "x", explicit(1+random.Int64N(30*second))))
			}
		}
		threshold, due := machines[random.IntN(len(machines))].Due(now, 20)
		for _, m := range machines {
			if m.do(now, ops...); due {
				m.apply(now, &threshold)
			}
			if m.hash() != machines[0].hash() {
				t.Fatalf("the states differ after %d s", now/second)
			}
		}
	}
	if n := machines[0].Account().Entries; n < 100 || machines[0].Expirations() < 100 {
		t.Errorf("%d entries, %d expirations: too few for this test", n, machines[0].Expirations())
	}
}
