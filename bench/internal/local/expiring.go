package local

import (
	"github.com/hashicorp/golang-lru/v2/expirable"
	"github.com/jellydator/ttlcache/v3"
	gocache "github.com/patrickmn/go-cache"
)

type expirableCache[V any] struct{ c *expirable.LRU[string, V] }

func newExpirable[V any](capacity int) (Cache[V], error) {
	return &expirableCache[V]{expirable.NewLRU[string, V](room(capacity), nil, TTL)}, nil
}

func (c *expirableCache[V]) Set(key string, value V) error { c.c.Add(key, value); return nil }
func (c *expirableCache[V]) Settle()                       {}
func (c *expirableCache[V]) Close() error                  { return nil } // its goroutine cannot be stopped

func (c *expirableCache[V]) Read(keys []string, from, n int) (found int) {
	for i := from; i < from+n; i++ {
		if _, ok := c.c.Get(keys[i%len(keys)]); ok {
			found++
		}
	}
	return found
}

type goCache[V any] struct{ c *gocache.Cache }

func newGoCache[V any](int) (Cache[V], error) { return &goCache[V]{gocache.New(TTL, TTL)}, nil }

func (c *goCache[V]) Set(key string, value V) error { c.c.SetDefault(key, value); return nil }
func (c *goCache[V]) Settle()                       {}
func (c *goCache[V]) Close() error                  { return nil }

func (c *goCache[V]) Read(keys []string, from, n int) (found int) {
	for i := from; i < from+n; i++ {
		if v, ok := c.c.Get(keys[i%len(keys)]); ok {
			if _, ok := v.(V); ok {
				found++
			}
		}
	}
	return found
}

type ttlCache[V any] struct {
	c     *ttlcache.Cache[string, V]
	ended chan struct{}
}

func newTTLCache[V any](capacity int) (Cache[V], error) {
	c := &ttlCache[V]{ttlcache.New(ttlcache.WithTTL[string, V](TTL), ttlcache.WithCapacity[string, V](uint64(room(capacity))),
		ttlcache.WithDisableTouchOnHit[string, V]()), make(chan struct{})}
	go func() {
		defer close(c.ended)
		c.c.Start()
	}()
	return c, nil
}

func (c *ttlCache[V]) Set(key string, value V) error {
	c.c.Set(key, value, ttlcache.DefaultTTL)
	return nil
}

func (c *ttlCache[V]) Settle() {}

func (c *ttlCache[V]) Close() error {
	c.c.Stop()
	<-c.ended
	return nil
}

func (c *ttlCache[V]) Read(keys []string, from, n int) (found int) {
	for i := from; i < from+n; i++ {
		if item := c.c.Get(keys[i%len(keys)]); item != nil {
			_ = item.Value()
			found++
		}
	}
	return found
}
