package logstore

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// deleteMost is how many entries one transaction trims: nothing else is written
// meanwhile, and raft trims while writes go on.
const deleteMost = 2048

// IsMonotonic tells raft that entries follow each other without a gap, so that
// after a restored snapshot everything before it has to go.
func (d *Durable) IsMonotonic() bool { return true }

// GetLog reads the entry at index into log. raft.ErrLogNotFound is returned
// when it is not there. Raft ends the process when it cannot read what it has
// to apply. For one that has been damaged since the file was opened the node is
// ended instead, and what nobody hears of any more is an entry that does nothing.
func (d *Durable) GetLog(index uint64, log *raft.Log) error {
	d.mu.RLock()
	there := len(d.ends) > 0 && index >= d.first && index <= d.last()
	d.mu.RUnlock()
	if !there {
		return raft.ErrLogNotFound
	}
	err := guarded(func() error {
		_, _, err := d.read(index, log)
		return err
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrLogNotFound) && d.isGone(index):
		return raft.ErrLogNotFound // it was trimmed in the meantime
	}
	err = fmt.Errorf("%s: reading log entry %d: %w", d.path, index, err)
	d.failed(err)
	if !d.outlast() {
		return err
	}
	*log = raft.Log{Index: index, Type: raft.LogNoop}
	return nil
}

// read reads an entry or the seal, and returns its checksums.
func (d *Durable) read(index uint64, log *raft.Log) (prev, sum uint32, err error) {
	var stored raft.Log
	if err := d.store.GetLog(index, &stored); err != nil {
		return 0, 0, err
	}
	if stored.Index != index {
		return 0, 0, damaged("entry %d says it is %d", index, stored.Index)
	}
	if prev, sum, err = unseal(&stored); err == nil {
		*log = stored
	}
	return prev, sum, err
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
	sum := d.sum
	entries := make([]*raft.Log, len(logs), len(logs)+1)
	for i, log := range logs {
		if next != 0 && log.Index != next+1 {
			return fmt.Errorf("storing log entry %d: the last one is %d", log.Index, next)
		}
		next = log.Index
		entries[i], sum = sealed(log, sum)
	}
	tail := end{next, sum}
	entries = append(entries, seal{tail, tail}.entry())
	if err := d.change(func() error { return d.store.StoreLogs(entries) }); err != nil {
		return d.notStored(fmt.Errorf("storing log entries %d to %d: %w", logs[0].Index, next, err))
	}
	d.sum, d.pending = sum, false
	d.stored(logs)
	return nil
}

// notStored ends the node if raft is mistaken about its log from now on: where
// it has removed a tail and cannot store what belongs there, it takes the tail
// to be there still (raft 1.8.0), and looks for it with every request.
func (d *Durable) notStored(err error) error {
	if d.pending {
		d.failed(err)
	}
	if d.broken == nil {
		return fmt.Errorf("%w: %w", ErrNotStored, err)
	}
	return err
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
	if err := d.remove(*lowest, to, first, last); err != nil {
		return false, fmt.Errorf("deleting log entries %d to %d: %w", *lowest, to, err)
	}
	d.forget(*lowest, to)
	*lowest = to + 1
	return more, nil
}

// remove removes entries from the file. When the last one goes, the seal says
// so first: after a crash in between either end is right.
func (d *Durable) remove(lowest, highest, first, last uint64) error {
	var tail end
	if highest == last {
		if lowest > first {
			var before raft.Log
			_, sum, err := d.read(lowest-1, &before)
			if err != nil {
				return err
			}
			tail = end{lowest - 1, sum}
		}
		s := seal{tail: end{last, d.sum}, other: tail}
		if err := d.change(func() error { return d.store.StoreLog(s.entry()) }); err != nil {
			return err
		}
	}
	if err := d.change(func() error { return d.store.DeleteRange(lowest, highest) }); err != nil {
		return err
	}
	if highest == last {
		d.sum, d.pending = tail.sum, lowest > first
	}
	return nil
}
