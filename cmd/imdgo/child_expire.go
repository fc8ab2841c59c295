package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/inelpandzic/imdgo"
)

func (n *node) expire(ctx context.Context, raw json.RawMessage, _ func(any)) (any, error) {
	var args expireArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, err
	}
	return timed(func() error { return n.expiry.Set(ctx, args.Key, "a value with a deadline", imdgo.TTL(args.TTL)) })
}

// holds watches a key from when it is there until it is gone, also from Len.
func (n *node) holds(_ context.Context, raw json.RawMessage, emit func(any)) (any, error) {
	const patience, idle, near = 12 * time.Second, 3 * time.Millisecond, 100 * time.Millisecond
	const fine = 150 * time.Microsecond // near the deadline
	var args holdsArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, err
	}
	var e expired
	var reported time.Time
	for begun := time.Now(); e.FirstUncounted == 0; {
		before := time.Now()
		_, alive := n.expiry.Get(args.Key)
		counted := n.expiry.Len()
		e.note(before, time.Now(), alive, counted > 0)
		remaining, _ := n.expiry.TTL(args.Key)
		if time.Since(reported) > partEvery {
			reported = before
			emit(held{alive, remaining, counted})
		}
		if before.Sub(begun) > patience {
			return e, fmt.Errorf("the key is still there after %v", patience)
		}
		if alive && remaining < near {
			doze(fine)
		} else {
			time.Sleep(idle)
		}
	}
	emit(held{})
	return e, nil
}

// note takes one look at the key into account.
func (e *expired) note(before, after time.Time, alive, counted bool) {
	switch {
	case alive:
		e.LastAlive = before.UnixNano()
	case e.LastAlive != 0 && e.FirstMissing == 0:
		e.FirstMissing = after.UnixNano()
	}
	switch {
	case counted:
		e.LastCounted = before.UnixNano()
	case e.LastCounted != 0 && e.FirstUncounted == 0 && e.FirstMissing != 0:
		e.FirstUncounted = after.UnixNano()
	}
}
