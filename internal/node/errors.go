package node

import (
	"context"
	"errors"
	"fmt"
)

var (
	// ErrClosed is returned when the node is closed, or is closing.
	ErrClosed = errors.New("imdgo: closed")
	// ErrNoLeader is returned when no leader was known for as long as the
	// caller waited: nothing was handed to anybody, and never will be.
	ErrNoLeader = errors.New("imdgo: no leader")
	// ErrTimeout is returned when the time was up before the operation was
	// handed to a leader, or before the leader's turn to apply it: it was not
	// applied and never will be.
	ErrTimeout = errors.New("imdgo: timeout")
	// ErrUnknownOutcome is returned when an operation was handed to a leader
	// and this replica has not applied it: it may be applied, or not.
	ErrUnknownOutcome = errors.New("imdgo: unknown outcome")
	// ErrRemoved is returned when the cluster has removed this incarnation of
	// the node.
	ErrRemoved = errors.New("imdgo: removed from the cluster")
	// ErrForeignCluster is returned when a node that is asked belongs to
	// another cluster.
	ErrForeignCluster = errors.New("imdgo: foreign cluster")
	// ErrInvalid is returned when a leader could not read an operation.
	ErrInvalid = errors.New("imdgo: invalid")
)

// gaveUp is why, together with what ended the caller's context.
func gaveUp(ctx context.Context, why error) error {
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("%w: %w", why, cause)
	}
	return why
}
