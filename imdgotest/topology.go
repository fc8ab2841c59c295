package imdgotest

import (
	"context"
	"sync"
	"time"
)

// edge is one direction of a link between two nodes.
type edge struct{ from, to string }

func (e edge) back() edge { return edge{e.to, e.from} }

// topology says which edges carry bytes, and how slowly. Its lock is a leaf: nothing else is locked
// under it.
type topology struct {
	mu       sync.Mutex
	cuts     map[edge]bool
	isolated map[string]bool
	groups   []map[string]bool
	delays   map[edge]time.Duration
	changed  chan struct{} // closed and replaced by every change
}

func newTopology() *topology {
	t := &topology{delays: map[edge]time.Duration{}, changed: make(chan struct{})}
	t.reset()
	return t
}

// reset removes all cuts. The delays stay: they are how long the cables are, not where they broke.
func (t *topology) reset() {
	t.cuts, t.isolated, t.groups = map[edge]bool{}, map[string]bool{}, nil
}

// change applies f and wakes everybody who waits for an edge to open.
func (t *topology) change(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
	close(t.changed)
	t.changed = make(chan struct{})
}

// look tells whether any of the edges is cut; if so, changed ends at the next change.
func (t *topology) look(edges ...edge) (cut bool, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range edges {
		cut = cut || t.cut(e)
	}
	return cut, t.changed
}

func (t *topology) cut(e edge) bool {
	if e.from == e.to {
		return false // a node always reaches itself
	}
	return t.cuts[e] || t.isolated[e.from] || t.isolated[e.to] || t.apart(e)
}

// apart tells whether the partition separates two nodes: they share no group. All the nodes that no
// group names form one more.
func (t *topology) apart(e edge) bool {
	named := false
	for _, g := range t.groups {
		if g[e.from] && g[e.to] {
			return false
		}
		named = named || g[e.from] || g[e.to]
	}
	return named
}

// await returns when all the edges are open, or with the context's error when it ends first.
func (t *topology) await(ctx context.Context, edges ...edge) error {
	for {
		cut, changed := t.look(edges...)
		if !cut || ctx.Err() != nil {
			return ctx.Err()
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func (t *topology) delay(e edge) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.delays[e]
}

// sleepUntil waits for a point in time; the zero time, and any other that is past, is no wait.
func sleepUntil(ctx context.Context, t time.Time) error {
	left := time.Until(t)
	if t.IsZero() || left <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
