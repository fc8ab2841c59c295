package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// The values that raft keeps. It panics when the term cannot be written, which
// a full disk is enough for.
const (
	termKey     = "CurrentTerm"
	voteTermKey = "LastVoteTerm"
	voteKey     = "LastVoteCand"
)

// Set writes a value.
//
// Raft panics when its term cannot be written, and a library must not end the
// process for that. It goes on instead when this node has been cut off from
// everybody: a term that nobody hears of harms nobody.
func (d *Durable) Set(key, value []byte) error {
	sealed := binary.BigEndian.AppendUint32(append([]byte(nil), value...), valueSum(key, value))
	err := d.store.Set(key, sealed)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("writing raft's %s: %w", key, err)
	if string(key) != termKey {
		return err
	}
	d.failed(err)
	return nil
}

// Get reads a value. An error whose text is "not found", which raft looks for,
// says that there is none.
func (d *Durable) Get(key []byte) ([]byte, error) {
	sealed, err := d.store.Get(key)
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

// checkValues looks whether the values can be read, and the file is the owner's:
// another one, or none, would be votes that were never given.
func (d *Durable) checkValues(owner uint64) error {
	for _, key := range []string{termKey, voteTermKey, voteKey} {
		if _, err := d.Get([]byte(key)); err != nil && !errors.Is(err, raftboltdb.ErrKeyNotFound) {
			return err
		}
	}
	switch is, err := d.GetUint64([]byte(ownerKey)); {
	case errors.Is(err, raftboltdb.ErrKeyNotFound):
		return fmt.Errorf("%w: it does not say whose it is", ErrDamaged)
	case err != nil:
		return err
	case is != owner:
		return fmt.Errorf("it is the log of incarnation %016x, not of %016x", is, owner)
	}
	return nil
}
