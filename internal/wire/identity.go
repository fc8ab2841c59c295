package wire

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/hashicorp/raft"
)

// hexDigits is the length of an Incarnation's or ClusterID's text.
const hexDigits = 16

// Incarnation is one life of a node in a cluster. A node that lost its log and its votes is another voter than before and must
// not be taken for it, so it takes a new incarnation. 0 means unknown, or any.
type Incarnation uint64

// NewIncarnation returns a random incarnation, never 0.
func NewIncarnation() Incarnation { return Incarnation(random()) }

// ParseIncarnation reads what Incarnation.String wrote: exactly 16 lower-case hexadecimal digits. Other spellings of the same
// number are refused, because Raft compares addresses as text and one incarnation must have one text.
func ParseIncarnation(s string) (Incarnation, error) {
	var n Incarnation
	for i := range len(s) {
		digit := strings.IndexByte("0123456789abcdef", s[i])
		if digit < 0 {
			return 0, fmt.Errorf("wire: incarnation %q: not a lower-case hexadecimal number", s)
		}
		n = n<<4 | Incarnation(digit)
	}
	if len(s) != hexDigits {
		return 0, fmt.Errorf("wire: incarnation %q: not %d digits", s, hexDigits)
	}
	return n, nil
}

// String returns the incarnation as 16 hexadecimal digits.
func (i Incarnation) String() string { return fmt.Sprintf("%0*x", hexDigits, uint64(i)) }

// ClusterID tells clusters apart, so that a node with a wrong list of members cannot mix two of them. 0 means none yet.
type ClusterID uint64

// NewClusterID returns a random cluster id, never 0.
func NewClusterID() ClusterID { return ClusterID(random()) }

// String returns the id as 16 hexadecimal digits.
func (c ClusterID) String() string { return fmt.Sprintf("%0*x", hexDigits, uint64(c)) }

// random returns a random number other than 0. crypto/rand never fails: it ends the process instead.
func random() uint64 {
	var b [8]byte
	for {
		rand.Read(b[:])
		if n := binary.BigEndian.Uint64(b[:]); n != 0 {
			return n
		}
	}
}

// Address returns what stands in Raft's configuration for one incarnation of the node at addr: host:port/0123456789abcdef.
func Address(addr string, inc Incarnation) raft.ServerAddress {
	return raft.ServerAddress(addr + "/" + inc.String())
}

// SplitAddress takes apart what Address put together. It does not judge addr: a node without a port has none.
func SplitAddress(a raft.ServerAddress) (addr string, inc Incarnation, err error) {
	slash := strings.LastIndexByte(string(a), '/')
	if slash < 0 {
		return "", 0, fmt.Errorf("wire: address %q names no incarnation", string(a))
	}
	inc, err = ParseIncarnation(string(a[slash+1:]))
	if err != nil {
		return "", 0, fmt.Errorf("wire: address %q: %w", string(a), err)
	}
	return string(a[:slash]), inc, nil
}
