package imdgotest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Clock is the time of one cluster. It runs with the real clock (in a synctest bubble, with the
// bubble's) and can be moved on from there; it wakes no timers. All methods may be called
// concurrently. A negative duration where time cannot run backwards is a mistake in the test and panics.
type Clock struct {
	start    time.Time
	advanced atomic.Int64 // nanoseconds

	mu    sync.Mutex // guards nodes
	nodes map[string]*NodeClock
}

// NewClock returns a clock that has run for no time and shows the present wall time.
func NewClock() *Clock {
	return &Clock{start: time.Now(), nodes: map[string]*NodeClock{}}
}

// Node returns the clock of the node of that name: an imdgo.Clock. It is the same one every time: a
// node's clock outlives its process.
func (c *Clock) Node(name string) *NodeClock {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.nodes[name]
	if !ok {
		n = &NodeClock{cluster: c, rate: 1}
		c.nodes[name] = n
	}
	return n
}

// Advance lets d pass on all nodes at once.
func (c *Clock) Advance(d time.Duration) {
	c.advanced.Add(int64(notNegative("Advance", d)))
}

// Jump lets d pass on one node only, as if it had been suspended while the others stood still.
func (c *Clock) Jump(node string, d time.Duration) {
	n := c.Node(node)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reached += notNegative("Jump", d)
}

// Skew makes a node's wall clock wrong by d: early if negative, right if 0. Elapsed is not touched.
func (c *Clock) Skew(node string, d time.Duration) {
	n := c.Node(node)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.skew = d
}

// Step adds d to what a node's wall clock is wrong by, as when somebody sets it while it runs.
func (c *Clock) Step(node string, d time.Duration) {
	n := c.Node(node)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.skew += d
}

// Drift makes a node's clock run at a rate from now on: 1 is right, 1.01 gains a hundredth, 0 stands
// still. It applies to what Advance lets pass as well. What was gained or lost so far stays.
func (c *Clock) Drift(node string, rate float64) {
	if !(rate >= 0) { // also not a number
		panic(fmt.Sprintf("imdgotest: Drift(%v): a clock does not run backwards", rate))
	}
	n := c.Node(node)
	n.mu.Lock()
	defer n.mu.Unlock()
	now := c.elapsed()
	n.reached, n.since, n.rate = n.at(now), now, rate
}

// elapsed is how long the cluster has run, on a clock that is right.
func (c *Clock) elapsed() time.Duration {
	return time.Since(c.start) + time.Duration(c.advanced.Load())
}

func notNegative(method string, d time.Duration) time.Duration {
	if d < 0 {
		panic(fmt.Sprintf("imdgotest: %s(%v): time does not run backwards", method, d))
	}
	return d
}

// NodeClock is one node's view of a [Clock]; it implements imdgo.Clock.
type NodeClock struct {
	cluster *Clock

	mu      sync.RWMutex  // guards all below
	since   time.Duration // the cluster's time when rate was set
	reached time.Duration // this node's time then, and what it has jumped
	rate    float64
	skew    time.Duration
}

// Elapsed returns the time since the cluster's clock was made, as this node counts it. It never goes
// back, whatever is done to the clock.
func (n *NodeClock) Elapsed() time.Duration {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.at(n.cluster.elapsed()) // read under the lock, so that no one is late with an old rate
}

// Now returns the wall time as this node has it. It carries no monotonic reading, so that subtracting
// the times of two nodes shows how far they are apart.
func (n *NodeClock) Now() time.Time {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.cluster.start.Round(0).Add(n.at(n.cluster.elapsed()) + n.skew)
}

// at converts the cluster's time to this node's. The caller holds mu.
func (n *NodeClock) at(t time.Duration) time.Duration {
	if n.rate == 1 {
		return n.reached + t - n.since
	}
	return n.reached + time.Duration(float64(t-n.since)*n.rate)
}
