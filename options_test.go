package imdgo_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/inelpandzic/imdgo"
)

// anyPort is a loopback address with a port that was free a moment ago.
func anyPort(t *testing.T, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Skipf("%s cannot be listened at here: %v", host, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

func portOf(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// expectFree: the port that a failed New may have taken can be had again.
func expectFree(t *testing.T, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Errorf("the port is not free: %v", err)
		return
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// expectReady: the cache works, and says who it is.
func expectReady(t *testing.T, c *imdgo.Cache, nodeID string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := c.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Set("key", "value"); err != nil {
		t.Error(err)
	}
	if v, ok := c.Get("key"); v != "value" || !ok {
		t.Errorf("Get: %v, %v", v, ok)
	}
	if got := c.Stats().NodeID; !strings.HasPrefix(got, nodeID+"/") {
		t.Errorf("it is %s, not %s", got, nodeID)
	}
}

func startWith(t *testing.T, opts ...imdgo.Option) *imdgo.Cache {
	t.Helper()
	c, err := imdgo.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// elsewhere is an address that no machine has (RFC 5737).
const elsewhere = "203.0.113.77"

// TestNewRefuses: wrong options are refused with an error that quotes them, and
// nothing is left behind.
func TestNewRefuses(t *testing.T) {
	bind := anyPort(t, "127.0.0.1")
	withBind := func(o ...imdgo.Option) []imdgo.Option { return append(o, imdgo.WithBindAddr(bind)) }
	member := func(addr string) []imdgo.Option {
		return []imdgo.Option{imdgo.WithBindAddr(bind), imdgo.WithMembers("127.0.0.1:1", addr)}
	}
	tests := []struct {
		name  string
		opts  []imdgo.Option
		quote string
	}{
		{"nil option", withBind(imdgo.Option(nil)), "nil Option"},
		{"nil config", withBind((*imdgo.Config)(nil)), "nil *Config"},
		{"nil logger", withBind(imdgo.WithLogger(nil)), "nil *slog.Logger"},
		{"nil network", withBind(imdgo.WithNetwork(nil)), "nil Network"},
		{"nil clock", withBind(imdgo.WithClock(nil)), "nil Clock"},

		{"empty member", member(""), `""`},
		{"member of spaces", member("a b"), `"a b"`},
		{"member with a scheme", member("http://10.0.0.1:6701"), `"http://10.0.0.1:6701"`},
		{"member without host", member(":6701"), `":6701"`},
		{"member with an empty port", member("10.0.0.1:"), `"10.0.0.1:"`},
		{"member with a named port", member("10.0.0.1:http"), `"http"`},
		{"member with a port too high", member("10.0.0.1:65536"), `"65536"`},
		{"member with a negative port", member("10.0.0.1:-1"), `"-1"`},
		{"member at port 0", member("10.0.0.1:0"), `"10.0.0.1:0"`},
		{"member with half a bracket", member("[::1:6701"), `"[::1:6701"`},
		{"member with two ports", member("10.0.0.1:1:2"), `"10.0.0.1:1:2"`},
		{"member in a config", withBind(&imdgo.Config{Members: []string{"no host"}}), `"no host"`},

		{"no member is here", []imdgo.Option{imdgo.WithMembers(elsewhere)}, elsewhere + ":6701"},
		{"no member is here, in a config", []imdgo.Option{&imdgo.Config{Members: []string{elsewhere}}}, elsewhere + ":6701"},
		{"a member cannot be looked up", []imdgo.Option{imdgo.WithMembers("no-such-host.invalid")}, "no-such-host.invalid"},
		{"everywhere, and nobody knows where that is", []imdgo.Option{imdgo.WithBindAddr(":" + portOf(t, bind))}, ":" + portOf(t, bind)},
		{"everywhere, at a port that no member has",
			[]imdgo.Option{imdgo.WithBindAddr("0.0.0.0:" + portOf(t, bind)), imdgo.WithMembers("127.0.0.1:1")}, "0.0.0.0:" + portOf(t, bind)},

		{"empty bind address", []imdgo.Option{imdgo.WithBindAddr("")}, `""`},
		{"bind address without port", []imdgo.Option{imdgo.WithBindAddr("a b")}, `"a b"`},
		{"bind address with a port too high", []imdgo.Option{imdgo.WithBindAddr("127.0.0.1:65536")}, `"127.0.0.1:65536"`},
		{"empty advertised address", withBind(imdgo.WithAdvertiseAddr("")), `""`},
		{"advertised port 0", withBind(imdgo.WithAdvertiseAddr("127.0.0.1:0")), `"127.0.0.1:0"`},
		{"advertised nonsense", withBind(imdgo.WithAdvertiseAddr("a/b:1")), `"a/b:1"`},

		{"negative default TTL", withBind(imdgo.WithDefaultTTL(-time.Second)), "-1s"},
		{"no timeout", withBind(imdgo.WithTimeout(0)), "0s"},
		{"negative timeout", withBind(imdgo.WithTimeout(-time.Minute)), "-1m0s"},
		{"no value may be stored", withBind(imdgo.WithMaxValueSize(0)), "0"},
		{"negative value size", withBind(imdgo.WithMaxValueSize(-7)), "-7"},
		{"value size too large", withBind(imdgo.WithMaxValueSize(16<<20 + 1)), "16777217"},
		{"log level", withBind(&imdgo.Config{LogLevel: "loud"}), `"loud"`},

		{"data directory", withBind(imdgo.WithDataDir("")), `data directory ""`},
		{"no memory", withBind(imdgo.WithMemoryPercent(0)), "0 %"},
		{"memory beyond all", withBind(imdgo.WithMemoryPercent(250)), "250 %"},
		{"negative memory", withBind(imdgo.WithMemoryPercent(-2.5)), "-2.5 %"},
		{"no number", withBind(imdgo.WithMemoryPercent(math.NaN())), "NaN"},
		{"infinite memory", withBind(imdgo.WithMemoryPercent(math.Inf(1))), "+Inf"},
		{"a percentage of too little", withBind(imdgo.WithMemoryPercent(1e-6)), "1e-06 %"},
		{"negative bytes", withBind(imdgo.WithMemoryLimit(-4096)), "-4096"},
		{"too few bytes", withBind(imdgo.WithMemoryLimit(123456)), "123456"},
		{"both kinds", withBind(imdgo.WithMemoryLimit(1<<30), imdgo.WithMemoryPercent(30)), "WithMemoryPercent(30) and WithMemoryLimit(1073741824)"},
		{"a log beyond the budget", withBind(imdgo.WithMemoryLimit(8<<20), imdgo.WithLogLimit(4<<20)), "4194304"},
		{"negative room for decoded values", withBind(imdgo.WithDecodedLimit(-5)), "-5"},
		{"TLS", withBind(imdgo.WithTLS(&tls.Config{MinVersion: tls.VersionTLS13})), "TLS"},
		{"TLS, nil", withBind(imdgo.WithTLS(nil)), "TLS"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			c, err := imdgo.New(test.opts...)
			if c != nil || !errors.Is(err, imdgo.ErrInvalid) || !strings.Contains(err.Error(), test.quote) {
				t.Errorf("New: %v, %v; it is to be ErrInvalid and to name %s", c, err, test.quote)
			}
			if c != nil {
				_ = c.Close() // so that the others have a chance
			}
			expectFree(t, bind)
		})
	}
}

// TestPortTaken: that is nobody's mistake, so it is not ErrInvalid.
func TestPortTaken(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := taken.Addr().String()
	for name, opts := range map[string][]imdgo.Option{
		"bound":     {imdgo.WithBindAddr(addr)},
		"a member":  {imdgo.WithMembers(addr)},
		"by config": {&imdgo.Config{Members: []string{addr}}},
	} {
		c, err := imdgo.New(opts...)
		if c != nil || err == nil || errors.Is(err, imdgo.ErrInvalid) || !strings.Contains(err.Error(), addr) {
			t.Errorf("%s: New at a port that is taken: %v, %v", name, c, err)
		}
		if opError := (*net.OpError)(nil); !errors.As(err, &opError) {
			t.Errorf("%s: what the system says is lost: %v", name, err)
		}
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := imdgo.New(imdgo.WithBindAddr(addr))
	if err != nil {
		t.Fatal(err)
	}
	expectReady(t, c, addr)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	expectFree(t, addr)
}

// TestOpenMapRefuses: the same for maps.
func TestOpenMapRefuses(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	c, err := imdgo.New()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	type hidden struct {
		Name   string
		secret int
	}
	type wired struct{ Signal chan int }
	type called struct{ Back func() }
	type faced struct{ Any fmt.Stringer }
	type nested struct{ Deep map[string][]hidden }
	_ = hidden{secret: 1}
	long := strings.Repeat("n", 256)
	open := func(opts ...imdgo.MapOption) error {
		_, err := imdgo.OpenMap[string, int](c, "refused", opts...)
		return err
	}
	for _, test := range []struct {
		name  string
		err   error
		quote string
	}{
		{"nil option", open(nil), "nil MapOption"},
		{"negative TTL", open(imdgo.TTL(-time.Second)), "-1s"},
		{"no entries", open(imdgo.MaxEntries(0)), "MaxEntries(0)"},
		{"negative entries", open(imdgo.MaxEntries(-17)), "-17"},
		{"too few bytes", open(imdgo.MaxBytes(47)), "47"},
		{"negative bytes", open(imdgo.MaxBytes(-4711)), "-4711"},
		{"unknown policy", open(imdgo.EvictionPolicy(9)), "EvictionPolicy(9)"},
		{"staleness", open(imdgo.MaxStaleness(3 * time.Second)), "3s"},
		{"no consistency", open(imdgo.Consistency(0)), "0"},
		{"unknown consistency", open(imdgo.Consistency(9)), "9"},
		{"long name", second(imdgo.OpenMap[string, int](c, long)), long[:20]},
		{"unexported field", second(imdgo.OpenMap[string, hidden](c, "refused")), "secret"},
		{"channel", second(imdgo.OpenMap[string, wired](c, "refused")), "Signal"},
		{"function", second(imdgo.OpenMap[string, called](c, "refused")), "Back"},
		{"interface with methods", second(imdgo.OpenMap[string, faced](c, "refused")), "Any"},
		{"unexported field far below", second(imdgo.OpenMap[string, nested](c, "refused")), "secret"},
	} {
		if !errors.Is(test.err, imdgo.ErrInvalid) || !strings.Contains(test.err.Error(), test.quote) {
			t.Errorf("%s: %v; it is to be ErrInvalid and to name %s", test.name, test.err, test.quote)
		}
	}
	// A map that was refused can be opened as something else.
	if m, err := imdgo.OpenMap[int, []byte](c, "refused"); err != nil {
		t.Error(err)
	} else if err := m.Set(t.Context(), 1, nil); err != nil {
		t.Error(err)
	}
	if _, err := imdgo.OpenMap[string, []byte](c, "refused"); !errors.Is(err, imdgo.ErrMapMismatch) {
		t.Errorf("another kind of key: %v", err)
	}
	if m, err := imdgo.OpenMap[string, int](c, strings.Repeat("n", 255)); err != nil {
		t.Error(err)
	} else if err := m.Set(t.Context(), "", 1); err != nil {
		t.Errorf("the longest name and the shortest key: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestWritesAndReadsRefuse: options of single calls.
func TestWritesAndReadsRefuse(t *testing.T) {
	c := startWith(t)
	m, err := imdgo.OpenMap[string, int](c, "m")
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for name, err := range map[string]error{
		"-1s":            m.Set(ctx, "k", 1, imdgo.TTL(-time.Second)),
		"-2s":            c.Set("k", 1, imdgo.TTL(-2*time.Second)),
		"nil Write":      m.Set(ctx, "k", 1, nil),
		"-3s":            second(m.Expire(ctx, "k", -3*time.Second)),
		"nil Read":       second(m.Read(ctx, "k", nil)),
		"MaxStaleness(4": second(m.Read(ctx, "k", imdgo.MaxStaleness(4*time.Second))),
		"consistency 5":  second(m.Read(ctx, "k", imdgo.Consistency(5))),
	} {
		if !errors.Is(err, imdgo.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if m.Len() != 0 || c.Count() != 0 {
		t.Error("a write that was refused was applied")
	}
}

// TestAddresses: the ways to say where a node is, each of them a cluster of one.
func TestAddresses(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run("bound to "+host, func(t *testing.T) {
			addr := anyPort(t, host)
			expectReady(t, startWith(t, imdgo.WithBindAddr(addr)), addr)
		})
		t.Run("the only member, "+host, func(t *testing.T) {
			addr := anyPort(t, host)
			expectReady(t, startWith(t, imdgo.WithMembers(addr)), addr)
		})
	}
	t.Run("IPv6 in another form", func(t *testing.T) {
		port := portOf(t, anyPort(t, "::1"))
		expectReady(t, startWith(t, imdgo.WithMembers("[0:0:0:0:0:0:0:1]:"+port)), "[::1]:"+port)
	})
	t.Run("localhost", func(t *testing.T) {
		port := portOf(t, anyPort(t, "localhost"))
		expectReady(t, startWith(t, imdgo.WithMembers("localhost:"+port)), "localhost:"+port)
	})
	t.Run("bound to an address, known by a name", func(t *testing.T) {
		port := portOf(t, anyPort(t, "127.0.0.1"))
		c := startWith(t, imdgo.WithMembers("localhost:"+port), imdgo.WithBindAddr("127.0.0.1:"+port))
		expectReady(t, c, "localhost:"+port)
	})
	t.Run("everywhere, known by its member", func(t *testing.T) {
		port := portOf(t, anyPort(t, ""))
		c := startWith(t, imdgo.WithMembers("127.0.0.1:"+port), imdgo.WithBindAddr(":"+port))
		expectReady(t, c, "127.0.0.1:"+port)
	})
	t.Run("everywhere, advertised", func(t *testing.T) {
		port := portOf(t, anyPort(t, ""))
		c := startWith(t, imdgo.WithBindAddr("0.0.0.0:"+port), imdgo.WithAdvertiseAddr("127.0.0.1:"+port))
		expectReady(t, c, "127.0.0.1:"+port)
	})
	t.Run("a member given twice", func(t *testing.T) {
		addr := anyPort(t, "127.0.0.1")
		expectReady(t, startWith(t, imdgo.WithMembers(addr, strings.ToUpper(addr), addr)), addr)
	})
}

// TestPortZero: a free port is taken, and it is who the node is.
func TestPortZero(t *testing.T) {
	c := startWith(t, imdgo.WithBindAddr("127.0.0.1:0"))
	addr, _, _ := strings.Cut(c.Stats().NodeID, "/")
	at, err := netip.ParseAddrPort(addr)
	if err != nil || at.Port() == 0 {
		t.Fatalf("it is %q: %v", addr, err)
	}
	expectReady(t, c, addr)
	// Another one finds it there, and joins it.
	other := startWith(t, imdgo.WithBindAddr("127.0.0.1:0"), imdgo.WithMembers(addr))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := other.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if v, ok := other.Get("key"); v != "value" || !ok {
		t.Errorf("the second node has %v, %v", v, ok)
	}
}

// TestMembersNameThisMachineTwice: two nodes are given the same list and nothing
// else, and each takes one.
func TestMembersNameThisMachineTwice(t *testing.T) {
	first, second := anyPort(t, "127.0.0.1"), anyPort(t, "127.0.0.1")
	if first == second {
		t.Skip("the system offers one port twice")
	}
	a := startWith(t, imdgo.WithMembers(first, second))
	b := startWith(t, imdgo.WithMembers(second, first))
	names := map[string]bool{}
	for _, c := range []*imdgo.Cache{a, b} {
		name, _, _ := strings.Cut(c.Stats().NodeID, "/")
		names[name] = true
		expectReady(t, c, name)
	}
	if !names[first] || !names[second] {
		t.Errorf("they are %v, not %s and %s", names, first, second)
	}
	c, err := imdgo.New(imdgo.WithMembers(first, second))
	if err == nil {
		_ = c.Close()
		t.Fatal("a third one found a place")
	}
	for _, addr := range []string{first, second} {
		if !strings.Contains(err.Error(), addr) {
			t.Errorf("the error does not name %s: %v", addr, err)
		}
	}
}

// TestConfig is the first release's way to begin, as its README showed it.
func TestConfig(t *testing.T) {
	addr := anyPort(t, "127.0.0.1")
	c := &imdgo.Config{Members: []string{addr}}
	store, err := imdgo.New(c)
	if err != nil {
		t.Fatal(err)
	}
	c.Members[0] = "changed later" // it was copied
	defer store.Close()
	if err := store.Set("my-key", "and my value which can be anything, not just string"); err != nil {
		t.Fatal(err)
	}
	if val, ok := store.Get("my-key"); !ok || val != "and my value which can be anything, not just string" {
		t.Errorf("Get: %v, %v", val, ok)
	}
	expectReady(t, store, addr)
}

// TestLogLevels: all that hclog knows.
func TestLogLevels(t *testing.T) {
	for _, level := range []string{"", "error", "off", "WARN"} {
		c, err := imdgo.New(&imdgo.Config{LogLevel: level})
		if err != nil {
			t.Errorf("log level %q: %v", level, err)
			continue
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}
