package imdgo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/inelpandzic/imdgo/internal/command"
	"github.com/inelpandzic/imdgo/internal/members"
	"github.com/inelpandzic/imdgo/internal/node"
	"github.com/inelpandzic/imdgo/internal/value"
	"github.com/inelpandzic/imdgo/internal/wire"
)

// Cache is one node's replicated cache. It is safe for concurrent use. Its own
// methods work on the default map, which holds anything under strings and is
// also what OpenMap[string, any](c, "") opens.
type Cache struct {
	node       *node.Node
	log        logger
	settings   *settings
	defaultMap *Map[string, any]
	hits       counter
	misses     counter
	closed     atomic.Bool
	loading    context.Context // of the loads that run here
	stopLoads  context.CancelFunc
	loads      sync.WaitGroup

	mu    sync.Mutex // guards kinds
	kinds map[string]command.MapType
}

// Store is what a Cache was called in the first release.
type Store = Cache

// New starts a cache. It does not wait for the others, nor for a leader: what
// is called before there is one waits as long as it may, see [Cache.Ready].
// Its errors quote the option or address that is wrong, and leave nothing behind.
func New(opts ...Option) (*Cache, error) {
	s, err := settle(opts)
	if err != nil {
		return nil, err
	}
	cfg, err := place(s)
	if err != nil {
		return nil, err
	}
	n, err := node.New(cfg)
	if err != nil {
		if cfg.Listener != nil {
			err = errors.Join(err, ignoreClosed(cfg.Listener.Close()))
		}
		return nil, doing("starting imdgo", "", err)
	}
	c := &Cache{node: n, log: cfg.Logger, settings: s, kinds: make(map[string]command.MapType)}
	c.loading, c.stopLoads = context.WithCancel(context.Background())
	if c.defaultMap, err = OpenMap[string, any](c, ""); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// place finds out who the node is, and opens its port.
func place(s *settings) (node.Config, error) {
	plan, err := s.memory.plan(s.dataDir != "")
	if err != nil {
		return node.Config{}, err
	}
	s.mostOp = largest(plan.logLimit, s.dataDir != "")
	if why := plan.warn(); why != "" {
		s.logger.Warn("the memory budget may not hold", "budget", plan.Total(), "decoded", plan.decoded, "reason", why)
	}
	cfg := node.Config{Members: s.members, Clock: s.clock, Timeout: s.timeout, LogLimit: plan.logLimit, Budget: plan.Budget, Decoded: plan.decoded,
		DataDir: s.dataDir, Logger: s.logger, Network: wire.Network(wire.TCP{})}
	var machine members.Machine = members.System{}
	if s.network != nil {
		cfg.Network, machine = s.network, nowhere{}
	}
	if len(s.members) == 0 && s.bind == "" && s.advertise == "" {
		cfg.Name = "local:" + DefaultPort // never dialed
		return cfg, nil
	}
	places, err := members.Places(machine, s.members, s.bind, s.advertise)
	if err != nil {
		return cfg, invalid("%w", err)
	}
	cfg.Listener, cfg.Name, err = members.Open(cfg.Network.Listen, places)
	if err != nil {
		return cfg, doing("starting imdgo", "", err)
	}
	if len(cfg.Members) == 0 {
		cfg.Members = []string{cfg.Name} // alone until others join
	}
	return cfg, nil
}

// nowhere is the machine behind a Network of the user's: names mean what that
// Network takes them for.
type nowhere struct{}

// Resolve implements members.Machine: no name has an address here.
func (nowhere) Resolve(context.Context, string) ([]netip.Addr, error) {
	return nil, errors.New("a Network of your own is not asked where its addresses are")
}

// Addresses implements members.Machine.
func (nowhere) Addresses() ([]netip.Addr, error) { return nil, nil }

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Get returns the value under key from this node's replica. Strings, byte
// slices, floats, bools, times and nil come back as they were; integers as
// int64, or uint64 beyond it; slices as []any; maps and structs as
// map[string]any. For a struct of your own use a typed map, see [OpenMap].
func (c *Cache) Get(key string) (any, bool) { return c.defaultMap.Get(key) }

// Set stores value under key on all nodes. It returns when a majority of them
// and this one have it; it waits for that as long as WithTimeout says.
func (c *Cache) Set(key string, value any, opts ...WriteOption) error {
	return c.defaultMap.Set(context.Background(), key, value, opts...)
}

// Delete removes the entry under key on all nodes. That there is none is no error.
func (c *Cache) Delete(key string) error {
	return c.defaultMap.Delete(context.Background(), key)
}

// Count returns how many entries this node's replica holds in the default map.
// An expired entry counts until it leaves memory, within a second or so.
func (c *Cache) Count() int { return c.defaultMap.Len() }

// Ready waits until a leader is known, this replica has applied everything that
// was acknowledged before the call, and this node has its lasting role. It is
// what a readiness probe asks.
//
// A node that has taken the place of another counts as away until it is ready:
// of three nodes, whose cluster bears the loss of one, stop the next one only then.
func (c *Cache) Ready(ctx context.Context) error {
	return doing("getting ready", "", c.node.Ready(ctx))
}

// StateHash returns a digest of this replica's state (entries, versions,
// deadlines, request ids, the clock and declarations) and the log index that it
// is of. Two replicas at the same index have the same one. It costs about 0.2 µs
// per entry, during which nothing is applied.
func (c *Cache) StateHash() (index, hash uint64) { return c.node.StateHash() }

// Leave takes this node out of its cluster for good, handing leadership over
// first, and closes it. Without a data directory Close does the same, but tries
// for no longer than a second; with one only Leave does, and empties the
// directory. An error says that the cluster could not be told before ctx ended;
// the cache is closed all the same, and the directory kept.
func (c *Cache) Leave(ctx context.Context) error {
	if c.closed.Swap(true) {
		return doing("leaving", "", ErrClosed)
	}
	c.endLoads()
	err := c.node.Leave(ctx)
	c.waitForLoads()
	return doing("leaving", "", err)
}

// Close ends the cache. A leader hands over first, and without a data directory
// the node takes itself out of the cluster, if that takes no longer than a
// second. Writes that are under way may come back with ErrUnknownOutcome;
// afterwards Get misses and everything else is ErrClosed. It waits for every
// goroutine that the cache has started; for a load of GetOrLoad that takes no notice of its context's end no
// longer than five seconds. Calling it again does nothing.
func (c *Cache) Close() error {
	c.closed.Store(true)
	c.endLoads()
	err := c.node.Close()
	c.waitForLoads()
	return doing("closing", "", err)
}

// remember notes what a map is, and refuses another kind under the same name,
// as far as this process knows.
func (c *Cache) remember(name string, kind command.MapType) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.node.Table(name).Kind()
	if !ok {
		known, ok = c.kinds[name]
	}
	if ok && known != kind {
		return doing("opening", name, mismatch(known, kind))
	}
	c.kinds[name] = kind
	return nil
}

func mismatch(known, wanted command.MapType) error {
	describe := func(t command.MapType) string {
		keys, values := t.Split()
		return value.KeyKind(keys).String() + " keys and " + value.Encoding(values).String() + " values"
	}
	return fmt.Errorf("%w: it has %s, not %s", ErrMapMismatch, describe(known), describe(wanted))
}
