package main

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/inelpandzic/imdgo/imdgotest"
)

// healthy returns nil if the instance says of its health what it should.
func (in *instance) healthy(t *testing.T, want int) error {
	status, answer, err := in.do(t.Context(), http.MethodGet, "/healthz", nil)
	if err == nil && status != want {
		err = fmt.Errorf("health is %d %q, want %d", status, answer, want)
	}
	return err
}

func awaitReady(t *testing.T, in *instance) {
	t.Helper()
	imdgotest.Eventually(t, patience, func() error { return in.healthy(t, http.StatusOK) })
}

// catchUp waits until all have applied what one has.
func catchUp(t *testing.T, with *instance, all []*instance) {
	t.Helper()
	goal, err := with.stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	imdgotest.Eventually(t, patience, func() error {
		for _, in := range all {
			if s, err := in.stats(t.Context()); err != nil {
				return err
			} else if s.AppliedIndex < goal.AppliedIndex {
				return fmt.Errorf("%s is at %d, %s was at %d", in.name, s.AppliedIndex, with.name, goal.AppliedIndex)
			}
		}
		return nil
	})
}

// awaitSameState waits until all say their state hash at the same index. It
// must be the same one.
func awaitSameState(t *testing.T, all []*instance) {
	t.Helper()
	imdgotest.Eventually(t, patience, func() error {
		first, err := all[0].stats(t.Context())
		if err != nil {
			return err
		}
		for _, in := range all[1:] {
			s, err := in.stats(t.Context())
			if err != nil {
				return err
			}
			if s.StateIndex != first.StateIndex {
				return fmt.Errorf("%s is at %d, %s at %d", in.name, s.StateIndex, all[0].name, first.StateIndex)
			}
			if s.StateHash != first.StateHash {
				t.Fatalf("at %d %s has the state %s, and %s %s", s.StateIndex, in.name, s.StateHash, all[0].name, first.StateHash)
			}
		}
		return nil
	})
}

// withRole waits until an instance has a role, and returns the first and the
// others.
func withRole(t *testing.T, all []*instance, role string) (one *instance, others []*instance) {
	t.Helper()
	imdgotest.Eventually(t, patience, func() error {
		one, others = nil, nil
		for _, in := range all {
			s, err := in.stats(t.Context())
			if err != nil {
				return err
			}
			if s.Role == role && one == nil {
				one = in
			} else {
				others = append(others, in)
			}
		}
		if one == nil {
			return fmt.Errorf("nobody is %s", role)
		}
		return nil
	})
	return one, others
}
