package imdgo_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/inelpandzic/imdgo"
	"github.com/inelpandzic/imdgo/imdgotest"
)

// On three hosts, the same program on each: every node finds itself among the
// members.
func Example() {
	store, err := imdgo.New(imdgo.WithMembers("192.168.10.1", "192.168.10.2", "192.168.10.3"))
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	// On one instance:
	if err := store.Set("my-key", "and my value which can be anything, not just string"); err != nil {
		log.Fatal(err)
	}
	// On another, a fraction of a millisecond later:
	if val, ok := store.Get("my-key"); ok {
		fmt.Println(val)
	}
}

// Without members it is a cache of one node, which opens no port: what tests
// and a single instance need.
func ExampleNew() {
	cache, err := imdgo.New()
	if err != nil {
		log.Fatal(err)
	}
	defer cache.Close()

	if err := cache.Set("greeting", "hello"); err != nil {
		log.Fatal(err)
	}
	value, ok := cache.Get("greeting")
	fmt.Println(value, ok)
	// Output: hello true
}

// The way in which the first release was configured still works.
func ExampleNew_config() {
	c := &imdgo.Config{LogLevel: "error"}
	store, err := imdgo.New(c)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	_ = store.Set("my-key", 42)
	val, _ := store.Get("my-key")
	fmt.Printf("%v, as %T\n", val, val)
	// Output: 42, as int64
}

// Options of a service in production.
func ExampleNew_options() {
	cache, err := imdgo.New(
		imdgo.WithMembers("cache-1.internal", "cache-2.internal", "cache-3.internal:7000"),
		imdgo.WithBindAddr(":6701"),
		imdgo.WithAdvertiseAddr("cache-1.internal"),
		imdgo.WithDefaultTTL(10*time.Minute),
		imdgo.WithTimeout(2*time.Second),
		imdgo.WithMaxValueSize(64<<10),
		imdgo.WithLogger(slog.New(slog.NewJSONHandler(os.Stderr, nil))),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer cache.Close()
}

// What New refuses it quotes.
func ExampleNew_invalid() {
	_, err := imdgo.New(imdgo.WithMembers("10.0.0.1", "10.0.0.2:http"))
	fmt.Println(errors.Is(err, imdgo.ErrInvalid))
	fmt.Println(err)
	// Output:
	// true
	// imdgo: invalid: members: address "10.0.0.2:http": "http" is not a port
}

func ExampleCache_Set() {
	cache := newCache()
	defer cache.Close()

	fmt.Println(cache.Set("token", "4711", imdgo.TTL(time.Hour)))
	fmt.Println(cache.Get("token"))
	// Output:
	// <nil>
	// 4711 true
}

// Without a type, integers come back as int64, slices as []any and structs as
// map[string]any.
func ExampleCache_Get() {
	cache := newCache()
	defer cache.Close()

	_ = cache.Set("user", struct {
		Name string
		Age  int
	}{"Ada", 36})
	user, ok := cache.Get("user")
	fmt.Println(user, ok)

	nobody, ok := cache.Get("nobody")
	fmt.Println(nobody, ok)
	// Output:
	// map[Age:36 Name:Ada] true
	// <nil> false
}

func ExampleCache_Delete() {
	cache := newCache()
	defer cache.Close()

	_ = cache.Set("a", 1)
	_ = cache.Set("b", 2)
	fmt.Println(cache.Delete("a"), cache.Delete("was never there"))
	fmt.Println(cache.Count())
	// Output:
	// <nil> <nil>
	// 1
}

func ExampleCache_Count() {
	cache := newCache()
	defer cache.Close()

	for _, key := range []string{"a", "b", "a"} {
		_ = cache.Set(key, true)
	}
	fmt.Println(cache.Count())
	// Output: 2
}

// A readiness probe asks Ready with a short deadline.
func ExampleCache_Ready() {
	cache := newCache()
	defer cache.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	fmt.Println(cache.Ready(ctx))
	// Output: <nil>
}

func ExampleCache_Stats() {
	cache := newCache()
	defer cache.Close()

	_ = cache.Set("key", "value")
	cache.Get("key")
	cache.Get("another")
	s := cache.Stats()
	fmt.Println(s.Role, s.Entries, s.AccountedBytes > 0)
	fmt.Println(s.Hits, "hit,", s.Misses, "miss")
	// Output:
	// leader 1 true
	// 1 hit, 1 miss
}

// Replicas at the same index have the same hash: compare them to be sure.
func ExampleCache_StateHash() {
	cache := newCache()
	defer cache.Close()

	_ = cache.Set("key", "one")
	index, hash := cache.StateHash()
	_ = cache.Set("key", "two")
	later, other := cache.StateHash()
	fmt.Println(later > index, other != hash)
	// Output: true true
}

// A node that is not coming back leaves, so that the others do not wait for it.
func ExampleCache_Leave() {
	cache := newCache()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println(cache.Leave(ctx))
	fmt.Println(cache.Stats().Role)
	// Output:
	// <nil>
	// closed
}

func ExampleCache_Close() {
	cache := newCache()
	_ = cache.Set("key", "value")

	fmt.Println(cache.Close(), cache.Close()) // the second does nothing
	fmt.Println(cache.Get("key"))
	fmt.Println(errors.Is(cache.Set("key", "value"), imdgo.ErrClosed))
	// Output:
	// <nil> <nil>
	// <nil> false
	// true
}

// Session is a value as applications have them: its fields are exported.
type Session struct {
	User  string
	Roles []string
}

// A typed map gives structs back as structs. Its TTL is for what is written
// without one.
func ExampleOpenMap() {
	cache := newCache()
	defer cache.Close()

	sessions, err := imdgo.OpenMap[string, Session](cache, "sessions", imdgo.TTL(30*time.Minute))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	_ = sessions.Set(ctx, "s-1", Session{User: "Ada", Roles: []string{"admin"}})
	s, ok := sessions.Get("s-1")
	fmt.Println(s.User, s.Roles, ok)

	left, _ := sessions.TTL("s-1")
	fmt.Println(left.Round(time.Minute))
	// Output:
	// Ada [admin] true
	// 30m0s
}

// OpenMap refuses types that could not be read back, and says why.
func ExampleOpenMap_invalid() {
	cache := newCache()
	defer cache.Close()

	type account struct {
		Owner   string
		balance int // unexported: it would be lost
	}
	_ = account{balance: 1}
	_, err := imdgo.OpenMap[int, account](cache, "accounts")
	fmt.Println(errors.Is(err, imdgo.ErrInvalid))
	// Output: true
}

// The same name with another kind of key is a mistake, found here or, where
// another node has made the map, by the first write.
func ExampleOpenMap_mismatch() {
	cache := newCache()
	defer cache.Close()

	_, err := imdgo.OpenMap[string, int](cache, "visits")
	fmt.Println(err)
	_, err = imdgo.OpenMap[int, int](cache, "visits")
	fmt.Println(errors.Is(err, imdgo.ErrMapMismatch))
	// Output:
	// <nil>
	// true
}

// An entry with a TTL is gone after it. Time is a test's own here, see
// imdgotest.Clock; without WithClock it is the machine's.
func ExampleTTL() {
	clock := imdgotest.NewClock()
	cache := newCache(imdgo.WithClock(clock.Node("n1")))
	defer cache.Close()

	_ = cache.Set("code", "4711", imdgo.TTL(5*time.Minute))
	_ = cache.Set("motto", "for ever")

	clock.Advance(4 * time.Minute)
	fmt.Println(cache.Get("code"))
	clock.Advance(2 * time.Minute)
	fmt.Println(cache.Get("code"))
	fmt.Println(cache.Get("motto"))
	// Output:
	// 4711 true
	// <nil> false
	// for ever true
}

// TTL(0) overrides the defaults: this entry has no deadline.
func ExampleTTL_none() {
	cache := newCache(imdgo.WithDefaultTTL(time.Minute))
	defer cache.Close()

	words := openMap[string, string](cache, "words")
	ctx := context.Background()
	_ = words.Set(ctx, "fleeting", "gone in a minute")
	_ = words.Set(ctx, "lasting", "stays", imdgo.TTL(0))
	left, _ := words.TTL("fleeting")
	fmt.Println(left.Round(time.Minute))
	fmt.Println(words.TTL("lasting"))
	// Output:
	// 1m0s
	// 0s true
}

// Any string-like or integer type can be the key.
func ExampleMap_Set() {
	cache := newCache()
	defer cache.Close()

	type UserID uint64
	names := openMap[UserID, string](cache, "names")
	ctx := context.Background()
	fmt.Println(names.Set(ctx, 7, "Grace"))
	fmt.Println(names.Set(ctx, 7, "Grace Hopper", imdgo.TTL(time.Hour))) // replaces value and deadline
	fmt.Println(names.Get(7))
	// Output:
	// <nil>
	// <nil>
	// Grace Hopper true
}

// Get reads this node's memory: it does not block and cannot fail.
func ExampleMap_Get() {
	cache := newCache()
	defer cache.Close()

	stock := openMap[string, int](cache, "stock")
	_ = stock.Set(context.Background(), "apples", 12)
	fmt.Println(stock.Get("apples"))
	fmt.Println(stock.Get("pears"))
	// Output:
	// 12 true
	// 0 false
}

// A linearizable read sees what was acknowledged on any node before it began.
func ExampleMap_Read() {
	cache := newCache()
	defer cache.Close()

	stock := openMap[string, int](cache, "stock")
	ctx := context.Background()
	_ = stock.Set(ctx, "apples", 12)

	entry, err := stock.Read(ctx, "apples", imdgo.Linearizable)
	fmt.Println(entry.Value, entry.Version > 0, entry.ExpiresAt.IsZero(), err)

	_, err = stock.Read(ctx, "pears", imdgo.Linearizable)
	fmt.Println(errors.Is(err, imdgo.ErrNotFound))
	// Output:
	// 12 true true <nil>
	// true
}

// A counter that several nodes increment: read it with its version, and store
// the next value if nobody else was faster.
func ExampleMap_CompareAndSwap() {
	cache := newCache()
	defer cache.Close()

	counters := openMap[string, int](cache, "counters")
	increment := func(ctx context.Context, key string) error {
		for {
			entry, err := counters.Read(ctx, key) // absent: value 0, version 0
			if err != nil && !errors.Is(err, imdgo.ErrNotFound) {
				return err
			}
			_, swapped, err := counters.CompareAndSwap(ctx, key, entry.Version, entry.Value+1)
			if err != nil || swapped {
				return err
			}
		}
	}
	for range 3 {
		if err := increment(context.Background(), "visits"); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(counters.Get("visits"))
	// Output: 3 true
}

// A lock that ends by itself when its owner dies: whoever stores first has it.
// It is as good as its TTL: an owner that is paused for longer has lost it
// without knowing, so let what the lock protects check the version.
func ExampleMap_SetIfAbsent() {
	cache := newCache()
	defer cache.Close()

	locks := openMap[string, string](cache, "locks", imdgo.TTL(30*time.Second))
	ctx := context.Background()
	mine, locked, err := locks.SetIfAbsent(ctx, "nightly-job", "node 1")
	fmt.Println(locked, err)

	_, locked, err = locks.SetIfAbsent(ctx, "nightly-job", "node 2")
	fmt.Println(locked, err)

	released, err := locks.CompareAndDelete(ctx, "nightly-job", mine)
	fmt.Println(released, err)
	// Output:
	// true <nil>
	// false <nil>
	// true <nil>
}

// Only who knows the version that stands may delete.
func ExampleMap_CompareAndDelete() {
	cache := newCache()
	defer cache.Close()

	drafts := openMap[string, string](cache, "drafts")
	ctx := context.Background()
	_ = drafts.Set(ctx, "d", "first")
	seen, _ := drafts.Read(ctx, "d")
	_ = drafts.Set(ctx, "d", "second")

	fmt.Println(drafts.CompareAndDelete(ctx, "d", seen.Version))
	fmt.Println(drafts.Get("d"))
	// Output:
	// false <nil>
	// second true
}

// However many ask for what is missing, it is loaded once on this node.
func ExampleMap_GetOrLoad() {
	cache := newCache()
	defer cache.Close()

	prices := openMap[string, int](cache, "prices")
	load := func(ctx context.Context, item string) (int, error) {
		fmt.Println("asking the database for", item)
		return 42, nil
	}
	ctx := context.Background()
	fmt.Println(prices.GetOrLoad(ctx, "tea", load, imdgo.TTL(time.Minute)))
	fmt.Println(prices.GetOrLoad(ctx, "tea", load, imdgo.TTL(time.Minute)))
	// Output:
	// asking the database for tea
	// 42 <nil>
	// 42 <nil>
}

// All of them or none: nobody sees half of it written.
func ExampleMap_SetMany() {
	cache := newCache()
	defer cache.Close()

	accounts := openMap[string, int](cache, "accounts")
	err := accounts.SetMany(context.Background(), map[string]int{"ada": 70, "grace": 30})
	fmt.Println(accounts.Len(), err)
	// Output: 2 <nil>
}

// All ranges over this node's memory; the body may write to the map.
func ExampleMap_All() {
	cache := newCache()
	defer cache.Close()

	ages := openMap[string, int](cache, "ages")
	_ = ages.SetMany(context.Background(), map[string]int{"Ada": 36, "Grace": 85, "Alan": 41})
	var names []string
	for name, age := range ages.All() {
		if age > 40 {
			names = append(names, name)
		}
	}
	slices.Sort(names) // there is no order
	fmt.Println(names)
	// Output: [Alan Grace]
}

func ExampleMap_Delete() {
	cache := newCache()
	defer cache.Close()

	m := openMap[int, string](cache, "m")
	ctx := context.Background()
	_ = m.SetMany(ctx, map[int]string{1: "a", 2: "b", 3: "c"})
	fmt.Println(m.Delete(ctx, 1, 2, 99)) // one step; that 99 is not there is no error
	fmt.Println(m.Len())
	// Output:
	// <nil>
	// 1
}

// Expire gives a session more time and leaves its version alone; 0 takes the
// deadline away.
func ExampleMap_Expire() {
	cache := newCache()
	defer cache.Close()

	sessions := openMap[string, Session](cache, "sessions")
	ctx := context.Background()
	_ = sessions.Set(ctx, "s-1", Session{User: "Ada"}, imdgo.TTL(time.Minute))

	found, err := sessions.Expire(ctx, "s-1", time.Hour)
	left, _ := sessions.TTL("s-1")
	fmt.Println(found, err, left.Round(time.Minute))

	_, _ = sessions.Expire(ctx, "s-1", 0)
	fmt.Println(sessions.TTL("s-1"))
	// Output:
	// true <nil> 1h0m0s
	// 0s true
}

func ExampleMap_TTL() {
	cache := newCache()
	defer cache.Close()

	m := openMap[string, bool](cache, "m")
	_ = m.Set(context.Background(), "flag", true, imdgo.TTL(time.Hour))
	left, ok := m.TTL("flag")
	fmt.Println(left > 59*time.Minute && left <= time.Hour, ok)
	fmt.Println(m.TTL("nothing"))
	// Output:
	// true true
	// 0s false
}

func ExampleMap_Len() {
	cache := newCache()
	defer cache.Close()

	a, b := openMap[string, int](cache, "a"), openMap[string, int](cache, "b")
	_ = a.Set(context.Background(), "key", 1)
	fmt.Println(a.Len(), b.Len(), cache.Stats().Entries)
	// Output: 1 0 1
}

// Clear takes no longer for a million entries than for one.
func ExampleMap_Clear() {
	cache := newCache()
	defer cache.Close()

	m := openMap[int, int](cache, "squares")
	ctx := context.Background()
	for i := range 10 {
		_ = m.Set(ctx, i, i*i)
	}
	fmt.Println(m.Len(), m.Clear(ctx), m.Len())
	// Output: 10 <nil> 0
}

// A container with 1 GiB and GOMEMLIMIT=900MiB in its environment: half of that is
// the cache's.
func ExampleWithMemoryPercent() {
	cache, err := imdgo.New(
		imdgo.WithMembers("cache-1.internal", "cache-2.internal", "cache-3.internal"),
		imdgo.WithMemoryPercent(50))
	if err != nil {
		log.Fatal(err)
	}
	defer cache.Close()
}

// Far more is written than there is room for: what is worth least goes.
func ExampleWithMemoryLimit() {
	cache := newCache(imdgo.WithMemoryLimit(4 << 20))
	defer cache.Close()

	pages := openMap[int, []byte](cache, "pages")
	for i := range 1000 {
		_ = pages.Set(context.Background(), i, make([]byte, 10_000))
	}
	s := cache.Stats()
	fmt.Println(s.BudgetBytes, s.AccountedBytes <= s.BudgetBytes, s.Evictions > 0)
	// Output: 4194304 true true
}

// Values that are small once encoded and seldom read: each Get decodes anew, and
// nothing is kept beside the budget.
func ExampleWithDecodedLimit() {
	cache := newCache(imdgo.WithMemoryLimit(64<<20), imdgo.WithDecodedLimit(0))
	defer cache.Close()

	_ = cache.Set("key", "value")
	fmt.Println(cache.Get("key"))
	// Output: value true
}

// The last hundred searches, and no more.
func ExampleMaxEntries() {
	cache := newCache()
	defer cache.Close()

	recent := openMap[int, string](cache, "recent", imdgo.MaxEntries(100), imdgo.LRU)
	for i := range 1000 {
		_ = recent.Set(context.Background(), i, "what was searched for")
	}
	_, first := recent.Get(0)
	_, last := recent.Get(999)
	fmt.Println(recent.Len(), first, last)
	// Output: 100 false true
}

// Thumbnails may take a megabyte of the cache, whatever their number.
func ExampleMaxBytes() {
	cache := newCache()
	defer cache.Close()

	thumbnails := openMap[string, []byte](cache, "thumbnails", imdgo.MaxBytes(1<<20))
	for i := range 100 {
		_ = thumbnails.Set(context.Background(), fmt.Sprint("image-", i), make([]byte, 20_000))
	}
	fmt.Println(thumbnails.Len() > 45 && thumbnails.Len() < 53)
	// Output: true
}

// Locks must not be evicted: a write that finds no room is refused instead.
func ExampleEvictionPolicy() {
	cache := newCache()
	defer cache.Close()

	locks := openMap[int, string](cache, "locks", imdgo.NoEviction, imdgo.MaxEntries(2))
	ctx := context.Background()
	fmt.Println(locks.Set(ctx, 1, "node 1"), locks.Set(ctx, 2, "node 1"))
	fmt.Println(errors.Is(locks.Set(ctx, 3, "node 2"), imdgo.ErrFull))
	_ = locks.Delete(ctx, 1)
	fmt.Println(locks.Set(ctx, 3, "node 2"))
	// Output:
	// <nil> <nil>
	// true
	// <nil>
}

// A three-node cluster within a test, with a clock and a network of its own.
func Example_cluster() {
	fabric, clock := imdgotest.NewNet(), imdgotest.NewClock()
	defer fabric.Close()
	var caches []*imdgo.Cache
	for _, name := range []string{"n1", "n2", "n3"} {
		cache := newCache(
			imdgo.WithMembers("n1", "n2", "n3"),
			imdgo.WithBindAddr(name+":6701"),
			imdgo.WithNetwork(fabric.Node(name)),
			imdgo.WithClock(clock.Node(name)))
		defer cache.Close()
		caches = append(caches, cache)
	}
	if err := caches[0].Set("key", "set on n1"); err != nil {
		log.Fatal(err)
	}
	if err := caches[2].Ready(context.Background()); err != nil { // it has what was acknowledged before
		log.Fatal(err)
	}
	fmt.Println(caches[2].Get("key"))
	// Output: set on n1 true
}

// What the examples above begin with, without its errors.
func newCache(opts ...imdgo.Option) *imdgo.Cache {
	cache, err := imdgo.New(opts...)
	if err != nil {
		log.Fatal(err)
	}
	return cache
}

func openMap[K imdgo.Key, V any](c *imdgo.Cache, name string, opts ...imdgo.MapOption) *imdgo.Map[K, V] {
	m, err := imdgo.OpenMap[K, V](c, name, opts...)
	if err != nil {
		log.Fatal(err)
	}
	return m
}
