package main

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/inelpandzic/imdgo"
)

// comeback is what is known of the killed node while it comes back.
type comeback struct {
	victim int
	writes traffic // has a lock of its own

	mu      sync.Mutex // guards all below
	process *process   // its new life
	begun   int64      // when the process was started; 0 before
	ready   int64      // when it said so; 0 before
	asked   int64      // when it was asked to write
	stages  []stage
	entries [size]int
	missed  int   // what it had, when it was ready, of what was set while it was dead
	old     int   // and of what was set before
	state   int64 // bytes of keys and values, on the leader
	log     int64 // bytes of log, on the leader
}

// stage is when a role was first seen.
type stage struct {
	role imdgo.Role
	at   int64
}

// follow watches the node's way into the cluster until it is ready.
func (b *comeback) follow(ctx context.Context, p *process) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		_, err := ask[nothing](ctx, p, opReady, nil)
		b.set(func() { b.ready = time.Now().UnixNano() })
		return err
	})
	group.Go(func() error {
		for b.back() == nil {
			if err := b.note(ctx, p); err != nil {
				return err
			}
			if err := pause(ctx, 5*time.Millisecond); err != nil {
				return err
			}
		}
		return b.note(ctx, p)
	})
	return group.Wait()
}

// back is the node's new life when it is ready, nil before.
func (b *comeback) back() *process {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ready == 0 {
		return nil
	}
	return b.process
}

func (b *comeback) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// note takes a look at the node's role.
func (b *comeback) note(ctx context.Context, p *process) error {
	s, err := p.stats(ctx)
	if err != nil {
		return err
	}
	b.set(func() {
		b.entries[b.victim] = s.Entries
		if s.Role != b.stages[len(b.stages)-1].role {
			b.stages = append(b.stages, stage{s.Role, time.Now().UnixNano()})
		}
	})
	return nil
}

// look reads on the node, from its own memory, what was set before it was
// killed and what was set while it was dead.
func (b *comeback) look(ctx context.Context, p *process) error {
	missed, err := ask[int](ctx, p, opRecall, cargoArgs{missedName, missedCount})
	if err != nil {
		return err
	}
	old, err := ask[int](ctx, p, opRecall, cargoArgs{cargoName, cargoCount})
	b.set(func() { b.missed, b.old = missed, old })
	return err
}
