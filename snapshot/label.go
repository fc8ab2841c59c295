package snapshot

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/hashicorp/raft"
)

// labelSize is what a file has before the stream of the state: the cluster's
// number, and a checksum of that and of raft's description. Raft keeps a checksum
// of the file in the description, and none of the description, which says who
// the voters are.
const labelSize = 8 + crc32.Size

// label is what a snapshot of a cluster begins with.
func label(meta *raft.SnapshotMeta, cluster uint64) []byte {
	sum := crc32.NewIEEE()
	// A hash never fails.
	_, _ = fmt.Fprintf(sum, "%d %d %q %d %d %d", cluster, meta.Version, meta.ID, meta.Index, meta.Term, meta.ConfigurationIndex)
	for _, s := range meta.Configuration.Servers {
		_, _ = fmt.Fprintf(sum, " %d %q %q", s.Suffrage, s.ID, s.Address)
	}
	return sum.Sum(binary.BigEndian.AppendUint64(nil, cluster))
}

// readLabel reads the label of a file, which must be that of the description.
func readLabel(from io.Reader, meta *raft.SnapshotMeta, cluster uint64) error {
	var b [labelSize]byte
	if _, err := io.ReadFull(from, b[:]); err != nil {
		return fmt.Errorf("reading the label: %w", err)
	}
	if is := binary.BigEndian.Uint64(b[:]); is != cluster {
		return fmt.Errorf("%w: it is of the cluster %016x, not of %016x", ErrDamaged, is, cluster)
	}
	if string(b[:]) != string(label(meta, cluster)) {
		return fmt.Errorf("%w: the checksum of meta.json", ErrDamaged)
	}
	return nil
}
