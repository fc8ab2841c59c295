package imdgotest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo"
)

// patience bounds what a Cluster waits for by itself: a leader, readiness, equal replicas, the end of
// a node. An election of Raft's takes 1 to 3 s, and a machine may be busy.
const patience = 30 * time.Second

// port is what every node of a Cluster listens on, at a host of its own.
const port = "6701"

// Option configures a [Cluster].
type Option func(*settings)

// settings is what the options come to.
type settings struct {
	node      []imdgo.Option
	loopback  bool
	unstarted bool
	unchecked bool
	data      string
}

// With passes options to every node, beside those that the Cluster needs itself.
func With(opts ...imdgo.Option) Option {
	return func(s *settings) { s.node = append(s.node, opts...) }
}

// Loopback connects the nodes by TCP within this machine instead of in memory. It does not work in a
// synctest bubble.
func Loopback() Option { return func(s *settings) { s.loopback = true } }

// Unstarted leaves it to the test to start the nodes, with [Cluster.Start].
func Unstarted() Option { return func(s *settings) { s.unstarted = true } }

// Unchecked leaves out the check at the end of the test that all replicas are equal. It is for tests
// that leave the cluster without a majority.
func Unchecked() Option { return func(s *settings) { s.unchecked = true } }

// Durable gives every node a data directory below dir, which its successors find
// again. A node that was killed has ended when another is started in its place.
func Durable(dir string) Option { return func(s *settings) { s.data = dir } }

// Cluster is a number of imdgo nodes in this process, over a [Net] and on a [Clock]. Nodes are named
// n1, n2, …; its methods take these names. A name that the cluster was not made with belongs to a node
// that is not in the list of members, and joins once it is started.
//
// When the test ends, a Cluster heals the network, waits until the replicas of all nodes that are
// alive are equal, which fails the test if they do not become so, closes everything and waits for it. If the
// test has failed, the end of the nodes' logs is shown.
//
// Inside a testing/synctest bubble elections and timeouts cost no time, and the time that a test takes
// does not depend on how busy the machine is:
//
//	synctest.Test(t, func(t *testing.T) {
//		c := imdgotest.NewCluster(t, 3)
//		...
//	})
//
// Methods that fail the test must be called on its own goroutine, as t.Fatal must. Those of [Node],
// the faults and the clock may be called on any.
type Cluster struct {
	t        testing.TB
	settings settings
	members  []string // addresses
	fabric   *Net
	clock    *Clock
	logs     *recorder
	ends     sync.WaitGroup // of nodes that were killed

	mu    sync.Mutex // guards all below
	nodes map[string]*Node
}

// Node is a node of a [Cluster] from its start to its end: a node that is restarted is another Node.
type Node struct {
	Name  string
	Cache *imdgo.Cache

	ended bool // guarded by the Cluster's mu: killed, stopped or gone
}

// NewCluster starts n nodes and waits until all are ready. It ends with the test.
func NewCluster(t testing.TB, n int, opts ...Option) *Cluster {
	t.Helper()
	c := &Cluster{t: t, clock: NewClock(), logs: newRecorder(), nodes: map[string]*Node{}}
	for _, o := range opts {
		o(&c.settings)
	}
	c.fabric = NewNet()
	if c.settings.loopback {
		fabric, err := NewLoopback()
		if err != nil {
			t.Fatal(err)
		}
		c.fabric = fabric
	}
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("n%d", i+1))
		c.members = append(c.members, address(names[i]))
	}
	t.Cleanup(c.end)
	if !c.settings.unstarted {
		for _, name := range names {
			c.Start(name)
		}
		c.WaitReady()
	}
	return c
}

func address(name string) string { return net.JoinHostPort(name, port) }

// Net returns the network between the nodes.
func (c *Cluster) Net() *Net { return c.fabric }

// Clock returns the clock of the nodes.
func (c *Cluster) Clock() *Clock { return c.clock }

// Start starts a node and does not wait until it is ready. A node that has ended is started again as a
// new process at the same address: without anything that it held in memory. Options are for this node, after
// those that all have.
func (c *Cluster) Start(name string, more ...imdgo.Option) *Node {
	c.t.Helper()
	if old, ok := c.find(name); ok && !c.hasEnded(old) {
		c.t.Fatalf("starting %s: it runs", name)
	}
	c.fabric.Revive(name)
	opts := append([]imdgo.Option{
		imdgo.WithMembers(c.members...),
		imdgo.WithBindAddr(address(name)),
		imdgo.WithNetwork(c.fabric.Node(name)),
		imdgo.WithClock(c.clock.Node(name)),
		imdgo.WithLogger(c.logs.logger(name)),
	}, c.settings.node...)
	if c.settings.data != "" {
		c.ends.Wait()
		opts = append(opts, imdgo.WithDataDir(filepath.Join(c.settings.data, name)))
	}
	cache, err := imdgo.New(append(opts, more...)...)
	if err != nil {
		c.t.Fatalf("starting %s: %v", name, err)
	}
	n := &Node{Name: name, Cache: cache}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[name] = n
	return n
}

func (c *Cluster) find(name string) (*Node, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.nodes[name]
	return n, ok
}

func (c *Cluster) hasEnded(n *Node) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return n.ended
}

// Node returns the node of that name, the last one if it has been restarted. It need not be alive.
func (c *Cluster) Node(name string) *Node {
	c.t.Helper()
	n, ok := c.find(name)
	if !ok {
		c.t.Fatalf("%s has never been started", name)
	}
	return n
}

// Nodes returns the nodes that are alive, by name.
func (c *Cluster) Nodes() []*Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	var alive []*Node
	for _, n := range c.nodes {
		if !n.ended {
			alive = append(alive, n)
		}
	}
	slices.SortFunc(alive, func(a, b *Node) int {
		if len(a.Name) != len(b.Name) {
			return len(a.Name) - len(b.Name) // n10 comes after n9
		}
		return slices.Compare([]byte(a.Name), []byte(b.Name))
	})
	return alive
}

// WaitReady waits until every node that is alive is ready.
func (c *Cluster) WaitReady() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	nodes := c.Nodes()
	errs := make([]error, len(nodes))
	var waiting sync.WaitGroup
	for i, n := range nodes {
		waiting.Go(func() {
			if err := n.Cache.Ready(ctx); err != nil {
				errs[i] = fmt.Errorf("%s: %w", n.Name, err)
			}
		})
	}
	waiting.Wait()
	if err := errors.Join(errs...); err != nil {
		c.t.Fatal(err)
	}
}

// Leader waits until there is a leader that a majority of the nodes that are alive, itself included,
// follow and can reach, and returns it. A leader that has just been cut off and does not know it is none.
func (c *Cluster) Leader() *Node {
	c.t.Helper()
	var leader *Node
	Eventually(c.t, patience, func() (err error) {
		leader, err = c.leader()
		return err
	})
	return leader
}

func (c *Cluster) leader() (*Node, error) {
	nodes := c.Nodes()
	stats := make([]imdgo.Stats, len(nodes))
	for i, n := range nodes {
		stats[i] = n.Cache.Stats()
	}
	for i, n := range nodes {
		if stats[i].Role != imdgo.Leader {
			continue
		}
		followed := 0
		for j, other := range nodes {
			if stats[j].Leader == stats[i].NodeID && stats[j].Term == stats[i].Term && c.linked(n, other) {
				followed++
			}
		}
		if 2*followed > len(nodes) {
			return n, nil
		}
	}
	return nil, fmt.Errorf("no leader: %s", describe(nodes, stats))
}

func describe(nodes []*Node, stats []imdgo.Stats) string {
	var all string
	for i, n := range nodes {
		all += fmt.Sprintf("\n  %s is %s %s in term %d, leader %q, applied %d",
			n.Name, stats[i].Role, stats[i].NodeID, stats[i].Term, stats[i].Leader, stats[i].AppliedIndex)
	}
	return all
}

// linked tells whether no cut separates two nodes.
func (c *Cluster) linked(a, b *Node) bool {
	there := edge{a.Name, b.Name}
	cut, _ := c.fabric.links.look(there, there.back())
	return !cut
}

// Followers waits until there is a leader, as [Cluster.Leader] does, and returns the nodes that follow
// it and have a vote.
func (c *Cluster) Followers() []*Node {
	c.t.Helper()
	leader := c.Leader()
	id := leader.Cache.Stats().NodeID
	var followers []*Node
	for _, n := range c.Nodes() {
		if s := n.Cache.Stats(); s.Role == imdgo.Follower && s.Leader == id && c.linked(n, leader) {
			followers = append(followers, n)
		}
	}
	return followers
}

// Converged waits until the replicas of all nodes that are alive are at the same log index with the same
// state hash. When ctx ends first, its error says who is where.
func (c *Cluster) Converged(ctx context.Context) error { return poll(ctx, c.equal) }

func (c *Cluster) equal() error {
	var all string
	same := true
	var firstIndex, firstHash uint64
	nodes := c.Nodes()
	for i, n := range nodes {
		index, hash := n.Cache.StateHash()
		if i == 0 {
			firstIndex, firstHash = index, hash
		}
		same = same && index == firstIndex && hash == firstHash
		all += fmt.Sprintf("\n  %s at index %d: %016x", n.Name, index, hash)
	}
	if !same {
		return fmt.Errorf("replicas differ:%s%s", all, c.roles(nodes))
	}
	return nil
}

func (c *Cluster) roles(nodes []*Node) string {
	stats := make([]imdgo.Stats, len(nodes))
	for i, n := range nodes {
		stats[i] = n.Cache.Stats()
	}
	return describe(nodes, stats)
}
