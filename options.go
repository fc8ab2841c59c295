package imdgo

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/inelpandzic/imdgo/internal/members"
	"github.com/inelpandzic/imdgo/internal/node"
)

// Defaults of the options.
const (
	// DefaultPort is the port of an address that names none.
	DefaultPort = members.DefaultPort
	// DefaultTimeout bounds calls whose context has no deadline.
	DefaultTimeout = 10 * time.Second
	// DefaultMaxValueSize is the largest encoded value, in bytes.
	DefaultMaxValueSize = 1 << 20
	// DefaultLogLimit is how many bytes Raft's log may take, where the memory
	// budget leaves it as much.
	DefaultLogLimit = 64 << 20
	// MaxKeySize is the largest key, in bytes. It cannot be changed.
	MaxKeySize = 64 << 10
)

// mostValueSize is the most that WithMaxValueSize takes. A value is one entry
// of Raft's log, and nothing else is replicated while it travels.
const mostValueSize = 16 << 20

// leastLogLimit is the least that WithLogLimit takes.
const leastLogLimit = 1 << 20

// Option configures a [Cache]. A [*Config] is one, too.
type Option interface{ apply(*settings) error }

// Config is how the first release was configured, and still works: it sets
// what WithMembers and WithLogger set.
type Config struct {
	// Members are the addresses of all nodes of the cluster, this one
	// included, see WithMembers. None: a cache of one node.
	Members []string
	// LogLevel is the least level that is logged: trace, debug, info, warn,
	// error or off. Empty means warn. It does not apply to Logger.
	LogLevel string
	// Logger is logged to. Nil means standard error.
	Logger hclog.Logger
}

func (c *Config) apply(s *settings) error {
	if c == nil {
		return invalid("a nil *Config")
	}
	if err := WithMembers(c.Members...).apply(s); err != nil {
		return err
	}
	if c.LogLevel != "" {
		if s.logLevel = hclog.LevelFromString(c.LogLevel); s.logLevel == hclog.NoLevel {
			return invalid("log level %q: it is one of trace, debug, info, warn, error, off", c.LogLevel)
		}
	}
	if c.Logger != nil {
		s.logger = c.Logger
	}
	return nil
}

type option func(*settings) error

func (o option) apply(s *settings) error { return o(s) }

// settings is what the options come to.
type settings struct {
	members    []string
	bind       string
	advertise  string
	defaultTTL time.Duration
	timeout    time.Duration
	maxValue   int
	mostOp     int // what an operation may take, in bytes
	dataDir    string
	logLevel   hclog.Level
	logger     hclog.Logger
	network    Network
	clock      Clock
	memory     budgetSettings
}

func settle(opts []Option) (*settings, error) {
	s := &settings{timeout: DefaultTimeout, maxValue: DefaultMaxValueSize, memory: budgetSettings{decoded: -1}, logLevel: hclog.Warn, clock: node.SystemClock{}}
	for _, o := range opts {
		if o == nil {
			return nil, invalid("a nil Option")
		}
		if err := o.apply(s); err != nil {
			return nil, err
		}
	}
	if s.logger == nil {
		s.logger = hclog.New(&hclog.LoggerOptions{Name: "imdgo", Level: s.logLevel})
	}
	return s, nil
}

// WithMembers names the nodes of the cluster, this one included, each as host
// or host:port; the port is 6701 unless named. Hosts are names, IPv4 or IPv6
// addresses. Give the same list to all of them: the node finds itself in it by
// the addresses of its machine, or by WithBindAddr. A node that is not in the
// list joins the cluster of those that are. Nodes may be started in any order,
// and a majority of them is enough to begin. Without members the cache is one
// node, which opens no port.
func WithMembers(addrs ...string) Option {
	return option(func(s *settings) error {
		list, err := members.List(addrs)
		if err != nil {
			return invalid("members: %w", err)
		}
		s.members = list
		return nil
	})
}

// WithBindAddr names the address to listen on, as host:port. It is also who
// this node is among the members, so that several can run on one machine. With
// an empty or unspecified host the node listens on all interfaces; who it is
// must then be told by its members or by WithAdvertiseAddr. Port 0 takes a free
// one. Without members the node begins a cluster of its own, which others join.
func WithBindAddr(addr string) Option {
	return option(func(s *settings) error {
		if addr == "" {
			return invalid("bind address %q", addr)
		}
		s.bind = addr
		return nil
	})
}

// WithAdvertiseAddr names the address that others dial to reach this node, as
// host:port, where that is not the one it listens on. It is who this node is
// among the members.
func WithAdvertiseAddr(addr string) Option {
	return option(func(s *settings) error {
		parsed, err := members.Parse(addr)
		if err != nil {
			return invalid("advertised %w", err)
		}
		if _, port, _ := net.SplitHostPort(parsed); port == "0" {
			return invalid("advertised address %q: nobody can be dialed at port 0", addr)
		}
		s.advertise = parsed
		return nil
	})
}

// WithDataDir keeps the cache on disk as well, in a directory that is made if it
// is not there. All nodes may then stop, in good order or not, and start again:
// they have every write that was acknowledged, and TTLs have gone on meanwhile,
// by the wall clocks. Give it to all nodes, each its own directory on a disk of
// its own machine, or to none.
//
// Reads cost what they cost without. A write takes as long as two disks need to
// make it last, one after the other (an fsync per batch of writes that come
// together). The directory takes up to twice the state for snapshots and the
// same again, or twice what WithLogLimit says, for the log.
//
// A directory belongs to one node: another address, or a second process, is an
// error of New. So is damage, and the error names the file; remove the directory
// then, and the node joins the others anew. Everything in the directory is read
// and checked by New: every page of the log's file, every entry and vote, how far
// the log goes and has gone, the snapshots, and that all of it is of one life of
// the node in one cluster. A changed bit, a page of zeros or of something else, a
// file that is cut off or missing, or an older copy of one that stands beside the
// others is refused, or has changed nothing that counts. A snapshot that cannot
// be read is a warning, where the one before and the log make up for it.
//
// What cannot be found: an older copy of the whole directory, which must never be
// put back while other nodes are there, because its votes have been forgotten;
// what a disk has lost that said it was written, where the machine has crashed
// since and what is there is in itself consistent; a change made on purpose.
//
// Damage while the node runs ends the node when it comes upon it: calls return
// ErrClosed with the reason, and nothing panics. A full disk is no damage.
// Nothing is acknowledged that is not on disk: a leader steps down, and another
// node takes over what it was asked for, as long as a majority has room. A node
// whose disk is full follows, and what is written on it is ErrUnknownOutcome,
// ErrTimeout or ErrNoLeader; it goes on when there is room again. Only when not
// even a new term can be written, a few pages, does a full disk end the node;
// start it again then.
//
// With a data directory Close keeps the node a member, and [Cache.Leave] ends
// that and empties the directory.
func WithDataDir(dir string) Option {
	return option(func(s *settings) error {
		if dir == "" {
			return invalid("data directory %q", dir)
		}
		s.dataDir = dir
		return nil
	})
}

// WithTLS will encrypt the connections between nodes, and let in only who has a
// certificate. This release does not: New refuses it.
func WithTLS(c *tls.Config) Option {
	return refused("WithTLS(%p): TLS is not supported yet", c)
}

func refused(format string, arg any) Option {
	return option(func(*settings) error { return invalid(format, arg) })
}

// WithDefaultTTL sets the TTL of the entries that this node writes without one,
// to maps that have none. 0, the default, means that they do not expire.
func WithDefaultTTL(d time.Duration) Option {
	return option(func(s *settings) error {
		if d < 0 {
			return invalid("default TTL %v: it is negative", d)
		}
		s.defaultTTL = d
		return nil
	})
}

// WithTimeout bounds calls that take no context and those whose context has no
// deadline. The default is 10 s.
func WithTimeout(d time.Duration) Option {
	return option(func(s *settings) error {
		if d <= 0 {
			return invalid("timeout %v: it is not positive", d)
		}
		s.timeout = d
		return nil
	})
}

// WithMaxValueSize sets how large an encoded value may be, in bytes: 1 MiB
// unless named, at most 16 MiB. A write beyond it is ErrTooLarge, and so is one
// beyond what the log can take, see WithLogLimit. It concerns what this node writes.
func WithMaxValueSize(bytes int) Option {
	return option(func(s *settings) error {
		if bytes <= 0 || bytes > mostValueSize {
			return invalid("maximal value size %d: it is one from 1 to %d bytes", bytes, mostValueSize)
		}
		s.maxValue = bytes
		return nil
	})
}

// WithLogLimit sets how many bytes of memory Raft's log may take on this node:
// 64 MiB or a 24th of the memory budget unless named, whichever is less, and at
// least 1 MiB if named. The log is trimmed to half of it when it is full. A node
// that falls further behind than that is sent the whole state; while that is
// under way the log, with what the transfer keeps, may grow to an eighth of the
// memory budget, or to three times what is named here, which is then what the
// budget sets aside for it. From two thirds of that on writes are slowed down, by up to
// 0.2 s for each batch, and at all of it the transfer is given up.
//
// No operation may be larger than the limit: a budget of 25 MiB has room for values
// of 1 MiB, a larger value needs a larger budget, or a limit that is named. Values
// near it are slow all the same. The log has then room for one of them, and a node
// that is behind by two is sent the whole state. With a data
// directory the log is on disk, and the limit is after how many bytes at the least
// a snapshot is written.
func WithLogLimit(bytes int64) Option {
	return option(func(s *settings) error {
		if bytes < leastLogLimit {
			return invalid("log limit %d: it is at least %d bytes", bytes, leastLogLimit)
		}
		s.memory.logLimit = bytes
		return nil
	})
}

// WithLogger logs to l, whose handler decides about levels. The default is
// warnings and errors on standard error.
func WithLogger(l *slog.Logger) Option {
	return option(func(s *settings) error {
		if l == nil {
			return invalid("a nil *slog.Logger")
		}
		s.logger = overSlog(l)
		return nil
	})
}

// Network is where the cache listens and dials. Addresses are host:port.
type Network interface {
	Listen(addr string) (net.Listener, error)
	Dial(ctx context.Context, addr string) (net.Conn, error)
}

// WithNetwork replaces TCP, which is useful for hermetic tests: imdgotest has a
// Network with faults. Nothing is looked up for it, so WithBindAddr must say who
// this node is.
func WithNetwork(n Network) Option {
	return option(func(s *settings) error {
		if n == nil {
			return invalid("a nil Network")
		}
		s.network = n
		return nil
	})
}

// Clock is a source of time: the wall clock, and the time since an arbitrary
// moment, which never goes back and goes on while the machine sleeps. Both must
// be cheap and safe for concurrent use.
type Clock interface {
	Now() time.Time
	Elapsed() time.Duration
}

// WithClock replaces the machine's clock, which is useful for tests that
// cannot wait: imdgotest has a Clock that jumps.
func WithClock(c Clock) Option {
	return option(func(s *settings) error {
		if c == nil {
			return invalid("a nil Clock")
		}
		s.clock = c
		return nil
	})
}
