package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The bytes on the wire, big endian. The one who dials sends a preamble:
//
//	 0  magic        8  "imdgo" f5 00 ff: no text in any language, no HTTP, TLS or SSH
//	 8  version      1  of all that follows
//	 9  purpose      1
//	10  reserved     2  written as 0, not looked at
//	12  cluster      8  ClusterID of the one who dials
//	20  target       8  Incarnation that is meant
//	28  origin       8  Incarnation of the one who dials
//	36  checksum     4  CRC32C of bytes 0 to 35
//
// and the one who accepted answers with a reply, then hands over or closes:
//
//	 0  magic        4  "imd" f5
//	 4  version      1  the version that the acceptor speaks
//	 5  refusal      1  0: admitted
//	 6  reserved     2  written as 0, not looked at
//	 8  cluster      8  ClusterID of the acceptor, now
//	16  incarnation  8  of the acceptor, now
//	24  checksum     4  CRC32C of bytes 0 to 23
//
// Magic and version of the preamble, and the whole reply, are the same in every version: nodes of different versions must be
// able to tell each other that they are.
const (
	preambleMagic = "imdgo\xf5\x00\xff"
	replyMagic    = "imd\xf5"

	version = 1

	headSize     = 9 // magic and version
	preambleSize = 40
	replySize    = 28
)

// ErrProtocol is returned when what answered at an address does not speak this protocol, or its answer was garbled.
var ErrProtocol = errors.New("wire: not an imdgo node")

// What is wrong with a preamble. Only errVersion gets an answer.
var (
	errMagic    = errors.New("wire: wrong magic number")
	errVersion  = errors.New("wire: wrong version")
	errChecksum = errors.New("wire: wrong checksum")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Purpose says what a connection is for.
type Purpose uint8

// The purposes. The numbers stand on the wire: append, never reorder or reuse.
const (
	Raft    Purpose = 1 // Raft's RPCs, between two incarnations of one cluster
	Forward Purpose = 2 // operations on their way to the leader
	Join    Purpose = 3 // forming a cluster, joining and leaving it
	Probe   Purpose = 4 // is the node alive
)

// String returns the purpose in a word.
func (p Purpose) String() string {
	switch p {
	case Raft:
		return "raft"
	case Forward:
		return "forward"
	case Join:
		return "join"
	case Probe:
		return "probe"
	}
	return fmt.Sprintf("purpose %d", uint8(p))
}

func (p Purpose) known() bool { return p >= Raft && p <= Probe }

// Preamble is what the one who dials says about a connection before anything else.
type Preamble struct {
	Purpose Purpose
	Cluster ClusterID   // of the one who dials; 0: none yet
	Target  Incarnation // that the connection is meant for; 0: whichever lives there (never so for Raft)
	Origin  Incarnation // of the one who dials; 0: none yet
}

func (p Preamble) encode() []byte {
	b := make([]byte, preambleSize)
	copy(b, preambleMagic)
	b[8], b[9] = version, byte(p.Purpose)
	binary.BigEndian.PutUint64(b[12:], uint64(p.Cluster))
	binary.BigEndian.PutUint64(b[20:], uint64(p.Target))
	binary.BigEndian.PutUint64(b[28:], uint64(p.Origin))
	return seal(b)
}

func decodePreamble(b []byte) (Preamble, error) {
	if len(b) < headSize {
		return Preamble{}, io.ErrUnexpectedEOF
	}
	if err := checkHead(b); err != nil {
		return Preamble{}, err
	}
	if len(b) != preambleSize || !sealed(b) {
		return Preamble{}, errChecksum
	}
	return Preamble{
		Purpose: Purpose(b[9]),
		Cluster: ClusterID(binary.BigEndian.Uint64(b[12:])),
		Target:  Incarnation(binary.BigEndian.Uint64(b[20:])),
		Origin:  Incarnation(binary.BigEndian.Uint64(b[28:])),
	}, nil
}

func checkHead(b []byte) error {
	if string(b[:len(preambleMagic)]) != preambleMagic {
		return errMagic
	}
	if b[8] != version {
		return errVersion
	}
	return nil
}

// readPreamble judges magic and version before it waits for the rest: the rest of another version may be shorter.
func readPreamble(r io.Reader) (Preamble, error) {
	b := make([]byte, preambleSize)
	if _, err := io.ReadFull(r, b[:headSize]); err != nil {
		return Preamble{}, err
	}
	if err := checkHead(b); err != nil {
		return Preamble{}, err
	}
	if _, err := io.ReadFull(r, b[headSize:]); err != nil {
		return Preamble{}, err
	}
	return decodePreamble(b)
}

// reply is the answer to a preamble.
type reply struct {
	refusal     Refusal
	cluster     ClusterID
	incarnation Incarnation
}

func (r reply) encode() []byte {
	b := make([]byte, replySize)
	copy(b, replyMagic)
	b[4], b[5] = version, byte(r.refusal)
	binary.BigEndian.PutUint64(b[8:], uint64(r.cluster))
	binary.BigEndian.PutUint64(b[16:], uint64(r.incarnation))
	return seal(b)
}

// decodeReply reads the reply of any version. Being admitted by another version counts as a refusal: it would be a mistake of
// the other side, which speaks what we do not.
func decodeReply(b []byte) (reply, error) {
	if len(b) != replySize || string(b[:len(replyMagic)]) != replyMagic || !sealed(b) {
		return reply{}, ErrProtocol
	}
	r := reply{
		refusal:     Refusal(b[5]),
		cluster:     ClusterID(binary.BigEndian.Uint64(b[8:])),
		incarnation: Incarnation(binary.BigEndian.Uint64(b[16:])),
	}
	if b[4] != version && r.refusal == Admitted {
		r.refusal = WrongVersion
	}
	return r, nil
}

func readReply(r io.Reader) (reply, error) {
	b := make([]byte, replySize)
	if _, err := io.ReadFull(r, b); err != nil {
		return reply{}, err
	}
	return decodeReply(b)
}

// seal fills in the checksum, the last four bytes of b.
func seal(b []byte) []byte {
	body := len(b) - 4
	binary.BigEndian.PutUint32(b[body:], crc32.Checksum(b[:body], castagnoli))
	return b
}

func sealed(b []byte) bool {
	body := len(b) - 4
	return binary.BigEndian.Uint32(b[body:]) == crc32.Checksum(b[:body], castagnoli)
}
