package imdgo

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/inelpandzic/imdgo/internal/value"
)

// GetOrLoad returns the value under key, from this node's replica if it is
// there, else by calling load and storing what it returns. However many callers
// on this node miss the same key at the same time, load runs once for all of
// them; every node may have one running. If another node stores a value
// meanwhile, that one stays and is returned.
//
// load runs on a goroutine of its own, with a context that has the values of
// the first caller's and ends when nobody waits any more, or with WithTimeout.
// Its error is returned as it is, and nothing is stored. When what it returned
// cannot be stored, the value is returned together with the error. A panic in
// load is passed on to those who wait.
func (m *Map[K, V]) GetOrLoad(ctx context.Context, key K, load func(context.Context, K) (V, error), opts ...WriteOption) (V, error) {
	const what = "getting or loading"
	var none V
	if load == nil {
		return none, doing(what, m.name, invalid("a nil load"))
	}
	if v, ok := m.Get(key); ok {
		return v, nil
	}
	if _, err := m.ttl(opts); err != nil {
		return none, doing(what, m.name, err)
	}
	if _, err := encodeKey(key); err != nil {
		return none, doing(what, m.name, err)
	}
	if err := m.nothing(ctx, what); err != nil {
		return none, err
	}
	ctx, cancel := m.bound(ctx)
	defer cancel()
	loaded, err := m.flights.join(ctx, m.cache.settings.timeout, value.EncodeKey(key), func(ctx context.Context) (V, error) {
		return m.loadHere(ctx, key, load, opts)
	})
	if errors.Is(err, errGaveUp) {
		return none, doing(what, m.name, ended(ctx, ErrTimeout))
	}
	return loaded, err
}

// loadHere runs a load that ends with the cache.
func (m *Map[K, V]) loadHere(ctx context.Context, key K, load func(context.Context, K) (V, error), opts []WriteOption) (V, error) {
	if !m.cache.beginLoad() {
		var none V
		return none, ErrClosed
	}
	defer m.cache.loads.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.cache.loading, cancel)()
	return m.load(ctx, key, load, opts)
}

// beginLoad counts a load, unless the cache is closed.
func (c *Cache) beginLoad() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loading.Err() != nil {
		return false
	}
	c.loads.Add(1)
	return true
}

// endLoads ends the contexts of all loads. Whoever is about to begin one has been
// counted, or sees that it is over.
func (c *Cache) endLoads() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopLoads()
}

// waitForLoads waits for those that heed their context, which has ended.
func (c *Cache) waitForLoads() {
	const longest = 5 * time.Second
	done := make(chan struct{})
	go func() { c.loads.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(longest):
		c.log.Warn("closed while a load that takes no notice of its context goes on")
	}
}

// load loads a value and stores it, unless there is one by then: it may have
// been written after the load began, and must not be replaced by what is older.
func (m *Map[K, V]) load(ctx context.Context, key K, load func(context.Context, K) (V, error), opts []WriteOption) (V, error) {
	if v, ok := m.Get(key); ok {
		return v, nil // stored between the look and the flight
	}
	v, err := load(ctx, key)
	if err != nil {
		return v, err
	}
	_, stored, err := m.SetIfAbsent(ctx, key, v, opts...)
	if err == nil && !stored {
		if there, ok := m.Get(key); ok {
			return there, nil
		}
	}
	return v, err
}

// bound gives a context without a deadline the cache's timeout.
func (m *Map[K, V]) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, m.cache.settings.timeout)
}

// errGaveUp is returned by join when its caller's context ended first.
var errGaveUp = errors.New("gave up waiting for a load")

// flights are the loads that run on this node.
type flights[K Key, V any] struct {
	group singleflight.Group
	mu    sync.Mutex // guards running
	// running has a flight for every key that somebody waits for.
	running map[string]*flight
}

// flight is one load. Its context ends when nobody waits any more, not when the
// caller that happened to come first gives up.
type flight struct {
	ctx     context.Context
	cancel  context.CancelFunc
	waiting int
}

func (f *flights[K, V]) join(ctx context.Context, limit time.Duration, key string, load func(context.Context) (V, error)) (V, error) {
	var none V
	fl := f.board(ctx, limit, key)
	defer f.leave(key, fl)
	result := f.group.DoChan(key, func() (v any, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = panicked{r, debug.Stack()}
			}
		}()
		return load(fl.ctx)
	})
	select {
	case <-ctx.Done():
		return none, errGaveUp
	case r := <-result:
		var p panicked
		if errors.As(r.Err, &p) {
			panic(p)
		}
		v, _ := r.Val.(V) // a nil any is a nil V
		return v, r.Err
	}
}

// board counts a caller in, and begins a flight if there is none.
func (f *flights[K, V]) board(ctx context.Context, limit time.Duration, key string) *flight {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl := f.running[key]
	if fl == nil {
		fl = new(flight)
		fl.ctx, fl.cancel = context.WithTimeout(context.WithoutCancel(ctx), limit)
		if f.running == nil {
			f.running = make(map[string]*flight)
		}
		f.running[key] = fl
	}
	fl.waiting++
	return fl
}

// leave counts a caller out. The last one ends the flight, and whoever comes
// next begins another, also if this one's load takes no notice.
func (f *flights[K, V]) leave(key string, fl *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl.waiting--; fl.waiting == 0 {
		fl.cancel()
		delete(f.running, key)
		f.group.Forget(key)
	}
}

// panicked is a panic of load's on its way to those who wait.
type panicked struct {
	value any
	stack []byte
}

// Error implements error, for whoever recovers it.
func (p panicked) Error() string { return fmt.Sprintf("%v\n\nin load:\n%s", p.value, p.stack) }
