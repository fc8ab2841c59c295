package logstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// The values that raft keeps. It panics when the term cannot be written, which
// a full disk is enough for.
const (
	termKey     = "CurrentTerm"
	voteTermKey = "LastVoteTerm"
	voteKey     = "LastVoteCand"
)

// And those that say whose the file is, and how far snapshots have reached. They
// are always there, the last of all too: bbolt's pages hold as much as a count
// says, so a count that has changed would hide the last.
const (
	clusterKey = "imdgo/cluster"
	ownerKey   = "imdgo/owner"
	reachedKey = "imdgo/reached"
)

// ownKeys are the keys that there must be, in order, given that raft may not
// have written its own yet.
func ownKeys(found []string) (keys []string) {
	for _, key := range []string{termKey, voteKey, voteTermKey} {
		if slices.Contains(found, key) {
			keys = append(keys, key)
		}
	}
	return append(keys, clusterKey, ownerKey, reachedKey)
}

// Set writes a value.
//
// Raft panics when its term cannot be written, and a library must not end the
// process for that. It goes on instead when this node has been cut off from
// everybody: a term that nobody hears of harms nobody. When it starts, raft
// writes the term that it has read, which would need room on the disk for nothing.
func (d *Durable) Set(key, value []byte) error {
	if is, err := d.Get(key); err == nil && bytes.Equal(is, value) && string(key) == termKey {
		return nil
	}
	d.writing.Lock()
	sealed := binary.BigEndian.AppendUint32(append([]byte(nil), value...), valueSum(key, value))
	err := d.change(func() error { return d.store.Set(key, sealed) })
	d.writing.Unlock()
	if err == nil {
		return nil
	}
	err = fmt.Errorf("writing raft's %s: %w", key, err)
	if string(key) != termKey {
		return err
	}
	d.failed(err)
	if !d.outlast() {
		return err
	}
	return nil
}

// Get reads a value. An error whose text is "not found", which raft looks for,
// says that there is none.
func (d *Durable) Get(key []byte) ([]byte, error) {
	var sealed []byte
	err := guarded(func() (err error) {
		sealed, err = d.store.Get(key)
		return err
	})
	if err != nil {
		return nil, err
	}
	rest := len(sealed) - crc32.Size
	if rest < 0 || binary.BigEndian.Uint32(sealed[rest:]) != valueSum(key, sealed[:rest]) {
		return nil, fmt.Errorf("%w: the checksum of raft's %s", ErrDamaged, key)
	}
	return sealed[:rest], nil
}

func valueSum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

// SetUint64 writes a number.
func (d *Durable) SetUint64(key []byte, n uint64) error {
	return d.Set(key, binary.BigEndian.AppendUint64(nil, n))
}

// GetUint64 reads a number, 0 with an error if there is none.
func (d *Durable) GetUint64(key []byte) (uint64, error) {
	value, err := d.Get(key)
	if err != nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("%w: raft's %s has %d bytes", ErrDamaged, key, len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}

// checkValues looks whether the values can be read, and the file is the owner's
// in the cluster: another one, or none, would be votes that were never given.
func (d *Durable) checkValues(owner, cluster uint64) error {
	for _, key := range []string{termKey, voteTermKey, voteKey, reachedKey} {
		if _, err := d.Get([]byte(key)); err != nil && !errors.Is(err, raftboltdb.ErrKeyNotFound) {
			return err
		}
	}
	is, err := d.GetUint64([]byte(ownerKey))
	if err == nil && is != owner {
		err = damaged("it is the log of incarnation %016x, not of %016x", is, owner)
	}
	if err != nil {
		return err
	}
	is, err = d.GetUint64([]byte(clusterKey))
	if err == nil && is != cluster {
		err = damaged("it is of the cluster %016x, not of %016x", is, cluster)
	}
	return err
}

// Join writes which cluster the file is of.
func (d *Durable) Join(cluster uint64) error { return d.SetUint64([]byte(clusterKey), cluster) }

// Reach writes that there is a snapshot up to index: from now on the log need
// not go back further.
func (d *Durable) Reach(index uint64) error { return d.SetUint64([]byte(reachedKey), index) }

// Reached is what Reach was last told.
func (d *Durable) Reached() (uint64, error) { return d.GetUint64([]byte(reachedKey)) }
