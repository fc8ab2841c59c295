package fsm

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/inelpandzic/imdgo/internal/command"
)

// recount compares what is kept count of with what there is.
func (c *copies) recount(tables map[string]*Table) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	places, gone, used := map[*Entry]bool{}, int64(0), int64(0)
	for _, p := range c.queue[c.first:] {
		if places[p.entry] {
			return fmt.Errorf("%q has two places", p.entry.Key())
		}
		places[p.entry] = true
		switch d := p.entry.decoded.Load(); d {
		case nil:
			return fmt.Errorf("%q has a place and does not know", p.entry.Key())
		case noCopy:
			gone++
		default:
			used += d.size()
		}
	}
	for _, t := range tables {
		if c := t.contents.Load(); c != nil {
			var err error
			c.sequence.each(func(e *Entry) {
				if e.decoded.Load() != nil && !places[e] {
					err = fmt.Errorf("%q has something decoded and no place", e.Key())
				}
			})
			if err != nil {
				return err
			}
		}
	}
	if c.gone.Load() != gone || c.used.Load() != used || used > c.limit {
		return fmt.Errorf("%d bytes of %d, %d places of nothing; counted %d and %d", used, c.limit, gone, c.used.Load(), c.gone.Load())
	}
	return nil
}

// Readers decode while values are overwritten, deleted and cleared, and there is
// room for some of what they decode only.
func TestDecodedValuesKeepWithinTheirLimit(t *testing.T) {
	const keys, limit = 400, 20_000
	r := newReplica(t)
	r.LimitDecoded(limit)
	table := r.Table(sessions.Name)
	stop := make(chan struct{})
	var reading sync.WaitGroup
	for i := range 3 {
		reading.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			for {
				select {
				case <-stop:
					return
				default:
				}
				e, v := table.Lookup(sessions.Type, fmt.Sprint(random.IntN(keys)))
				if v != nil && e.Decoded(v) == nil {
					table.KeepDecoded(e, v, v.Version())
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(0, 0))
	for range 1000 {
		key := fmt.Sprint(random.IntN(keys))
		switch random.IntN(200) {
		case 0:
			r.do(0, clearMap())
		case 1, 2, 3, 4, 5:
			r.do(0, del(key))
		case 6, 7, 8:
			r.do(0, touch(key, hour))
		default:
			r.do(0, set(key, string(make([]byte, random.IntN(200))), noTTL))
		}
	}
	close(stop)
	reading.Wait()
	r.copies.trim() // what the last readers left
	if err := r.copies.recount(r.tables); err != nil {
		t.Error(err)
	}
}

// What is read stays decoded while what is not comes and goes.
func TestADecodedValueThatIsReadStays(t *testing.T) {
	r := newReplica(t)
	r.LimitDecoded(10 * (decodedOverhead + 1))
	table := r.Table(sessions.Name)
	r.do(0, set("hot", "v", noTTL))
	hot, v := table.Lookup(sessions.Type, "hot")
	table.KeepDecoded(hot, v, "decoded")
	for i := range 1000 {
		key := fmt.Sprint(i)
		r.do(0, set(key, "v", noTTL))
		if e, v := table.Lookup(sessions.Type, key); e != nil {
			table.KeepDecoded(e, v, i)
		}
		if hot.Decoded(v) != "decoded" {
			t.Fatalf("gone after %d others", i)
		}
	}
	if used := r.DecodedBytes(); used == 0 || used > 10*(decodedOverhead+1) {
		t.Errorf("%d bytes", used)
	}
}

// Values that come, are read and go leave no places behind, however many.
func TestPlacesOfWhatHasGoneAreTakenOut(t *testing.T) {
	r := newReplica(t)
	table := r.Table(sessions.Name)
	sequence := uint64(0)
	do := func(o op) {
		sequence++
		r.apply(0, nil, partOf(1, sequence, sequence, 0, o))
	}
	for i := range 20_000 {
		key := fmt.Sprint(i)
		do(set(key, "v", noTTL))
		e, v := table.Lookup(sessions.Type, key)
		table.KeepDecoded(e, v, i)
		do(del(key))
	}
	if n := len(r.copies.queue); n > 5000 || r.DecodedBytes() != 0 {
		t.Errorf("%d places, %d bytes", n, r.DecodedBytes())
	}
	r.do(0, set("k", "v", noTTL))
	e, v := table.Lookup(sessions.Type, "k")
	table.KeepDecoded(e, v, 1)
	r.do(0, command.AppendClear(nil, patience, sessions), set("l", "v", noTTL))
	e, v = table.Lookup(sessions.Type, "l")
	table.KeepDecoded(e, v, 2)
	if err := r.copies.recount(r.tables); err != nil || len(r.copies.queue)-r.copies.first != 1 {
		t.Errorf("after a clear %d places, %v", len(r.copies.queue)-r.copies.first, err)
	}
}

func TestWithoutRoomNothingIsKept(t *testing.T) {
	r := newReplica(t)
	r.LimitDecoded(0)
	table := r.Table(sessions.Name)
	r.do(0, set("k", "v", noTTL))
	e, v := table.Lookup(sessions.Type, "k")
	table.KeepDecoded(e, v, "decoded")
	if e.Decoded(v) != nil || r.DecodedBytes() != 0 {
		t.Error("kept")
	}
}
