package members_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/inelpandzic/imdgo/internal/members"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"192.168.10.1":             "192.168.10.1:6701",
		"192.168.10.1:80":          "192.168.10.1:80",
		"::1":                      "[::1]:6701",
		"[::1]":                    "[::1]:6701",
		"[::1]:7000":               "[::1]:7000",
		"2001:DB8:0:0:0:0:0:1":     "[2001:db8::1]:6701",
		"::ffff:10.0.0.1":          "10.0.0.1:6701",
		"fe80::1%eth0":             "[fe80::1%eth0]:6701",
		"Cache-1.example.com":      "cache-1.example.com:6701",
		"cache_1:6701":             "cache_1:6701",
		"localhost:0":              "localhost:0",
		"xn--bcher-kva.example.":   "xn--bcher-kva.example.:6701",
		strings.Repeat("a", 63):    strings.Repeat("a", 63) + ":6701",
		"10.0.0.1.example.com:443": "10.0.0.1.example.com:443",
	} {
		got, err := members.Parse(in)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{"", ":", ":6701", "host:", "host:port", "host:65536", "host:-1", "host:+80", "host:080",
		"a:b:c", "::1:6701:x", "[::1", "http://host", "host/path", "-host", "a..b", "ho st", strings.Repeat("a", 64),
		strings.Repeat("a.", 130) + "b", "höst"} {
		got, err := members.Parse(in)
		if err == nil {
			t.Errorf("Parse(%q) = %q", in, got)
		} else if !strings.Contains(err.Error(), in) {
			t.Errorf("Parse(%q): %v does not quote it", in, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"host", "[::1]:1", "fe80::1%0", "1.2.3.4:5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once, err := members.Parse(s)
		if err != nil {
			return
		}
		if _, _, err := net.SplitHostPort(once); err != nil {
			t.Errorf("Parse(%q) = %q: %v", s, once, err)
		}
		if twice, err := members.Parse(once); err != nil || twice != once {
			t.Errorf("Parse(%q) = %q, and of that %q, %v", s, once, twice, err)
		}
	})
}

func TestListIsWhatNodesCompare(t *testing.T) {
	a, err := members.List([]string{"B:6701", "a", "[::1]:6701", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := members.List([]string{"::1", "A:6701", "b"})
	if err != nil || !slices.Equal(a, b) {
		t.Errorf("%q and %q, %v", a, b, err)
	}
	if _, err := members.List([]string{"a", "b:0"}); err == nil || !strings.Contains(err.Error(), "b:0") {
		t.Errorf("a member at port 0: %v", err)
	}
}

// machine has the addresses 10.0.0.2 and loopback, and knows some names.
type machine struct{}

func (machine) Resolve(_ context.Context, host string) ([]netip.Addr, error) {
	names := map[string]string{"self": "10.0.0.2", "other": "10.0.0.3", "looped": "127.0.1.1", "localhost": "127.0.0.1"}
	if ip, ok := names[host]; ok {
		host = ip
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return nil, errors.New("no such host")
	}
	return []netip.Addr{ip}, nil
}

func (machine) Addresses() ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("127.0.0.1")}, nil
}

func TestWhereANodeStands(t *testing.T) {
	for name, c := range map[string]struct {
		members         []string
		bind, advertise string
		want            []members.Place
	}{
		"it finds itself by address": {members: []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"},
			want: []members.Place{{"10.0.0.2:6701", "10.0.0.2:6701"}}},
		"or by name": {members: []string{"other", "self"},
			want: []members.Place{{"self:6701", "self:6701"}}},
		"a name that leads to loopback here is reached from elsewhere": {members: []string{"other", "looped"},
			want: []members.Place{{"looped:6701", ":6701"}}},
		"several on one machine take what is free": {members: []string{"127.0.0.1:1", "127.0.0.1:2", "localhost:3"},
			want: []members.Place{{"127.0.0.1:1", "127.0.0.1:1"}, {"127.0.0.1:2", "127.0.0.1:2"}, {"localhost:3", "localhost:3"}}},
		"a bind address is who it is": {members: []string{"127.0.0.1:1", "127.0.0.1:2"}, bind: "127.0.0.1:2",
			want: []members.Place{{"127.0.0.1:2", "127.0.0.1:2"}}},
		"under the name that the members have for it": {members: []string{"other", "self"}, bind: "10.0.0.2:6701",
			want: []members.Place{{"self:6701", "10.0.0.2:6701"}}},
		"or a new node": {members: []string{"other"}, bind: "10.0.0.2:7000",
			want: []members.Place{{"10.0.0.2:7000", "10.0.0.2:7000"}}},
		"on all interfaces": {members: []string{"other", "self"}, bind: ":6701",
			want: []members.Place{{"self:6701", ":6701"}}},
		"behind a translated address": {members: []string{"other", "192.0.2.1"}, bind: "0.0.0.0:7000", advertise: "192.0.2.1",
			want: []members.Place{{"192.0.2.1:6701", "0.0.0.0:7000"}}},
	} {
		list, err := members.List(c.members)
		if err != nil {
			t.Fatal(err)
		}
		got, err := members.Places(machine{}, list, c.bind, c.advertise)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, c.want)
		}
	}
}

func TestANodeThatCannotTellWhoItIs(t *testing.T) {
	for name, c := range map[string]struct {
		members         []string
		bind, advertise string
		quotes          string
	}{
		"no member is here":                {members: []string{"10.0.0.1", "nowhere"}, quotes: "nowhere:6701"},
		"nor with that port":               {members: []string{"10.0.0.2"}, bind: ":7000", quotes: ":7000"},
		"it is there twice":                {members: []string{"10.0.0.1", "10.0.0.2", "self"}, quotes: "self:6701"},
		"a bind address that makes none":   {members: []string{"10.0.0.2"}, bind: "10.0.0.2:x", quotes: "10.0.0.2:x"},
		"an advertised one that is no use": {members: []string{"10.0.0.2"}, advertise: "a b", quotes: "a b"},
	} {
		list, err := members.List(c.members)
		if err != nil {
			t.Fatal(err)
		}
		places, err := members.Places(machine{}, list, c.bind, c.advertise)
		if err == nil || !strings.Contains(err.Error(), c.quotes) {
			t.Errorf("%s: %v, %v", name, places, err)
		}
	}
}

func TestOpenTakesTheFirstThatIsFree(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	listen := func(addr string) (net.Listener, error) { return net.Listen("tcp", addr) }
	addr := taken.Addr().String()
	l, name, err := members.Open(listen, []members.Place{{addr, addr}, {"localhost:0", "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, port, _ := net.SplitHostPort(l.Addr().String()); name != "localhost:"+port {
		t.Errorf("it listens at %v and is called %q", l.Addr(), name)
	}
	if _, _, err := members.Open(listen, []members.Place{{addr, addr}}); err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("a port that is taken: %v", err)
	}
}
