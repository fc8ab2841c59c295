package imdgo

import (
	"context"
	"errors"
	"fmt"

	"github.com/inelpandzic/imdgo/internal/node"
)

// The errors of this package, to be matched with errors.Is. What a method
// returns wraps one of them together with what was being done and, where a
// context ended, its ctx.Err().
var (
	// ErrNotFound is returned when there is no entry under the key.
	ErrNotFound = errors.New("imdgo: not found")
	// ErrClosed is returned when the cache is closed, or is closing.
	ErrClosed = node.ErrClosed
	// ErrNoLeader is returned when no leader was known for as long as the
	// caller waited. A write was handed to nobody and will never be applied.
	ErrNoLeader = node.ErrNoLeader
	// ErrTimeout is returned when the time was up before the operation was
	// handed to a leader, or before the leader's turn to apply it. It was not
	// applied and never will be.
	ErrTimeout = node.ErrTimeout
	// ErrUnknownOutcome is returned when a write was handed to a leader and
	// this node had not seen it applied when the time was up or the cache was
	// closed. It may be applied, once, or never.
	ErrUnknownOutcome = node.ErrUnknownOutcome
	// ErrTooLarge is returned when a key, a value or all of one operation is
	// larger than allowed, or than the memory budget, its share for the log or
	// the map's limits could ever hold. Nothing was written.
	ErrTooLarge = errors.New("imdgo: too large")
	// ErrFull is returned when there is no room in the memory budget and
	// what takes it may not be evicted. Nothing was written.
	ErrFull = errors.New("imdgo: full")
	// ErrStale is returned when this replica is older than a read allows. The
	// present release has no such reads and never returns it.
	ErrStale = errors.New("imdgo: stale")
	// ErrMapMismatch is returned when a map of this name exists with another
	// kind of key or another encoding of its values.
	ErrMapMismatch = errors.New("imdgo: map mismatch")
	// ErrRemoved is returned, wrapped in ErrUnknownOutcome, when the cluster
	// removed this node while a write was on its way. The node joins it again
	// by itself.
	ErrRemoved = node.ErrRemoved
	// ErrForeignCluster is what a node logs when one of its members belongs to
	// another cluster than itself.
	ErrForeignCluster = node.ErrForeignCluster
	// ErrInvalid is returned when an argument or an option makes no sense, or
	// asks for something that this release does not do. The text quotes it.
	ErrInvalid = node.ErrInvalid
)

// invalid is an ErrInvalid with its reason.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...))
}

// doing says what an error happened to.
func doing(what, mapName string, err error) error {
	if err == nil {
		return nil
	}
	if mapName == "" {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s in map %q: %w", what, mapName, err)
}

// ended is why, with what ended the context.
func ended(ctx context.Context, why error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", why, err)
	}
	return why
}
