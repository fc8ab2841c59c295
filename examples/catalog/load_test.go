package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo/imdgotest"
)

const (
	writersEach = 2 // per instance
	writePause  = 10 * time.Millisecond
	// more is how many further writes of each writer show that things go on:
	// the first of them may have been on its way before.
	more = 5
)

// load writes new products through some instances, until it is stopped. What is
// refused or has an unknown outcome is written again.
type load struct {
	cancel  context.CancelFunc
	writers sync.WaitGroup

	mu      sync.Mutex         // guards all below
	written map[string]Product // what was acknowledged
	counts  []int              // acknowledged to each writer
	last    []time.Time        // and when the last one was
	longest time.Duration      // between two acknowledged to one writer
}

func startLoad(t *testing.T, prefix string, instances []*instance) *load {
	ctx, cancel := context.WithCancel(t.Context())
	n := writersEach * len(instances)
	l := &load{cancel: cancel, written: make(map[string]Product), counts: make([]int, n), last: make([]time.Time, n)}
	t.Cleanup(func() { l.stop() })
	for w := range n {
		in := instances[w%len(instances)]
		l.last[w] = time.Now()
		l.writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				l.write(ctx, t, w, in, fmt.Sprintf("%s-%d-%d", prefix, w, i), Product{Name: in.name, Cents: i, FreshSeconds: 600})
			}
		})
	}
	return l
}

// write writes one product until that is acknowledged, or ctx ends.
func (l *load) write(ctx context.Context, t *testing.T, writer int, in *instance, id string, p Product) {
	for ctx.Err() == nil {
		status, answer, err := in.do(ctx, http.MethodPut, "/products/"+id, p)
		switch {
		case ctx.Err() != nil:
			return
		case status == http.StatusOK:
			l.acknowledged(writer, id, p)
			pause(ctx)
			return
		case status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
			pause(ctx)
		default:
			t.Errorf("%s answers a write with %d %q, %v", in.name, status, answer, err)
			return
		}
	}
}

func pause(ctx context.Context) {
	select {
	case <-time.After(writePause):
	case <-ctx.Done():
	}
}

func (l *load) acknowledged(writer int, id string, p Product) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.longest = max(l.longest, now.Sub(l.last[writer]))
	l.written[id], l.last[writer] = p, now
	l.counts[writer]++
}

// awaitMore waits until every writer has had more acknowledged.
func (l *load) awaitMore(t *testing.T) {
	t.Helper()
	was := l.count()
	imdgotest.Eventually(t, patience, func() error {
		for w, n := range l.count() {
			if n < was[w]+more {
				return fmt.Errorf("writer %d has had %d writes acknowledged, of %d", w, n-was[w], more)
			}
		}
		return nil
	})
}

func (l *load) count() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.counts)
}

// stop ends the load, and returns what was acknowledged.
func (l *load) stop() map[string]Product {
	l.cancel()
	l.writers.Wait()
	return maps.Clone(l.written)
}
