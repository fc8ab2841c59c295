package logstore

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockTimeout is how long another process may hold the file before it counts as
// in use.
const lockTimeout = time.Second

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
