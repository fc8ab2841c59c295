package local

import (
	"context"
	"errors"
	"sync"

	cmap "github.com/orcaman/concurrent-map/v2"

	"github.com/inelpandzic/imdgo"
)

type imdgoCache[V any] struct {
	cache   *imdgo.Cache
	entries *imdgo.Map[string, V]
	unsent  map[string]V // up to a batch of them
}

func newImdgo[V any](int) (Cache[V], error) {
	cache, err := imdgo.New(&imdgo.Config{LogLevel: "error"})
	if err != nil {
		return nil, err
	}
	entries, err := imdgo.OpenMap[string, V](cache, "bench", imdgo.TTL(TTL))
	if err != nil {
		return nil, errors.Join(err, cache.Close())
	}
	return &imdgoCache[V]{cache: cache, entries: entries}, nil
}

// Set gathers a hundred, as one alone waits for its round.
func (c *imdgoCache[V]) Set(key string, value V) error {
	if c.unsent == nil {
		c.unsent = make(map[string]V)
	}
	c.unsent[key] = value
	if len(c.unsent) < 100 {
		return nil
	}
	return c.send()
}

func (c *imdgoCache[V]) send() error {
	err := c.entries.SetMany(context.Background(), c.unsent)
	clear(c.unsent)
	return err
}

func (c *imdgoCache[V]) Settle() {
	if len(c.unsent) > 0 {
		_ = c.send() // who reads will miss them
	}
	c.unsent = nil
}

func (c *imdgoCache[V]) Read(keys []string, from, n int) (found int) {
	for i := from; i < from+n; i++ {
		if _, ok := c.entries.Get(keys[i%len(keys)]); ok {
			found++
		}
	}
	return found
}

func (c *imdgoCache[V]) Close() error { return c.cache.Close() }

// LogBytes is the size of Raft's log.
func (c *imdgoCache[V]) LogBytes() int64 { return c.cache.Stats().LogBytes }

type syncMap[V any] struct{ m sync.Map }

func newSyncMap[V any](int) (Cache[V], error) { return new(syncMap[V]), nil }

func (c *syncMap[V]) Set(key string, value V) error { c.m.Store(key, value); return nil }
func (c *syncMap[V]) Settle()                       {}
func (c *syncMap[V]) Close() error                  { return nil }

func (c *syncMap[V]) Read(keys []string, from, n int) (found int) {
	for i := from; i < from+n; i++ {
		if v, ok := c.m.Load(keys[i%len(keys)]); ok {
			if _, ok := v.(V); ok {
				found++
			}
		}
	}
	return found
}

type concurrentMap[V any] struct{ m cmap.ConcurrentMap[string, V] }

func newConcurrentMap[V any](int) (Cache[V], error) { return &concurrentMap[V]{cmap.New[V]()}, nil }

func (c *concurrentMap[V]) Set(key string, value V) error { c.m.Set(key, value); return nil }
func (c *concurrentMap[V]) Settle()                       {}
func (c *concurrentMap[V]) Close() error                  { return nil }

func (c *concurrentMap[V]) Read(keys []string, from, n int) (found int) {
	for i := from; i < from+n; i++ {
		if _, ok := c.m.Get(keys[i%len(keys)]); ok {
			found++
		}
	}
	return found
}
