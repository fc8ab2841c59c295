package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/inelpandzic/imdgo/bench/internal/load"
	"github.com/inelpandzic/imdgo/bench/internal/node"
	"github.com/inelpandzic/imdgo/bench/internal/process"
	"github.com/inelpandzic/imdgo/bench/internal/system"
)

// size is how many nodes a cluster has.
const size = 3

// cluster is a system that runs: a process for each node, or one for all.
type cluster struct {
	system    system.System
	processes []*process.Process
	dir       string
}

// startCluster starts it and waits until it can be written to.
func (r *Run) startCluster(ctx context.Context, s system.System) (*cluster, error) {
	var err error
	for range 3 { // a port that was free may not be by the time it is listened on
		var c *cluster
		if c, err = r.tryCluster(ctx, s); err == nil || ctx.Err() != nil {
			return c, err
		}
		r.progress("  %s did not start, once more: %v", s.Name, err)
	}
	return nil, err
}

func (r *Run) tryCluster(ctx context.Context, s system.System) (c *cluster, err error) {
	c = &cluster{system: s}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting %s: %w", s.Name, err), c.end())
		}
	}()
	if c.dir, err = os.MkdirTemp(r.dir, s.Name+"-"); err != nil {
		return c, err
	}
	addrs, err := process.FreePorts(size * s.Ports)
	if err != nil {
		return c, err
	}
	count := size
	if r.options.OneProcess {
		count = 1
	}
	for i := range count {
		p, err := r.child(fmt.Sprintf("%s-%d", s.Name, i))
		if err != nil {
			return c, err
		}
		c.processes = append(c.processes, p)
	}
	place := system.Place{}
	for i := range size {
		place.Addrs = append(place.Addrs, addrs[i*s.Ports:(i+1)*s.Ports])
	}
	var opening errgroup.Group
	for i := range size {
		place := place
		place.Index, place.Dir = i, filepath.Join(c.dir, fmt.Sprint(i))
		opening.Go(func() error {
			if _, err := process.Ask[process.None](ctx, c.at(i), node.OpOpen, node.OpenArgs{System: s.Name, Place: place}); err != nil {
				return err
			}
			_, err := process.Ask[process.None](ctx, c.at(i), node.OpReady, i)
			return err
		})
	}
	return c, opening.Wait()
}

// at is the process that hosts a node.
func (c *cluster) at(i int) *process.Process { return c.processes[i%len(c.processes)] }

// end kills all of it: nothing of what it holds is wanted any more. Only nodes
// that have processes of their own are given the time to wait for them.
func (c *cluster) end() error {
	const patience = 5 * time.Second
	var ending sync.WaitGroup
	for _, p := range c.processes {
		ending.Go(func() {
			if c.system.Beside {
				p.End(patience)
			} else {
				p.Kill()
			}
		})
	}
	ending.Wait()
	if c.dir == "" {
		return nil
	}
	return os.RemoveAll(c.dir)
}

// leader waits until one node says that it leads.
func (c *cluster) leader(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Second, fmt.Errorf("no node of %s leads", c.system.Name))
	defer cancel()
	for {
		for i := range size {
			if leads, err := process.Ask[bool](ctx, c.at(i), node.OpLeads, i); err == nil && leads {
				return i, nil
			}
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// usage is that of all its processes.
func (c *cluster) usage(ctx context.Context, collect bool) (u process.Usage, err error) {
	for _, p := range c.processes {
		one, err := process.Ask[process.Usage](ctx, p, node.OpUsage, collect)
		if err != nil {
			return u, err
		}
		u = u.Add(one)
	}
	return u, nil
}

func (c *cluster) load(ctx context.Context, i int, spec load.Spec) (load.Result, error) {
	return process.Ask[load.Result](ctx, c.at(i), node.OpLoad, node.LoadArgs{Node: i, Spec: spec})
}

func (c *cluster) fill(ctx context.Context, i int, from, to uint64) error {
	_, err := process.Ask[process.None](ctx, c.at(i), node.OpFill, node.FillArgs{Node: i, From: from, To: to})
	return err
}
