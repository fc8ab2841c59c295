package node

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/logstore"
	"github.com/inelpandzic/imdgo/snapshot"
)

// logStore is where raft's log is, in memory or on disk. Its length is bounded
// in bytes, and by what a transfer of the state needs.
type logStore interface {
	raft.LogStore
	// Bytes is what the entries take.
	Bytes() int64
	// Tail is how many of the newest entries take up to bytes, at least 1.
	Tail(bytes int64) uint64
	// Pin keeps at least the entries above index until Unpin.
	Pin(index uint64)
	Unpin()
	Close() error
}

// snapshotStore is where raft's snapshots are.
type snapshotStore interface {
	raft.SnapshotStore
	// Received is the state that raft wants restored, built already.
	Received() (snapshot.Incoming, bool)
}

// stores are what a life remembers with.
type stores struct {
	log       logStore
	stable    raft.StableStore
	snapshots snapshotStore

	disk  *logstore.Durable // the log and the votes, nil in memory
	files *snapshot.Files   // the snapshots, nil in memory
	lazy  *snapshot.Lazy    // likewise, nil on disk
}

// openStores opens the stores of a life. resumed is whether there is something
// in them to go on with.
func (l *life) openStores() (resumed bool, err error) {
	over := func() { notify(l.logOver) }
	home, limit := l.node.home, l.node.cfg.LogLimit
	if home == nil {
		l.log = logstore.NewRing(limit, over)
		l.stable = raft.NewInmemStore()
		l.lazy = snapshot.NewLazy(l.replica.cut, l.replica.receive, l.stream.SeverInbound, stalledFor)
		l.snapshots = l.lazy
		return false, nil
	}
	l.disk, err = logstore.OpenDurable(logstore.Durability{Path: home.logPath(), Owner: uint64(l.inc), Cluster: uint64(home.cluster),
		New: home.cluster == 0, Limit: limit, Over: over, Failed: l.cannotRemember, Outlast: l.outlast})
	if err != nil {
		return false, advised(err, home.dir)
	}
	l.log, l.stable = l.disk, l.disk
	if err = l.openSnapshots(); err == nil {
		err = syncDirectory(home.dir)
	}
	if err != nil {
		return false, errors.Join(advised(err, home.dir), l.log.Close())
	}
	resumed, err = raft.HasExistingState(l.log, l.stable, l.snapshots)
	if err != nil {
		return false, errors.Join(err, l.log.Close())
	}
	return resumed, nil
}

// advised adds to an error about damage what to do.
func advised(err error, dir string) error {
	for _, damage := range []error{errDamaged, logstore.ErrDamaged, snapshot.ErrDamaged, fs.ErrNotExist} {
		if errors.Is(err, damage) {
			return fmt.Errorf("%w; remove the directory %s, and the node joins the others anew", err, dir)
		}
	}
	return err
}

// openSnapshots builds the state that the node begins with. What the log holds
// must go on from there.
func (l *life) openSnapshots() (err error) {
	l.files, err = snapshot.NewFiles(snapshot.FilesConfig{Dir: l.node.home.dir, Cluster: func() uint64 { return uint64(l.cluster()) },
		Receive: l.replica.receive, Reached: l.disk.Reach, Stalled: l.stream.SeverInbound, Patient: stalledFor, Log: l.raftLog})
	if err != nil {
		return err
	}
	l.snapshots = l.files
	first, _ := l.log.FirstIndex() // they never fail: they are kept in memory
	last, _ := l.log.LastIndex()
	reached, err := l.disk.Reached()
	if err != nil {
		return err
	}
	from, err := l.files.Load(snapshot.Log{First: first, Last: last, Reached: reached})
	if damage := l.files.Damage(); damage != nil {
		l.node.log.Warn("going on from an older snapshot and the log", "index", from.Index, "damage", damage)
	}
	if err != nil || from.Index == 0 || last == 0 || l.goesOn(from, first, last) {
		return err
	}
	// A snapshot was received, and the process ended before its former log
	// was removed.
	return l.log.DeleteRange(first, last)
}

// goesOn reports whether the log is one that leads on from a snapshot.
func (l *life) goesOn(from snapshot.Newest, first, last uint64) bool {
	if last < from.Index || first > from.Index {
		return first == from.Index+1
	}
	var entry raft.Log
	return l.log.GetLog(from.Index, &entry) == nil && entry.Term == from.Term
}

// cannotRemember ends the node: its disk does not take what it must not forget,
// or does not give it back.
func (l *life) cannotRemember(err error) {
	l.node.fail(fmt.Errorf("%w, so it must not take part any more", err))
}

// outlast waits until the node can be heard by nobody any more. While raft is
// being started there is nobody to end it.
func (l *life) outlast() bool {
	if !l.begun.Load() {
		return false
	}
	<-l.severed
	return true
}
