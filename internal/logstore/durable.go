package logstore

import (
	"errors"
	"fmt"
	"os"
	"sync"

	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// Durable is a raft.LogStore and raft.StableStore in one bbolt file, every
// write of which is on disk when it returns. bbolt does not check what it
// reads, so everything is looked at when the file is opened: its pages, see
// census, all entries and values, each of which has a checksum, how far the log
// goes, see seal, and how far it has gone before, see witness. Raft cannot go
// on without an entry, or having forgotten a vote.
type Durable struct {
	path    string
	store   *raftboltdb.BoltStore
	file    *os.File // that the store has opened
	witness *witness
	limit   int64
	over    func()
	failed  func(error)
	outlast func() bool

	pageSize int64

	writing sync.Mutex // guards all below; held while the file is changed, for as long as the disk takes
	tx      uint64     // the newest transaction
	broken  error      // nothing is written any more
	stuck   bool       // bbolt may hold its locks
	sum     uint32     // the last entry's checksum
	pending bool       // a tail was removed, and nothing has come in its place

	mu    sync.RWMutex // guards all below, which is about what is in the file
	first uint64       // 0: empty
	base  int64        // the bytes of all entries there have been before the first
	ends  []int64      // and up to each, in order: base, and the bytes so far
	pin   uint64       // entries above it stay; 0: none has to
}

// Durability says where and whose a Durable is.
type Durability struct {
	Path    string
	Owner   uint64 // who alone may go on with the file
	Cluster uint64 // that the owner is one of, likewise
	New     bool   // there is no file yet, and without that there must be one
	Limit   int64
	// Over is called, with a lock held, whenever entries are stored and the log
	// takes more than Limit bytes.
	Over func()
	// Failed hears that the file cannot be gone on with, and ends the node; it
	// returns at once. It may be called more than once.
	Failed func(error)
	// Outlast is called after that, where raft would end the process on an
	// error. It returns true as soon as this node can be heard by nobody any
	// more, and what raft is told does not matter, and false if raft has not begun.
	Outlast func() bool
}

// change has a transaction made. The caller holds writing, or nobody else has
// the file yet. If there is an error nothing has happened, as with a full disk,
// or nothing does any more: when bbolt has come upon damage, or it cannot be
// known whether the transaction is on disk, which is when a meta was written
// and not synced.
func (d *Durable) change(transaction func() error) error {
	if d.broken != nil {
		return d.broken
	}
	err := guarded(transaction)
	d.stuck = errors.Is(err, ErrDamaged) // it has panicked
	next := d.tx + 1
	there, metaErr := readMeta(d.file, int64(next%2)*d.pageSize)
	switch {
	case metaErr == nil && err == nil && there.tx == next:
		d.tx = next
		_ = d.witness.note(next) // what it knows is older then, and true
		return nil
	case metaErr == nil && err != nil && there.tx == d.tx-1 && !d.stuck:
		return err // the former transaction's meta
	case err == nil && metaErr == nil:
		err = damaged("transaction %d is where %d was written: somebody else has written the file", there.tx, next)
	}
	d.broken = fmt.Errorf("%s cannot be gone on with: %w", d.path, errors.Join(err, metaErr))
	d.failed(d.broken)
	return d.broken
}

// Close closes the file.
func (d *Durable) Close() error {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.broken = fmt.Errorf("%s: %w", d.path, os.ErrClosed)
	var err error
	if d.stuck {
		release(d.file)
	} else {
		err = guarded(d.store.Close)
	}
	err = errors.Join(err, d.witness.close())
	return err
}
