package wire_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/wire"
)

func TestIncarnationText(t *testing.T) {
	for inc, text := range map[wire.Incarnation]string{
		0: "0000000000000000", alice: "00000000000a11ce", ^wire.Incarnation(0): "ffffffffffffffff",
	} {
		if got := inc.String(); got != text {
			t.Errorf("String() = %q, want %q", got, text)
		}
		if got, err := wire.ParseIncarnation(text); err != nil || got != inc {
			t.Errorf("Parse(%q) = %v, %v", text, got, err)
		}
	}
}

func TestParseIncarnationRefusesOtherSpellings(t *testing.T) {
	for _, text := range []string{
		"", "1", "0123456789abcde", "00123456789abcdef", "0123456789ABCDEF", "0x23456789abcdef", "+123456789abcdef",
		"0123456789abcdeg", " 123456789abcdef", "0123_456789abcde", strings.Repeat("f", 1000),
	} {
		if got, err := wire.ParseIncarnation(text); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("Parse(%q) = %v, %v; want an error that quotes it", text, got, err)
		}
	}
}

func TestNewIdentitiesAreNeverZeroAndDiffer(t *testing.T) {
	seen := map[uint64]bool{0: true}
	for range 1000 {
		for _, n := range []uint64{uint64(wire.NewIncarnation()), uint64(wire.NewClusterID())} {
			if seen[n] {
				t.Fatalf("%x twice, or zero", n)
			}
			seen[n] = true
		}
	}
}

func TestAddressRoundTrip(t *testing.T) {
	if got, want := wire.Address("10.0.0.1:6701", 0x0123456789abcdef), "10.0.0.1:6701/0123456789abcdef"; string(got) != want {
		t.Errorf("Address = %q, want %q", got, want)
	}
	for _, addr := range []string{"10.0.0.1:6701", "[::1]:6701", "[fe80::1%eth0]:6701", "host.example:1", "odd/host:1", ""} {
		got, inc, err := wire.SplitAddress(wire.Address(addr, bob))
		if err != nil || got != addr || inc != bob {
			t.Errorf("%q came back as %q, %v, %v", addr, got, inc, err)
		}
	}
}

func TestSplitAddressQuotesWhatItRefuses(t *testing.T) {
	for _, a := range []raft.ServerAddress{"", "10.0.0.1:6701", "10.0.0.1:6701/", "10.0.0.1:6701/xyz", "/"} {
		if _, _, err := wire.SplitAddress(a); err == nil || !strings.Contains(err.Error(), string(a)) {
			t.Errorf("SplitAddress(%q): %v; want an error that quotes it", a, err)
		}
	}
}
