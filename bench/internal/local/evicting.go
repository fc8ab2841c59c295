package local

import (
	"time"

	"github.com/Yiling-J/theine-go"
	"github.com/dgraph-io/ristretto/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/maypok86/otter/v2"
)

// spare is room beyond the entries, so that none is evicted while it is filled.
const spare = 1.25

func room(capacity int) int { return int(float64(capacity) * spare) }

type otterCache[V any] struct {
	c     *otter.Cache[string, V]
	clock *otter.CoarseClock // may be nil
}

func newOtter[V any](capacity int) (Cache[V], error) {
	c, err := otter.New(otterOptions[V](capacity))
	return &otterCache[V]{c: c}, err
}

func newOtterCoarse[V any](capacity int) (Cache[V], error) {
	o := otterOptions[V](capacity)
	clock := otter.NewCoarseClock(10 * time.Millisecond)
	o.Clock = clock
	c, err := otter.New(o)
	return &otterCache[V]{c: c, clock: clock}, err
}

func otterOptions[V any](capacity int) *otter.Options[string, V] {
	return &otter.Options[string, V]{MaximumSize: room(capacity), ExpiryCalculator: otter.ExpiryWriting[string, V](TTL)}
}

func (c *otterCache[V]) Set(key string, value V) error { c.c.Set(key, value); return nil }
func (c *otterCache[V]) Settle()                       { c.c.CleanUp() }

func (c *otterCache[V]) Close() error {
	c.c.StopAllGoroutines()
	if c.clock != nil {
		c.clock.Stop()
	}
	return nil
}

func (c *otterCache[V]) Read(keys []string, from, n int) (found int) {
	for i := from; i < from+n; i++ {
		if _, ok := c.c.GetIfPresent(keys[i%len(keys)]); ok {
			found++
		}
	}
	return found
}

type ristrettoCache[V any] struct{ c *ristretto.Cache[string, V] }

func newRistretto[V any](capacity int) (Cache[V], error) {
	// The least cost leaves the entries' bookkeeping out, as the others do.
	c, err := ristretto.NewCache(&ristretto.Config[string, V]{NumCounters: int64(10 * capacity), MaxCost: int64(room(capacity)),
		BufferItems: 64, IgnoreInternalCost: true})
	return &ristrettoCache[V]{c}, err
}

// Set waits now and then: a full buffer drops entries.
func (c *ristrettoCache[V]) Set(key string, value V) error {
	for !c.c.SetWithTTL(key, value, 1, TTL) {
		c.c.Wait()
	}
	return nil
}

func (c *ristrettoCache[V]) Settle()      { c.c.Wait() }
func (c *ristrettoCache[V]) Close() error { c.c.Close(); return nil }

func (c *ristrettoCache[V]) Read(keys []string, from, n int) (found int) {
	for i := from; i < from+n; i++ {
		if _, ok := c.c.Get(keys[i%len(keys)]); ok {
			found++
		}
	}
	return found
}

type theineCache[V any] struct{ c *theine.Cache[string, V] }

func newTheine[V any](capacity int) (Cache[V], error) {
	c, err := theine.NewBuilder[string, V](int64(room(capacity))).Build()
	return &theineCache[V]{c}, err
}

func (c *theineCache[V]) Set(key string, value V) error {
	c.c.SetWithTTL(key, value, 1, TTL)
	return nil
}

func (c *theineCache[V]) Settle()      { c.c.Wait() }
func (c *theineCache[V]) Close() error { c.c.Close(); return nil }

func (c *theineCache[V]) Read(keys []string, from, n int) (found int) {
	for i := from; i < from+n; i++ {
		if _, ok := c.c.Get(keys[i%len(keys)]); ok {
			found++
		}
	}
	return found
}

type lruCache[V any] struct{ c *lru.Cache[string, V] }

func newLRU[V any](capacity int) (Cache[V], error) {
	c, err := lru.New[string, V](room(capacity))
	return &lruCache[V]{c}, err
}

func (c *lruCache[V]) Set(key string, value V) error { c.c.Add(key, value); return nil }
func (c *lruCache[V]) Settle()                       {}
func (c *lruCache[V]) Close() error                  { return nil }

func (c *lruCache[V]) Read(keys []string, from, n int) (found int) {
	for i := from; i < from+n; i++ {
		if _, ok := c.c.Get(keys[i%len(keys)]); ok {
			found++
		}
	}
	return found
}
