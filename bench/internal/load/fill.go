package load

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/inelpandzic/imdgo/bench/internal/system"
)

// Fill writes the keys from…to, each once, with a TTL.
func Fill(ctx context.Context, n system.Node, from, to uint64) error {
	const callers, batch = 8, 100
	var next atomic.Uint64
	next.Store(from)
	group, ctx := errgroup.WithContext(ctx)
	for c := range callers {
		group.Go(func() error {
			for ctx.Err() == nil {
				first := next.Add(batch) - batch
				if first >= to {
					return nil
				}
				var keys []string
				for i := first; i < min(first+batch, to); i++ {
					keys = append(keys, Key(i))
				}
				if err := fillSome(ctx, n, c, keys); err != nil {
					return fmt.Errorf("filling, from key %d: %w", first, err)
				}
			}
			return ctx.Err()
		})
	}
	return group.Wait()
}

// fillSome tries more than once: that a system is overrun and says so is no
// reason to give up.
func fillSome(ctx context.Context, n system.Node, caller int, keys []string) (err error) {
	for range 5 {
		if err = n.SetMany(ctx, caller, keys, Value, TTL); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}
