package imdgotest

import (
	"context"
	"testing"
	"time"
)

// How often a condition is looked at: at once, and then ever less often.
const (
	lookAgainLeast = 200 * time.Microsecond
	lookAgainMost  = 20 * time.Millisecond
)

// Eventually waits until check returns nil. If that takes longer than within, the test ends with the
// error that check returned last. check is called on the goroutine of the caller, which must be the
// test's, as for t.Fatal.
func Eventually(t testing.TB, within time.Duration, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := poll(ctx, check); err != nil {
		t.Fatalf("still after %v: %v", within, err)
	}
}

// poll returns nil as soon as check does, or when ctx ends what check returned last.
func poll(ctx context.Context, check func() error) error {
	for pause := lookAgainLeast; ; pause = min(2*pause, lookAgainMost) {
		err := check()
		if err == nil {
			return nil
		}
		if sleepUntil(ctx, time.Now().Add(pause)) != nil {
			return err
		}
	}
}
