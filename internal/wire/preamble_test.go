package wire_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/inelpandzic/imdgo/internal/wire"
)

var somePreamble = wire.Preamble{
	Purpose: wire.Join, Cluster: 0x0102030405060708, Target: 0x1112131415161718, Origin: 0x2122232425262728,
}

// The bytes are a promise to nodes that run another version: this test changes only together with the version number.
func TestBytesAreFrozen(t *testing.T) {
	const preamble = "696d64676ff500ff" + "01" + "03" + "0000" +
		"0102030405060708" + "1112131415161718" + "2122232425262728" + "fc34de71"
	if got := hex.EncodeToString(wire.EncodePreamble(somePreamble)); got != preamble {
		t.Errorf("preamble\ngot  %s\nwant %s", got, preamble)
	}
	const reply = "696d64f5" + "01" + "04" + "0000" + "0102030405060708" + "1112131415161718" + "c337d8a2"
	got := hex.EncodeToString(wire.EncodeReply(wire.Busy, somePreamble.Cluster, somePreamble.Target))
	if got != reply {
		t.Errorf("reply\ngot  %s\nwant %s", got, reply)
	}
}

func TestPreambleRoundTrip(t *testing.T) {
	for _, want := range []wire.Preamble{
		{}, somePreamble, {Purpose: 255, Cluster: ^wire.ClusterID(0), Target: ^wire.Incarnation(0), Origin: 1},
	} {
		got, err := wire.DecodePreamble(wire.EncodePreamble(want))
		if err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestReplyRoundTrip(t *testing.T) {
	refusal, c, inc, err := wire.DecodeReply(wire.EncodeReply(wire.WrongCluster, cluster, alice))
	if err != nil || refusal != wire.WrongCluster || c != cluster || inc != alice {
		t.Errorf("got %v %v %v %v", refusal, c, inc, err)
	}
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	flipped := func(b []byte, bit int) []byte {
		b = bytes.Clone(b)
		b[bit/8] ^= 1 << (bit % 8)
		return b
	}
	preamble := wire.EncodePreamble(somePreamble)
	for bit := range 8 * len(preamble) {
		if _, err := wire.DecodePreamble(flipped(preamble, bit)); err == nil {
			t.Errorf("preamble: bit %d flipped and still accepted", bit)
		}
	}
	reply := wire.EncodeReply(wire.Admitted, cluster, alice)
	for bit := range 8 * len(reply) {
		if _, _, _, err := wire.DecodeReply(flipped(reply, bit)); !errors.Is(err, wire.ErrProtocol) {
			t.Errorf("reply: bit %d flipped: %v", bit, err)
		}
	}
}

func TestReplyOfAnotherVersionNeverAdmits(t *testing.T) {
	for refusal, want := range map[wire.Refusal]wire.Refusal{
		wire.Admitted: wire.WrongVersion, wire.WrongVersion: wire.WrongVersion, 99: 99,
	} {
		b := wire.EncodeReply(refusal, cluster, alice)
		b[4]++
		got, c, inc, err := wire.DecodeReply(wire.Seal(b))
		if err != nil || got != want || c != cluster || inc != alice {
			t.Errorf("%v: got %v %v %v %v, want %v", refusal, got, c, inc, err, want)
		}
	}
}

func TestNumbersAreFrozen(t *testing.T) {
	for i, want := range []string{"purpose 0", "raft", "forward", "join", "probe", "purpose 5"} {
		if got := wire.Purpose(i).String(); got != want {
			t.Errorf("purpose %d is %q, want %q", i, got, want)
		}
	}
	for i, want := range []string{
		"admitted", "wrong incarnation", "wrong cluster", "wrong version", "busy", "shutting down", "unknown purpose", "no member", "refusal 8",
	} {
		if got := wire.Refusal(i).String(); got != want {
			t.Errorf("refusal %d is %q, want %q", i, got, want)
		}
	}
}

func FuzzPreamble(f *testing.F) {
	f.Add(wire.EncodePreamble(somePreamble))
	f.Add(wire.EncodePreamble(somePreamble)[:20])
	f.Add([]byte("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		pre, err := wire.DecodePreamble(b)
		if err == nil {
			again, err := wire.DecodePreamble(wire.EncodePreamble(pre))
			if err != nil || again != pre {
				t.Fatalf("%+v became %+v, %v", pre, again, err)
			}
		}
		if len(b) == wire.PreambleSize { // the fuzzer does not find checksums
			copy(b, wire.EncodePreamble(wire.Preamble{})[:9])
			if _, err := wire.DecodePreamble(wire.Seal(b)); err != nil {
				t.Fatal(err)
			}
		}
	})
}
