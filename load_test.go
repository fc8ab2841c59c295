package imdgo_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo"
)

func TestALoadRunsOnceForAllWhoWait(t *testing.T) {
	m := open[string, int](t, alone(t), "m")
	var loads atomic.Int32
	gate := make(chan struct{})
	load := func(context.Context, string) (int, error) {
		loads.Add(1)
		<-gate
		return 7, nil
	}
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			if v, err := m.GetOrLoad(ctx, "k", load); v != 7 || err != nil {
				t.Error(v, err)
			}
		})
	}
	eventually(t, "a load has begun", func() bool { return loads.Load() == 1 })
	close(gate)
	callers.Wait()
	if v, found := m.Get("k"); v != 7 || !found {
		t.Error(v, found)
	}
	// Whoever came late found the value or joined: none loaded again.
	if n := loads.Load(); n != 1 {
		t.Errorf("%d loads", n)
	}
}

func TestWhatCannotBeLoadedIsNotStored(t *testing.T) {
	m := open[string, int](t, alone(t), "m")
	missing := errors.New("no such row")
	_, err := m.GetOrLoad(ctx, "k", func(context.Context, string) (int, error) { return 0, missing })
	wants(t, err, missing)
	if m.Len() != 0 {
		t.Error("stored")
	}
	if v, err := m.GetOrLoad(ctx, "k", func(context.Context, string) (int, error) { return 1, nil }, imdgo.TTL(time.Hour)); v != 1 || err != nil {
		t.Error(v, err)
	}
	if ttl, _ := m.TTL("k"); ttl < 59*time.Minute {
		t.Errorf("TTL %v", ttl)
	}
}

// The schedule: a load reads the old row; the row changes and the new value is
// set; the load returns. What it read must not replace what is newer.
func TestALoadDoesNotReplaceWhatWasSetMeanwhile(t *testing.T) {
	m := open[string, string](t, alone(t), "m")
	v, err := m.GetOrLoad(ctx, "k", func(context.Context, string) (string, error) {
		return "old", m.Set(ctx, "k", "new")
	})
	if v != "new" || err != nil {
		t.Error(v, err)
	}
}

func TestALoadOutlivesTheCallerWhoBeganIt(t *testing.T) {
	m := open[string, int](t, alone(t), "m")
	began, gate := make(chan struct{}), make(chan struct{})
	load := func(ctx context.Context, _ string) (int, error) {
		close(began)
		select {
		case <-gate:
			return 7, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	impatient, cancel := context.WithCancel(ctx)
	var callers sync.WaitGroup
	callers.Go(func() {
		_, err := m.GetOrLoad(impatient, "k", load)
		wants(t, err, imdgo.ErrTimeout, context.Canceled)
		close(gate)
	})
	<-began
	callers.Go(func() {
		if v, err := m.GetOrLoad(ctx, "k", load); v != 7 || err != nil {
			t.Error(v, err)
		}
	})
	eventually(t, "the second caller waits", func() bool { return m.Waiting("k") == 2 })
	cancel()
	callers.Wait()
}

func TestALoadEndsWithTheLastWhoWaits(t *testing.T) {
	m := open[string, int](t, alone(t), "m")
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	ended := make(chan struct{})
	_, err := m.GetOrLoad(short, "k", func(ctx context.Context, _ string) (int, error) {
		<-ctx.Done()
		close(ended)
		return 0, ctx.Err()
	})
	wants(t, err, imdgo.ErrTimeout, context.DeadlineExceeded)
	<-ended
}

func TestAPanicInALoadReachesWhoWaits(t *testing.T) {
	m := open[string, int](t, alone(t), "m")
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
		if v, err := m.GetOrLoad(ctx, "k", func(context.Context, string) (int, error) { return 1, nil }); v != 1 || err != nil {
			t.Error(v, err)
		}
	}()
	_, _ = m.GetOrLoad(ctx, "k", func(context.Context, string) (int, error) { panic("no such table") })
}
