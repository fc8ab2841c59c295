package imdgo

import (
	"time"

	"github.com/inelpandzic/imdgo/fsm"
	"github.com/inelpandzic/imdgo/internal/command"
)

// MapOption configures a map when it is opened.
type MapOption interface{ applyMap(*mapSettings) error }

// WriteOption applies to one write.
type WriteOption interface{ applyWrite(*writeSettings) error }

// ReadOption applies to one read.
type ReadOption interface{ applyRead(*readSettings) error }

type mapSettings struct {
	declare     []command.Option
	consistency Consistency
}

type writeSettings struct{ ttl command.TTL }

type readSettings struct{ consistency Consistency }

// TTL is how long an entry is to live: as an option of a write that entry, as
// an option of a map every entry that is written without one. The latest
// declaration of a map's TTL wins, and concerns what is written from then on.
// TTL(0) means no deadline and overrides every default. A negative one is an
// error.
type TTL time.Duration

func (t TTL) check() error {
	if t < 0 {
		return invalid("TTL %v: it is negative", time.Duration(t))
	}
	return nil
}

func (t TTL) applyWrite(s *writeSettings) error {
	s.ttl = command.TTL{Nanoseconds: int64(t), Explicit: true}
	return t.check()
}

func (t TTL) applyMap(s *mapSettings) error {
	s.declare = append(s.declare, command.Option{Field: command.FieldTTL, Value: uint64(t)})
	return t.check()
}

// Consistency is how much a read wants to know: an option of Read, and of a map
// for the reads that do not say.
type Consistency uint8

const (
	// Local reads this node's replica. It is what Get does: no network, no
	// waiting. It sees everything that this node has written and everything
	// that has arrived here.
	Local Consistency = iota + 1
	// Linearizable sees everything that was acknowledged on any node before
	// the read began. It costs a round trip to a majority of the nodes, which
	// all reads that wait at the same time share.
	Linearizable
)

func (c Consistency) check() error {
	if c != Local && c != Linearizable {
		return invalid("consistency %d: it is Local or Linearizable", uint8(c))
	}
	return nil
}

func (c Consistency) applyRead(s *readSettings) error {
	s.consistency = c
	return c.check()
}

func (c Consistency) applyMap(s *mapSettings) error {
	s.consistency = c
	return c.check()
}

// MaxStaleness will bound how old a local read may be. This release does not:
// it is refused.
type MaxStaleness time.Duration

func (m MaxStaleness) refuse() error {
	return invalid("MaxStaleness(%v): bounded staleness is not supported yet", time.Duration(m))
}

func (m MaxStaleness) applyRead(*readSettings) error { return m.refuse() }
func (m MaxStaleness) applyMap(*mapSettings) error   { return m.refuse() }

// MaxEntries bounds how many entries a map holds: an option of a map, at least 1.
// What is beyond is evicted from that map. Of several declarations the latest
// wins; when it is below what the map holds, the map comes down to it a few
// thousand entries at a time.
type MaxEntries int

func (m MaxEntries) applyMap(s *mapSettings) error {
	if m < 1 {
		return invalid("MaxEntries(%d): it is at least 1", int(m))
	}
	s.declare = append(s.declare, command.Option{Field: command.FieldEntries, Value: uint64(m)})
	return nil
}

// MaxBytes bounds what a map's entries take, in bytes as the memory budget counts
// them: keys and values as the allocator rounds them up, and about 160 bytes for
// each entry. It works as [MaxEntries] does, beside it and beside the budget of the
// cache.
type MaxBytes int64

func (m MaxBytes) applyMap(s *mapSettings) error {
	if least := fsm.Cost(0, 0); int64(m) < least {
		return invalid("MaxBytes(%d): one entry takes at least %d bytes", int64(m), least)
	}
	s.declare = append(s.declare, command.Option{Field: command.FieldBytes, Value: uint64(m)})
	return nil
}

// EvictionPolicy says which entries of a map should go first when there is no
// room: an option of a map, of which the latest declaration wins. Another policy
// for a map that is in use begins with the entries in the order in which they
// came, and stops the writes while it takes them in, some tenths of a second for a
// million.
//
// Whatever the policy, it is the leader's that decides, by the reads on all nodes
// as far as they have reached it, and expired entries go before all others. Of
// several maps the one gives way whose next entry has waited longest.
type EvictionPolicy uint8

// The policies.
const (
	// S3FIFO, the default, is made for caches: what is read once passes through
	// a small queue, and what is read again stays. (Yang, Zhang, Qiu, Yue,
	// Rashmi: FIFO queues are all you need for cache eviction. SOSP 2023.)
	S3FIFO = EvictionPolicy(command.S3FIFO)
	// LRU evicts what has not been read or written for longest, nearly: an
	// entry that was read since it was last looked at gets a second chance. It
	// takes about 100 bytes more per entry than what is accounted for.
	LRU = EvictionPolicy(command.LRU)
	// TwoQueue keeps what was used once apart from what was used again, and
	// remembers for a while what it has evicted. (Johnson, Shasha: 2Q. VLDB
	// 1994.) It takes as much memory as LRU.
	TwoQueue = EvictionPolicy(command.TwoQueue)
	// NoEviction keeps every entry until it is deleted or expires. A write that
	// finds no room is ErrFull.
	NoEviction = EvictionPolicy(command.NoEviction)
)

func (p EvictionPolicy) applyMap(s *mapSettings) error {
	if !command.Policy(p).Valid() {
		return invalid("EvictionPolicy(%d): there is none of this number", uint8(p))
	}
	s.declare = append(s.declare, command.Option{Field: command.FieldPolicy, Value: uint64(p)})
	return nil
}
