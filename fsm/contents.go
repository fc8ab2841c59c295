package fsm

import (
	"math"
	"sync/atomic"

	"github.com/inelpandzic/imdgo/eviction"
	"github.com/inelpandzic/imdgo/internal/command"
)

// contents is what a map holds between two clears: emptying it puts a new one
// in its place, so that neither a write nor a reader walks anything.
type contents struct {
	kind    command.MapType
	items   index
	front   front
	entries atomic.Int64

	// Guarded by the machine's mutex.
	ledger    *ledger
	copies    *copies
	ttl       declaredTTL
	limits    limits
	policy    eviction.Policy[*Entry] // nil: nothing is ever evicted
	remote    eviction.RemoteReads
	bytes     int64 // of the keys and values
	cost      int64 // of the entries
	cleared   atomic.Bool
	sequence  sequence
	deadlines deadlines
	cut       *cutTable // while a cut of it is open
	runs      runs

	// Of the leader, and no part of the state.
	demand, arrivals demand // of bytes and of entries, for its own limits
}

// declaredTTL is a map's default TTL, once somebody has declared one.
type declaredTTL struct {
	nanoseconds int64
	declared    bool
}

// limits are a map's own, as declared.
type limits struct {
	entries, bytes int64 // math.MaxInt64: none
	policy         command.Policy
}

func (l limits) none() bool { return l.entries == math.MaxInt64 && l.bytes == math.MaxInt64 }

var noLimits = limits{entries: math.MaxInt64, bytes: math.MaxInt64}

func newContents(m *Machine, kind command.MapType, ttl declaredTTL, limits limits) *contents {
	c := &contents{ledger: m.ledger, copies: m.copies, kind: kind, ttl: ttl, limits: limits}
	c.items.init(hashOf)
	c.policy = c.newPolicy()
	return c
}

func (c *contents) newPolicy() eviction.Policy[*Entry] {
	config := eviction.Config{Clock: func() uint64 { return c.ledger.version }, Remote: &c.remote}
	switch c.limits.policy {
	case command.NoEviction:
		return nil
	case command.LRU:
		return eviction.NewLRU[*Entry](config)
	case command.TwoQueue:
		return eviction.NewTwoQueue[*Entry](config)
	default:
		return eviction.NewS3FIFO[*Entry](config)
	}
}

// setPolicy has another policy order what is there, as if it had been restored.
// With a million entries that takes some tenths of a second.
func (c *contents) setPolicy(p command.Policy) {
	if p == c.limits.policy {
		return
	}
	former, cost := c.policy, c.cost
	c.account(-cost) // of what is never evicted, or of what may be
	c.limits.policy = p
	c.policy = c.newPolicy()
	c.sequence.each(func(e *Entry) {
		if former != nil {
			former.Remove(e)
		}
		if c.policy != nil {
			c.policy.Restore(e)
		}
	})
	c.account(cost)
}

// over reports whether the map holds more than its own limits allow, because
// they were declared when it did.
func (c *contents) over() bool {
	return c.entries.Load() > c.limits.entries || c.cost > c.limits.bytes
}

// account takes note of bytes that come, or go if they are negative.
func (c *contents) account(cost int64) {
	c.cost += cost
	c.ledger.used += cost
	if c.policy == nil {
		c.ledger.pinned += cost
	}
}

// find returns the entry of key, nil if there is none.
func (c *contents) find(key []byte) *Entry {
	e, _ := c.items.get(c.items.hash(alias(key)), alias(key))
	return e
}

// growth is what it takes to write so many bytes to an entry, nil for a new one.
func (c *contents) growth(e *Entry, key, data []byte) growth {
	whole := Cost(len(key), len(data))
	if e == nil {
		return growth{bytes: whole, entries: 1, whole: whole, count: 1}
	}
	return growth{bytes: whole - e.Cost(), whole: whole, count: 1}
}

// put writes an entry: e, or a new one if that is nil. The key and the data are
// copied. There must be room for it.
func (c *contents) put(e *Entry, key, data []byte, version uint64, deadline int64) {
	v := newValue(version, deadline, data)
	if e == nil {
		c.insert(alias(key), v)
		return
	}
	c.replace(e, v)
	c.deadlines.schedule(e, deadline, c.ledger.now)
}

// insert adds an entry under a key that has none.
func (c *contents) insert(key string, v *Value) {
	if e := c.take(key, v); e != nil && c.policy != nil {
		c.policy.Add(e)
	}
}

// restore adds an entry of a restored state. False means that there is one of
// its key, and nothing was done.
func (c *contents) restore(key string, v *Value) bool {
	e := c.take(key, v)
	if e != nil && c.policy != nil {
		c.policy.Restore(e)
	}
	return e != nil
}

func (c *contents) take(key string, v *Value) *Entry {
	e := newEntry(key)
	e.value.Store(v)
	e.size = v.size
	if !c.items.add(c.items.hash(key), e, c.entries.Load()+1) {
		return nil
	}
	c.sequence.add(e)
	c.deadlines.schedule(e, v.deadline, c.ledger.now)
	c.entries.Add(1)
	c.bytes += int64(len(key)) + int64(v.size)
	c.account(e.Cost())
	return e
}

// replace puts v in the place of what e holds. To be written is as good as to be
// read.
func (c *contents) replace(e *Entry, v *Value) {
	c.cut.keep(e)
	if by := Cost(len(e.Key()), int(v.size)) - e.Cost(); by != 0 {
		c.account(by)
		if c.policy != nil {
			c.policy.Resize(e, by)
		}
	}
	c.bytes += int64(v.size) - int64(e.size)
	e.value.Store(v)
	e.size = v.size
	e.hook.Touch()
	c.copies.drop(e)
}

// remove takes e out. A reader that holds it finds it empty.
func (c *contents) remove(e *Entry) {
	if c.policy != nil {
		c.policy.Remove(e)
	}
	c.drop(e)
}

// evict takes the entry of key out to make room, unless it has been written
// since that was decided, or is one of own.
func (c *contents) evict(key []byte, version uint64, own []*Entry) bool {
	e := c.find(key)
	if e == nil || c.cleared.Load() || c.policy == nil || e.value.Load().version != version || e.among(own) {
		return false
	}
	c.policy.Evict(e)
	c.drop(e)
	return true
}

func (c *contents) drop(e *Entry) {
	c.cut.keepGone(e)
	e.value.Store(nil) // before the map forgets it, see front
	hash := c.items.hash(e.Key())
	c.front.forget(hash, e)
	c.sequence.remove(e)
	c.deadlines.remove(e)
	c.items.remove(hash, e, c.entries.Add(-1))
	c.bytes -= int64(len(e.Key())) + int64(e.size)
	c.account(-e.Cost())
	c.copies.drop(e)
}

// clear takes everything out of the account: another one comes in its place.
func (c *contents) clear() {
	c.cut.keepAll(c.cost)
	c.account(-c.cost)
	c.cleared.Store(true)
	c.copies.stale.Store(true)
}
