package logstore

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockTimeout is how long another process may hold the file before it counts as
// in use.
const lockTimeout = time.Second

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

// OpenDurable opens a file, or makes it. An error names it.
func OpenDurable(c Durability) (*Durable, error) {
	d := &Durable{path: c.Path, limit: c.Limit, over: c.Over, failed: c.Failed, outlast: c.Outlast}
	var found contents
	if !c.New {
		var err error
		if found, err = checkFile(c.Path); err != nil {
			return nil, err
		}
		if err := d.consult(c.Owner, found.tx); err != nil {
			return nil, err
		}
	}
	if err := d.open(); err != nil {
		return nil, errors.Join(err, d.witness.close())
	}
	err := guarded(func() error {
		newest, err := newestMeta(d.file)
		if err != nil {
			return err
		}
		d.tx, d.pageSize = newest.tx, newest.pageSize
		if c.New {
			return d.begin(c.Owner)
		}
		return errors.Join(d.checkValues(c.Owner, c.Cluster), d.walk(found))
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", c.Path, err), d.Close())
	}
	return d, nil
}

// Remove removes the files at a path.
func Remove(path string) error {
	return errors.Join(os.RemoveAll(path), os.RemoveAll(path+witnessSuffix))
}

// consult asks the witness whether the file is what it was.
func (d *Durable) consult(owner, tx uint64) error {
	w, known, err := openWitness(d.path+witnessSuffix, owner)
	if err != nil {
		return err
	}
	if known > tx {
		return errors.Join(fmt.Errorf("%s: %w", d.path, damaged(
			"transaction %d is its last, and there has been %d: it is an old copy, or the disk has lost something", tx, known)), w.close())
	}
	d.witness = w
	return nil
}

// open opens the file. bbolt panics on some kinds of damage and leaves the file
// open, and with it the lock.
func (d *Durable) open() error {
	err := guarded(func() (err error) {
		d.store, err = raftboltdb.New(raftboltdb.Options{Path: d.path, MsgpackUseNewTimeFormat: true, BoltOptions: &bbolt.Options{
			Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType,
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				f, err := os.OpenFile(name, flag, mode)
				d.file = f
				return f, err
			}}})
		return err
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%s: another process is using it", d.path)
	case err != nil:
		release(d.file)
		return fmt.Errorf("%s: %w", d.path, err)
	}
	return nil
}

// begin writes what a file has from the beginning.
func (d *Durable) begin(owner uint64) (err error) {
	if d.witness, err = newWitness(d.path+witnessSuffix, owner, d.tx); err != nil {
		return err
	}
	if err := d.change(func() error { return d.store.StoreLog(seal{}.entry()) }); err != nil {
		return err
	}
	for key, n := range map[string]uint64{ownerKey: owner, clusterKey: 0, reachedKey: 0} {
		if err := d.SetUint64([]byte(key), n); err != nil {
			return err
		}
	}
	return nil
}

// walk reads every entry, and adds their sizes up.
func (d *Durable) walk(found contents) error {
	var last raft.Log
	if _, _, err := d.read(sealIndex, &last); err != nil {
		return damaged("the log's end: %w", err)
	}
	s, err := sealOf(&last)
	if err != nil {
		return err
	}
	var term uint64
	for index := found.first; index != 0 && index <= found.last; index++ {
		var log raft.Log
		prev, sum, err := d.read(index, &log)
		if err != nil {
			return damaged("entry %d of %d to %d: %w", index, found.first, found.last, err)
		}
		if index > found.first && prev != d.sum || log.Term < term {
			return damaged("entry %d, of term %d, does not follow the one before, of term %d", index, log.Term, term)
		}
		term, d.sum = log.Term, sum
		d.append(&log)
	}
	if is := (end{found.last, d.sum}); is != s.tail && is != s.other {
		return damaged("the log ends with entry %d, and should with %d", found.last, s.tail.index)
	}
	return nil
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
