package logstore

import (
	"sort"

	"github.com/hashicorp/raft"
)

// isGone reports whether an entry has been removed. While it is, it is gone from
// the file sooner than from what is known of it.
func (d *Durable) isGone(index uint64) bool {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.ends) == 0 || index < d.first || index > d.last()
}

// stored adds up entries that are on disk now.
func (d *Durable) stored(logs []*raft.Log) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, log := range logs {
		d.append(log)
	}
	if d.end()-d.base > d.limit {
		d.over()
	}
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

// Pin keeps the entries above index in the log, also when raft trims it, until
// Unpin. There is one pin: a later one replaces it.
func (d *Durable) Pin(index uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pin = index
}

// Unpin ends what Pin began.
func (d *Durable) Unpin() { d.Pin(0) }

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

// diskOverhead is about what an entry takes in the file beside its data.
const diskOverhead = 128

func onDisk(log *raft.Log) int64 { return int64(len(log.Data)+len(log.Extensions)) + diskOverhead }
