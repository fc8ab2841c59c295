package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
)

// witness knows of a transaction that a file has had, in a file of its own: one
// that has not is an old copy, or has lost what the disk said it has. It is
// written after every transaction, and not synced, which costs a hundredth of
// what the transaction does. So it survives the process, and if the machine
// crashes what it knows is older, but never newer than what is on disk.
//
// It has two slots, written in turn, each less than a sector of the disk and in
// one of its own: one that was being written when the machine crashed leaves the other.
type witness struct {
	file  *os.File
	owner uint64
}

const (
	witnessSuffix = ".witness"
	witnessSlot   = 512 // from one slot to the next
	witnessSize   = 20  // owner, transaction, checksum
)

// newWitness makes the file, which is on disk when it returns.
func newWitness(path string, owner, tx uint64) (*witness, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	w := &witness{f, owner}
	if err := errors.Join(w.note(tx-1), w.note(tx), f.Sync()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return w, nil
}

// openWitness opens the file of an owner, and returns what it knows of.
func openWitness(path string, owner uint64) (w *witness, tx uint64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, 0, err
	}
	whole := 0
	for at := range int64(2) {
		var b [witnessSize]byte
		if _, err := f.ReadAt(b[:], at*witnessSlot); err != nil || crc32.Checksum(b[:16], castagnoli) != binary.BigEndian.Uint32(b[16:]) {
			continue // the other one is as true, if less is known
		}
		if whose := binary.BigEndian.Uint64(b[:]); whose != owner {
			return nil, 0, errors.Join(fmt.Errorf("%s: it is of incarnation %016x, not of %016x", path, whose, owner), f.Close())
		}
		whole++
		tx = max(tx, binary.BigEndian.Uint64(b[8:]))
	}
	if whole == 0 {
		return nil, 0, errors.Join(fmt.Errorf("%s: %w: no checksum is right", path, ErrDamaged), f.Close())
	}
	return &witness{f, owner}, tx, nil
}

// note writes that a transaction is on disk.
func (w *witness) note(tx uint64) error {
	var b [witnessSize]byte
	binary.BigEndian.PutUint64(b[:], w.owner)
	binary.BigEndian.PutUint64(b[8:], tx)
	binary.BigEndian.PutUint32(b[16:], crc32.Checksum(b[:16], castagnoli))
	_, err := w.file.WriteAt(b[:], int64(tx%2)*witnessSlot)
	return err
}

func (w *witness) close() error {
	if w == nil {
		return nil // the file was new, and could not be made
	}
	return errors.Join(w.file.Sync(), w.file.Close())
}
