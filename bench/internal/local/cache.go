// Package local has the caches that live in one process, and imdgo as one node
// among them: how long a read takes, and what an entry costs in memory.
package local

import (
	"slices"
	"strings"
	"time"
)

// Session is what is read: a decoded struct.
type Session struct {
	User  string
	Roles []string
	Seen  int64
}

// TTL is the time to live of the entries, in caches that have one.
const TTL = time.Hour

// Cache is a cache of values V.
type Cache[V any] interface {
	// Set stores an entry, with TTL where there is such a thing.
	Set(key string, value V) error
	// Settle returns when what was set is there.
	Settle()
	// Read looks the keys up, again and again from one of them on, n times in
	// all, and returns how many were found. The loop is the cache's own, so that
	// no call through an interface is measured with it.
	Read(keys []string, from, n int) (found int)
	// Close ends what it has started.
	Close() error
}

// Kind is a cache that there is.
type Kind struct {
	Name   string
	Module string
	TTL    bool // whether its entries have a deadline
	Told   string
	// The cache of decoded structs, and that of bytes, for so many entries.
	Sessions func(capacity int) (Cache[Session], error)
	Bytes    func(capacity int) (Cache[[]byte], error)
}

// Kinds are all, imdgo first.
var Kinds = []Kind{
	{"imdgo", "github.com/inelpandzic/imdgo", true, "one node", newImdgo[Session], newImdgo[[]byte]},
	{"otter", "github.com/maypok86/otter/v2", true, "maximum size, expiry after writing", newOtter[Session], newOtter[[]byte]},
	{"otter coarse", "github.com/maypok86/otter/v2", true, "as otter, with its CoarseClock of 10 ms", newOtterCoarse[Session], newOtterCoarse[[]byte]},
	{"ristretto", "github.com/dgraph-io/ristretto/v2", true, "a cost of 1 each, ten counters to an entry", newRistretto[Session], newRistretto[[]byte]},
	{"theine", "github.com/Yiling-J/theine-go", true, "a cost of 1 each", newTheine[Session], newTheine[[]byte]},
	{"golang-lru", "github.com/hashicorp/golang-lru/v2", false, "no TTL", newLRU[Session], newLRU[[]byte]},
	{"golang-lru expirable", "github.com/hashicorp/golang-lru/v2", true, "", newExpirable[Session], newExpirable[[]byte]},
	{"go-cache", "github.com/patrickmn/go-cache", true, "", newGoCache[Session], newGoCache[[]byte]},
	{"ttlcache", "github.com/jellydator/ttlcache/v3", true, "without touching on a hit", newTTLCache[Session], newTTLCache[[]byte]},
	{"sync.Map", "", false, "no TTL, no eviction", newSyncMap[Session], newSyncMap[[]byte]},
	{"concurrent-map", "github.com/orcaman/concurrent-map/v2", false, "no TTL, no eviction", newConcurrentMap[Session], newConcurrentMap[[]byte]},
}

// Find returns the kind of that name.
func Find(name string) (Kind, bool) {
	i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return Kinds[i], true
}

// Names are those of all kinds.
func Names() string {
	var names []string
	for _, k := range Kinds {
		names = append(names, k.Name)
	}
	return strings.Join(names, ",")
}
