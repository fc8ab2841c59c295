package imdgo

import (
	"time"

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

// MaxEntries will bound the entries of a map. This release does not: OpenMap
// refuses it.
type MaxEntries int

func (m MaxEntries) applyMap(*mapSettings) error {
	return invalid("MaxEntries(%d): limits of maps are not supported yet", int(m))
}

// MaxBytes will bound the bytes of a map. This release does not: OpenMap
// refuses it.
type MaxBytes int64

func (m MaxBytes) applyMap(*mapSettings) error {
	return invalid("MaxBytes(%d): limits of maps are not supported yet", int64(m))
}
