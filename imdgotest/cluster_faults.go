package imdgotest

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// Cut cuts the link between two nodes, see [Net.Cut].
func (c *Cluster) Cut(a, b string) { c.fabric.Cut(a, b) }

// CutOneWay cuts one direction of a link, see [Net.CutOneWay].
func (c *Cluster) CutOneWay(from, to string) { c.fabric.CutOneWay(from, to) }

// Isolate cuts a node off from all others, see [Net.Isolate].
func (c *Cluster) Isolate(name string) { c.fabric.Isolate(name) }

// Partition separates groups of nodes, see [Net.Partition].
func (c *Cluster) Partition(groups ...[]string) { c.fabric.Partition(groups...) }

// Heal ends every cut, isolation and partition, see [Net.Heal].
func (c *Cluster) Heal() { c.fabric.Heal() }

// Reset resets the connections between two nodes, see [Net.Reset].
func (c *Cluster) Reset(a, b string) { c.fabric.Reset(a, b) }

// Delay makes everything between two nodes take d longer, see [Net.Delay].
func (c *Cluster) Delay(a, b string, d time.Duration) { c.fabric.Delay(a, b, d) }

// Tick lets d pass on the clocks of all nodes. It does not wait for what comes of it, and the timers
// of Raft do not run by that clock.
func (c *Cluster) Tick(d time.Duration) { c.clock.Advance(d) }

// Jump lets d pass on one node's clock only, see [Clock.Jump].
func (c *Cluster) Jump(name string, d time.Duration) { c.clock.Jump(name, d) }

// Skew makes a node's wall clock wrong by d, see [Clock.Skew].
func (c *Cluster) Skew(name string, d time.Duration) { c.clock.Skew(name, d) }

// Drift makes a node's clock run at another rate, see [Clock.Drift].
func (c *Cluster) Drift(name string, rate float64) { c.clock.Drift(name, rate) }

// Kill ends a node as SIGKILL ends a process: its connections are reset and its port is closed, before it
// can hand over or say goodbye to anybody. What is left of it, which nobody can hear, is closed in the
// background. It returns at once.
func (c *Cluster) Kill(name string) {
	c.t.Helper()
	n := c.retire(name)
	c.fabric.Kill(name)
	c.ends.Go(func() { _ = n.Cache.Close() }) // it cannot have succeeded in anything
}

// Restart kills a node, unless it has ended already, and starts it as a new process at the same
// address, which has to begin without anything that the old one held in memory. It does not wait until
// the node is ready.
func (c *Cluster) Restart(name string) *Node {
	c.t.Helper()
	if !c.hasEnded(c.Node(name)) {
		c.Kill(name)
	}
	return c.Start(name)
}

// Stop closes a node in good order.
func (c *Cluster) Stop(name string) {
	c.t.Helper()
	if err := c.retire(name).Cache.Close(); err != nil {
		c.t.Errorf("stopping %s: %v", name, err)
	}
}

// Leave has a node leave the cluster for good.
func (c *Cluster) Leave(name string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.retire(name).Cache.Leave(ctx); err != nil {
		c.t.Errorf("%s: %v", name, err)
	}
}

// retire takes a node off the list of those that are alive.
func (c *Cluster) retire(name string) *Node {
	c.t.Helper()
	n := c.Node(name)
	c.mu.Lock()
	ended := n.ended
	n.ended = true
	c.mu.Unlock()
	if ended {
		c.t.Fatalf("%s has ended already", name)
	}
	return n
}

// end is what happens when the test does.
func (c *Cluster) end() {
	c.Heal()
	if !c.t.Failed() && !c.settings.unchecked {
		c.checkReplicas()
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		c.closeAll()
		if err := c.fabric.Close(); err != nil {
			c.t.Errorf("closing the network: %v", err)
		}
	}()
	select {
	case <-closed:
	case <-time.After(2 * patience):
		c.t.Errorf("the cluster does not end:\n%s", stacks())
	}
	if c.t.Failed() {
		c.logs.show(c.t)
	}
}

func (c *Cluster) checkReplicas() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Converged(ctx); err != nil {
		c.t.Errorf("at the end of the test, with all links healed: %v", err)
	}
}

func (c *Cluster) closeAll() {
	var closing sync.WaitGroup
	for _, n := range c.Nodes() {
		closing.Go(func() {
			if err := n.Cache.Close(); err != nil {
				c.t.Errorf("closing %s: %v", n.Name, err)
			}
		})
	}
	closing.Wait()
	c.ends.Wait()
}

func stacks() []byte {
	buffer := make([]byte, 1<<20)
	return buffer[:runtime.Stack(buffer, true)]
}
