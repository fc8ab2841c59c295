package command

import "fmt"

// Kind says what an operation does. The numbers are in the log: append only.
type Kind uint8

// The operations.
const (
	// Nothing stands in the place of an operation whose caller gave up before
	// it was handed to a leader, so that its neighbours keep their sequence.
	Nothing Kind = iota
	Set
	SetIfAbsent
	CompareAndSwap
	SetMany
	Delete
	CompareAndDelete
	// Touch gives an entry another deadline and leaves its version alone.
	Touch
	Clear
	// Declare tells the options of a map.
	Declare
	// Marker changes nothing: whoever has applied it has applied everything
	// that was acknowledged before it was issued.
	Marker

	kinds // how many there are
)

// Format is the first byte of every entry that this release writes.
const Format = 1

// MapType is what the keys of a map are and how its values are encoded, as one
// byte of replicated state: two handles with another MapType are not of the
// same map.
type MapType uint8

// NewMapType puts the number of a kind of key and of an encoding together,
// both below 16.
func NewMapType(keyKind, encoding uint8) MapType { return MapType(keyKind<<4 | encoding&0xf) }

// String names the two numbers, for errors.
func (t MapType) String() string { return fmt.Sprintf("keys %d, values %d", t>>4, t&0xf) }

// TTL is how long an entry is to live.
type TTL struct {
	// Nanoseconds until the deadline; 0 means no deadline.
	Nanoseconds int64
	// Explicit is whether the caller asked for exactly this. Otherwise the
	// map's declared TTL comes first.
	Explicit bool
}

// Field numbers an option of a map in a Declare. Append only.
type Field uint8

// The options of a map.
const (
	// FieldTTL is the map's default TTL, in nanoseconds; 0 means none.
	FieldTTL Field = iota + 1
	// FieldEntries is how many entries the map may hold; 0 means any number.
	FieldEntries
	// FieldBytes is how many bytes its entries may be accounted for; 0 means
	// any number.
	FieldBytes
	// FieldPolicy is the map's Policy.
	FieldPolicy

	fields
)

// Policy says what of a map is evicted first. Append only.
type Policy uint8

// The policies.
const (
	S3FIFO Policy = iota
	LRU
	TwoQueue
	// NoEviction means that nothing of the map is ever evicted.
	NoEviction

	policies
)

// Valid reports whether this release knows the policy.
func (p Policy) Valid() bool { return p < policies }

// Code is what became of an operation. The numbers are in the snapshot and in
// the state hash: append only.
type Code uint8

// The outcomes.
const (
	// Applied means that the operation did what it asked for.
	Applied Code = iota + 1
	// Unmet means that its condition did not hold: nothing changed.
	Unmet
	// TooLate means that the cluster's clock had passed the operation's
	// notAfter: it was not applied and never will be.
	TooLate
	// Mismatch means that the map of this name is of another MapType.
	Mismatch
	// Again means that the leader had not offered enough for the room that the
	// operation needs: it was not applied, and is worth another try.
	Again
	// NoRoom means that there is no room and that what takes it may not be
	// evicted: it was not applied.
	NoRoom
	// TooLarge means that the limits leave no room for it even if all else is
	// evicted: it was not applied.
	TooLarge

	codes
)

// Valid reports whether this release knows the code.
func (c Code) Valid() bool { return c > 0 && c < codes }

// Result is what applying an operation answers.
type Result struct {
	Code Code
	// Version is the version that stands after the operation; 0 means that
	// the entry is absent.
	Version uint64
}

// Refusal is why a leader did not take a part. The numbers are on the wire:
// append only.
type Refusal uint8

// The refusals.
const (
	// NotLeader means that this node could not propose it: it was not logged.
	NotLeader Refusal = iota + 1
	// Lost means that leadership ended while it was being replicated: it may
	// be in the log or not. Asking the next leader again is safe.
	Lost
	// Full means that too much is waiting on this leader: it was not logged.
	Full
	// Invalid means that it did not decode: it was not logged and never will.
	Invalid
)

// String says the refusal in words.
func (r Refusal) String() string {
	switch r {
	case NotLeader:
		return "not the leader"
	case Lost:
		return "leadership lost"
	case Full:
		return "queue full"
	case Invalid:
		return "malformed"
	}
	return fmt.Sprintf("refusal %d", uint8(r))
}

// Split is the inverse of NewMapType.
func (t MapType) Split() (keyKind, encoding uint8) { return uint8(t >> 4), uint8(t & 0xf) }
