package logstore

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"

	"github.com/hashicorp/raft"
)

// Every entry carries the checksum of the one before and its own, which is also
// of that: a log of which some entries are former ones does not hang together.
// After the last one is the seal, an entry as well, which says how far the log
// goes. It is written in the same transaction as the entries are, so a log that
// ends sooner has been damaged.

// sealIndex is where the seal is, behind all entries there can be.
const sealIndex = math.MaxUint64

// sumsSize is what is added to an entry: two checksums.
const sumsSize = 2 * crc32.Size

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal says which entry is the last, and its checksum: 0 and 0 without any.
type seal struct {
	tail  end
	other end // as true, until the next entry is stored: the tail is being removed
}

type end struct {
	index uint64
	sum   uint32
}

// entry is the seal as one.
func (s seal) entry() *raft.Log {
	var b []byte
	for _, e := range []end{s.tail, s.other} {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, e.index), e.sum)
	}
	log, _ := sealed(&raft.Log{Index: sealIndex, Type: raft.LogNoop, Data: b}, 0)
	return log
}

func sealOf(log *raft.Log) (seal, error) {
	var ends [2]end
	b := log.Data
	if len(b) != 12*len(ends) {
		return seal{}, damaged("the log's end has %d bytes", len(b))
	}
	for i := range ends {
		ends[i] = end{binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:])}
		b = b[12:]
	}
	return seal{ends[0], ends[1]}, nil
}

// sealed adds the checksums to a copy of an entry, which follows one with the
// checksum prev.
func sealed(log *raft.Log, prev uint32) (with *raft.Log, sum uint32) {
	sum = checksum(log, prev)
	s := *log
	s.Extensions = binary.BigEndian.AppendUint32(slices.Clip(s.Extensions), prev)
	s.Extensions = binary.BigEndian.AppendUint32(s.Extensions, sum)
	return &s, sum
}

// unseal takes the checksums off an entry, and looks at its own.
func unseal(log *raft.Log) (prev, sum uint32, err error) {
	rest := len(log.Extensions) - sumsSize
	if rest < 0 {
		return 0, 0, damaged("entry %d has no checksums", log.Index)
	}
	prev, sum = binary.BigEndian.Uint32(log.Extensions[rest:]), binary.BigEndian.Uint32(log.Extensions[rest+crc32.Size:])
	if log.Extensions = log.Extensions[:rest]; rest == 0 {
		log.Extensions = nil
	}
	if sum != checksum(log, prev) {
		return 0, 0, damaged("the checksum of entry %d", log.Index)
	}
	return prev, sum, nil
}

func checksum(log *raft.Log, prev uint32) uint32 {
	var head [21]byte
	binary.BigEndian.PutUint32(head[:], prev)
	binary.BigEndian.PutUint64(head[4:], log.Index)
	binary.BigEndian.PutUint64(head[12:], log.Term)
	head[20] = byte(log.Type)
	sum := crc32.Update(0, castagnoli, head[:])
	sum = crc32.Update(sum, castagnoli, log.Data)
	return crc32.Update(sum, castagnoli, log.Extensions)
}
