package node

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/inelpandzic/imdgo/bench/internal/load"
	"github.com/inelpandzic/imdgo/bench/internal/process"
)

// series writes number after number, with pauses in which the cluster is idle.
func (h *Host) series(args SeriesArgs) (spans []Span, err error) {
	n, err := h.node(args.Node)
	if err != nil {
		return nil, err
	}
	for i := 1; i <= args.Count; i++ {
		value := slices.Clone(load.Value)
		binary.BigEndian.PutUint64(value, uint64(i))
		begin := time.Now()
		if err := n.Set(context.Background(), 0, args.Key, value, 0); err != nil {
			return nil, fmt.Errorf("write %d: %w", i, err)
		}
		spans = append(spans, Span{begin.UnixNano(), time.Now().UnixNano()})
		time.Sleep(args.Every)
	}
	return spans, nil
}

// look is how often a replica is looked at. It is not a spin: the processors are
// needed for what is waited for.
const look = 20 * time.Microsecond

// watch returns when this replica first showed each number, or a later one.
func (h *Host) watch(args SeriesArgs) (seen []int64, err error) {
	n, err := h.node(args.Node)
	if err != nil {
		return nil, err
	}
	patience := time.Now().Add(time.Duration(args.Count)*args.Every*4 + 20*time.Second)
	for len(seen) < args.Count {
		value, err := n.Get(context.Background(), 0, args.Key)
		now := time.Now()
		if err != nil {
			return nil, err
		}
		if len(value) >= 8 {
			for uint64(len(seen)) < min(binary.BigEndian.Uint64(value), uint64(args.Count)) {
				seen = append(seen, now.UnixNano())
			}
		}
		if now.After(patience) {
			return nil, fmt.Errorf("%d of %d numbers were seen by now", len(seen), args.Count)
		}
		doze(look)
	}
	return seen, nil
}

// doze sleeps for less than the millisecond that time.Sleep takes at least in
// a process that has nothing else to do.
func doze(d time.Duration) {
	t := unix.NsecToTimeval(d.Nanoseconds())
	_, _ = unix.Select(0, nil, nil, nil, &t) // woken early is as good
}

// pause is how long a writer of attempts rests after a write.
const pause = time.Millisecond

// attempts writes until it is halted, and returns when writes were acknowledged.
func (h *Host) attempts(args AttemptsArgs) (acknowledged []int64, err error) {
	n, err := h.node(args.Node)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex // guards acknowledged
	var running sync.WaitGroup
	for c := range args.Callers {
		running.Go(func() {
			for i := uint64(0); !h.halted(); i++ {
				ctx, cancel := context.WithTimeout(context.Background(), args.Patience)
				err := n.Set(ctx, c, load.Key(uint64(c)*1000+i%1000), load.Value, 0)
				cancel()
				if err == nil {
					mu.Lock()
					acknowledged = append(acknowledged, time.Now().UnixNano())
					mu.Unlock()
				}
				time.Sleep(pause)
			}
		})
	}
	running.Wait()
	slices.Sort(acknowledged)
	return acknowledged, nil
}

func (h *Host) halted() bool {
	select {
	case <-h.halt:
		return true
	default:
		return false
	}
}

// haltAttempts ends the attempts of all nodes, for good.
func (h *Host) haltAttempts(process.None) (none process.None, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.halted() {
		close(h.halt)
	}
	return none, nil
}
