package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

const (
	// lockTimeout is how long another process may hold the file before it
	// counts as in use.
	lockTimeout = time.Second
	// deleteMost is how many entries one transaction trims: nothing else is
	// written meanwhile, and raft trims while writes go on.
	deleteMost = 2048
	// diskOverhead is about what an entry takes in the file beside its data.
	diskOverhead = 128
	// ownerKey is under what a file says whose it is.
	ownerKey = "imdgo/owner"
)

// ErrDamaged is returned when the file is not what this package wrote.
var ErrDamaged = errors.New("damaged log")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Durable is a raft.LogStore and raft.StableStore in one bbolt file, every
// write of which is on disk when it returns. bbolt does not check what it
// reads, so every entry and value carries a checksum, and all of them are looked
// at when the file is opened: raft cannot go on without an entry.
type Durable struct {
	store *raftboltdb.BoltStore
	file  *os.File // that the store has opened
	limit int64
	over  func()
	// failed hears of a value that could not be written, and returns when this
	// node can be heard by nobody any more.
	failed func(error)

	writing sync.Mutex // held while the log is changed, for as long as the disk takes

	mu    sync.RWMutex // guards all below, which is about what is in the file
	first uint64       // 0: empty
	base  int64        // the bytes of all entries there have been before the first
	ends  []int64      // and up to each, in order: base, and the bytes so far
	pin   uint64       // entries above it stay; 0: none has to
}

// Durability says where and whose a Durable is.
type Durability struct {
	Path  string
	Owner uint64 // who alone may go on with the file
	New   bool   // there is no file yet, and without that there must be one
	Limit int64
	// Over is called, with a lock held, whenever entries are stored and the log
	// takes more than Limit bytes.
	Over func()
	// Failed is called when a vote or term could not be written.
	Failed func(error)
}

// OpenDurable opens a file, or makes it. An error names it.
func OpenDurable(c Durability) (*Durable, error) {
	if !c.New {
		if err := checkFile(c.Path); err != nil {
			return nil, err
		}
	}
	d := &Durable{limit: c.Limit, over: c.Over, failed: c.Failed}
	if err := d.open(c.Path); err != nil {
		return nil, err
	}
	err := guarded(func() error {
		if c.New {
			return d.SetUint64([]byte(ownerKey), c.Owner)
		}
		return errors.Join(d.checkValues(c.Owner), d.walk())
	})
	if err != nil {
		err = errors.Join(fmt.Errorf("%s: %w", c.Path, err), guarded(d.store.Close))
		release(d.file)
		return nil, err
	}
	return d, nil
}

// open opens the file. bbolt panics on some kinds of damage and leaves the file
// open, and with it the lock.
func (d *Durable) open(path string) error {
	err := guarded(func() (err error) {
		d.store, err = raftboltdb.New(raftboltdb.Options{Path: path, MsgpackUseNewTimeFormat: true, BoltOptions: &bbolt.Options{
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
		return fmt.Errorf("%s: another process is using it", path)
	case err != nil:
		release(d.file)
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// walk reads every entry, and adds their sizes up.
func (d *Durable) walk() error {
	first, err := d.store.FirstIndex()
	if err != nil || first == 0 {
		return err
	}
	last, err := d.store.LastIndex()
	if err != nil {
		return err
	}
	var term uint64
	for index := first; index <= last; index++ {
		var log raft.Log
		if err := d.read(index, &log); err != nil {
			return fmt.Errorf("%w: entry %d of %d to %d: %w", ErrDamaged, index, first, last, err)
		}
		if log.Term < term {
			return fmt.Errorf("%w: entry %d is of term %d, after %d", ErrDamaged, index, log.Term, term)
		}
		term = log.Term
		d.append(&log)
	}
	return nil
}

func (d *Durable) append(log *raft.Log) {
	if len(d.ends) == 0 {
		d.first = log.Index
	}
	d.ends = append(d.ends, d.end()+onDisk(log))
}

func (d *Durable) end() int64 {
	if len(d.ends) == 0 {
		return d.base
	}
	return d.ends[len(d.ends)-1]
}

// last is the index of the newest entry, of a log that is not empty.
func (d *Durable) last() uint64 { return d.first + uint64(len(d.ends)) - 1 }

// Close closes the file.
func (d *Durable) Close() error { return d.store.Close() }

// Pin keeps the entries above index in the log, also when raft trims it, until
// Unpin. There is one pin: a later one replaces it.
func (d *Durable) Pin(index uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pin = index
}

// Unpin ends what Pin began.
func (d *Durable) Unpin() { d.Pin(0) }

func onDisk(log *raft.Log) int64 { return int64(len(log.Data)+len(log.Extensions)) + diskOverhead }

// Bytes is what the entries take.
func (d *Durable) Bytes() int64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.end() - d.base
}

// BytesAfter is what the entries above index take.
func (d *Durable) BytesAfter(index uint64) int64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	switch {
	case len(d.ends) == 0 || index < d.first:
		return d.end() - d.base
	case index > d.last():
		return 0
	}
	return d.end() - d.ends[index-d.first]
}

// Tail is how many of the newest entries take up to bytes together, at least 1.
func (d *Durable) Tail(bytes int64) uint64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	n, end := len(d.ends), d.end()
	from := 0
	if end-d.base > bytes {
		from = 1 + sort.Search(n, func(i int) bool { return end-d.ends[i] <= bytes })
	}
	return uint64(max(n-from, 1))
}

// FirstIndex returns the index of the oldest entry, 0 for none.
func (d *Durable) FirstIndex() (uint64, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.first, nil
}

// LastIndex returns the index of the newest entry, 0 for none.
func (d *Durable) LastIndex() (uint64, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if len(d.ends) == 0 {
		return 0, nil
	}
	return d.last(), nil
}

// IsMonotonic tells raft that entries follow each other without a gap, so that
// after a restored snapshot everything before it has to go.
func (d *Durable) IsMonotonic() bool { return true }

// GetLog reads the entry at index into log. raft.ErrLogNotFound is returned
// when it is not there.
func (d *Durable) GetLog(index uint64, log *raft.Log) error {
	d.mu.RLock()
	there := len(d.ends) > 0 && index >= d.first && index <= d.last()
	d.mu.RUnlock()
	if !there {
		return raft.ErrLogNotFound
	}
	return d.read(index, log)
}

func (d *Durable) read(index uint64, log *raft.Log) error {
	var stored raft.Log
	if err := d.store.GetLog(index, &stored); err != nil {
		return err
	}
	if stored.Index != index {
		return fmt.Errorf("%w: entry %d says it is %d", ErrDamaged, index, stored.Index)
	}
	rest := len(stored.Extensions) - crc32.Size
	if rest < 0 {
		return fmt.Errorf("%w: entry %d has no checksum", ErrDamaged, index)
	}
	sum := binary.BigEndian.Uint32(stored.Extensions[rest:])
	if stored.Extensions = stored.Extensions[:rest]; rest == 0 {
		stored.Extensions = nil
	}
	if sum != checksum(&stored) {
		return fmt.Errorf("%w: the checksum of entry %d", ErrDamaged, index)
	}
	*log = stored
	return nil
}

func checksum(log *raft.Log) uint32 {
	var head [17]byte
	binary.BigEndian.PutUint64(head[:], log.Index)
	binary.BigEndian.PutUint64(head[8:], log.Term)
	head[16] = byte(log.Type)
	sum := crc32.Update(0, castagnoli, head[:])
	sum = crc32.Update(sum, castagnoli, log.Data)
	return crc32.Update(sum, castagnoli, log.Extensions)
}

// StoreLog adds an entry.
func (d *Durable) StoreLog(log *raft.Log) error { return d.StoreLogs([]*raft.Log{log}) }

// StoreLogs adds entries, which must follow the last one. They are on disk when
// it returns.
func (d *Durable) StoreLogs(logs []*raft.Log) error {
	if len(logs) == 0 {
		return nil
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	next, _ := d.LastIndex() // never fails
	sealed := make([]*raft.Log, len(logs))
	for i, log := range logs {
		if next != 0 && log.Index != next+1 {
			return fmt.Errorf("storing log entry %d: the last one is %d", log.Index, next)
		}
		next = log.Index
		s := *log
		s.Extensions = binary.BigEndian.AppendUint32(slices.Clip(s.Extensions), checksum(log))
		sealed[i] = &s
	}
	if err := d.store.StoreLogs(sealed); err != nil {
		return fmt.Errorf("storing log entries %d to %d: %w", logs[0].Index, next, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, log := range logs {
		d.append(log)
	}
	if d.end()-d.base > d.limit {
		d.over()
	}
	return nil
}

// DeleteRange removes the entries from lowest to highest, which must be at one
// end of the log or all of it: raft trims the head after a snapshot and the
// tail when a new leader overrules it. Of the head, what is pinned stays.
func (d *Durable) DeleteRange(lowest, highest uint64) error {
	for {
		more, err := d.deleteSome(&lowest, &highest)
		if err != nil || !more {
			return err
		}
	}
}

// deleteSome removes a part of the head, or all that is to go of the tail: a
// crash in between must not leave a gap.
func (d *Durable) deleteSome(lowest, highest *uint64) (more bool, err error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.RLock()
	first, last, empty := d.first, d.last(), len(d.ends) == 0
	pin := d.pin
	d.mu.RUnlock()
	if empty {
		return false, nil
	}
	*lowest, *highest = max(*lowest, first), min(*highest, last)
	if pin != 0 && *lowest == first && *highest < last {
		*highest = min(*highest, pin)
	}
	switch {
	case *lowest > *highest:
		return false, nil
	case *lowest != first && *highest != last:
		return false, fmt.Errorf("deleting log entries %d to %d would leave a gap between %d and %d", *lowest, *highest, first, last)
	}
	to := *highest
	if *lowest == first && to-first >= deleteMost {
		to, more = first+deleteMost-1, true
	}
	if err := d.store.DeleteRange(*lowest, to); err != nil {
		return false, fmt.Errorf("deleting log entries %d to %d: %w", *lowest, to, err)
	}
	d.forget(*lowest, to)
	*lowest = to + 1
	return more, nil
}

func (d *Durable) forget(lowest, highest uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if lowest == d.first {
		n := highest - lowest + 1
		d.base = d.ends[n-1]
		d.ends = d.ends[n:]
		d.first = highest + 1
	} else {
		d.ends = d.ends[:lowest-d.first]
	}
	if len(d.ends) == 0 {
		d.first, d.base, d.ends = 0, 0, nil
	}
}
