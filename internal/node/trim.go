package node

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// trimPause is between two attempts to trim a log that cannot be trimmed
	// at the moment.
	trimPause = 20 * time.Millisecond
	// afterTransfer is how long the log keeps what follows a state that has
	// been sent, so that the node that got it can go on from there.
	afterTransfer = 3 * time.Second
	// afterFailure is how long a disk is left alone that took no snapshot.
	afterFailure = time.Second
	// holdMost is how long a batch is held back at the most, so that a transfer
	// can end before what it keeps takes more than there is for it.
	holdMost = 100 * time.Millisecond
)

// errOverrun is what a transfer of the state is given up with.
var errOverrun = errors.New("a transfer of the state takes so long that what it keeps has taken all there is for it")

// trimLog has raft trim its log when that takes more than its limit. With the
// state all in memory a snapshot is no more than a mark, see snapshot.Lazy.
func (l *life) trimLog() {
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-l.logOver:
		}
		if l.replica.emptied.Load() {
			pause(l.ctx, trimPause)
			notify(l.logOver) // when the state has come
			continue
		}
		if l.files != nil {
			l.trimDisk()
			pause(l.ctx, trimPause)
			continue
		}
		if l.log.Bytes() <= l.node.cfg.LogLimit && !l.wanted.Load() {
			continue
		}
		if !l.lazy.Receiving() && !l.transferring() {
			err := l.trimNow()
			if err == nil {
				continue
			}
			l.node.log.Debug("trimming the log", "bytes", l.log.Bytes(), "error", err)
		}
		pause(l.ctx, trimPause)
		notify(l.logOver) // it may still be too large, with nothing more to come
	}
}

// trimNow leaves half of the limit, so that a follower which is only a little
// behind gets entries and not the whole state. For one that waits for the state it
// leaves half of what there is.
func (l *life) trimNow() error {
	c := l.raft.ReloadableConfig()
	c.TrailingLogs = l.log.Tail(l.node.cfg.LogLimit / 2)
	if l.wanted.Swap(false) {
		c.TrailingLogs = min(c.TrailingLogs, l.log.Tail(l.log.Bytes()/2))
	}
	if err := l.raft.ReloadConfig(c); err != nil {
		return err
	}
	return l.raft.Snapshot().Error()
}

// trimDisk is trimLog for a data directory. A snapshot writes the whole state,
// so one is taken only when as much has been logged since the last one. The log
// goes back to the snapshot before, so that a damaged one is not the end, and
// as far as a snapshot reaches that is being sent.
func (l *life) trimDisk() {
	newest := l.files.Newest()
	enough := max(l.node.cfg.LogLimit, newest.Size)
	if l.disk.BytesAfter(newest.Index) <= enough && !l.wanted.Load() {
		return
	}
	keep := newest.Index
	if lowest, ok := l.files.Sending(afterTransfer); ok {
		if l.disk.Bytes() > 4*enough {
			l.node.log.Warn("giving up a transfer of the state", "error", errOverrun)
			l.files.GiveUp()
		} else {
			keep = min(keep, lowest)
		}
	}
	l.log.Pin(keep)
	if err := l.trimNow(); err != nil {
		l.node.log.Warn("writing a snapshot", "error", err)
		pause(l.ctx, afterFailure)
	}
}

// room is how many bytes are left, of those for the log and for what a transfer
// keeps of entries that change meanwhile.
func (l *life) room() int64 {
	room := l.node.cfg.Budget.Log - l.replica.undo()
	if l.disk == nil {
		room -= l.log.Bytes()
	}
	return room
}

// undo is how many bytes an open transfer keeps alive beside the state.
func (r *replica) undo() int64 {
	r.mu.Lock()
	cut := r.open
	r.mu.Unlock()
	if cut == nil {
		return 0
	}
	return cut.Undo()
}

// sending reports whether a transfer is open.
func (r *replica) sending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open != nil
}

// transferring reports whether the log must be left alone because the state is
// being sent, or has been a moment ago. When there is hardly room left, or not
// enough for the batch that waits for it, that is over.
func (l *life) transferring() bool {
	r, room := l.replica, l.room()
	r.mu.Lock()
	cut, ended := r.open, r.ended
	r.mu.Unlock()
	if cut == nil {
		// What came during the transfer has yet to be sent: without it the
		// receiver would need the whole state once more, and so on for ever.
		return time.Since(ended) < afterTransfer && room > max(l.node.cfg.Budget.Log/3, l.awaited.Load())
	}
	if room <= max(l.node.cfg.Budget.Log/8, l.awaited.Load()) {
		cut.Abort(errOverrun)
		return false
	}
	return true
}

// awaitRoom holds a batch of so many bytes back for a transfer, or for the log to
// be trimmed. It begins when a third of the room is left, and grows until the
// writes are as slow as they must be for the transfer to come first. With no room
// at all the batch waits for it, but not for ever: it would be waiting for another
// node, which may be the one that is slow.
//
// While the state is being sent that is room for twice the batch: once for the
// log, and once for what its entries take the place of, which the transfer keeps.
func (l *life) awaitRoom(ctx context.Context, bytes int) {
	third := l.node.cfg.Budget.Log / 3
	if room := l.room(); room > 0 && room < third {
		pause(ctx, min(holdMost, holdMost/10*time.Duration(third-room)/time.Duration(room)))
	}
	defer l.awaited.Store(0)
	for began := time.Now(); l.room() < l.await(bytes) && time.Since(began) < holdMost && ctx.Err() == nil; {
		notify(l.logOver)
		pause(ctx, trimPause/10)
	}
}

// await says what a batch waits for, to whoever could make the room.
func (l *life) await(bytes int) int64 {
	n := int64(bytes)
	if l.replica.sending() {
		n *= 2
	}
	l.awaited.Store(n)
	return n
}

var _ raft.ConfigurationStore = (*replica)(nil)
