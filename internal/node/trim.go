package node

import (
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
	// overrun is how many times its limit the log may take for the sake of a
	// transfer before writes are held back, so that the transfer can end. Each
	// batch waits up to holdMost, the longer the further the log goes on towards
	// what the state itself takes. There the transfer is given up.
	overrun  = 2
	holdMost = 20 * time.Millisecond
)

// errOverrun is what a transfer of the state is given up with.
var errOverrun = errors.New("a transfer of the state takes so long that the log has grown larger than the state")

// trimLog has raft trim its log when that takes more than its limit. With the
// state all in memory a snapshot is no more than a mark, see snapshot.Lazy.
func (l *life) trimLog() {
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-l.logOver:
		}
		if l.files != nil {
			l.trimDisk()
			pause(l.ctx, trimPause)
			continue
		}
		if l.log.Bytes() <= l.node.cfg.LogLimit {
			continue
		}
		if !l.lazy.Receiving() && !l.replica.transferring(l.log.Bytes()-overrun*l.node.cfg.LogLimit) {
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
// behind gets entries and not the whole state.
func (l *life) trimNow() error {
	c := l.raft.ReloadableConfig()
	c.TrailingLogs = l.log.Tail(l.node.cfg.LogLimit / 2)
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
	if l.disk.BytesAfter(newest.Index) <= enough {
		return
	}
	keep := newest.Index
	if lowest, ok := l.files.Sending(afterTransfer); ok {
		if l.disk.Bytes() > 2*overrun*enough {
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

// transferring reports whether the log must be left alone because the state is
// being sent, or has been a moment ago. beyond is how many bytes the log is over
// what it may take for that.
func (r *replica) transferring(beyond int64) bool {
	r.mu.Lock()
	cut, ended := r.open, r.ended
	r.mu.Unlock()
	if cut == nil {
		// What came during the transfer has yet to be sent: without it the
		// receiver would need the whole state once more, and so on for ever.
		return time.Since(ended.at) < afterTransfer && beyond <= ended.size
	}
	if beyond > cut.Size() {
		cut.Abort(errOverrun)
		return false
	}
	return true
}

// hold is how long the next batch has to wait for a transfer.
func (l *life) hold() time.Duration {
	beyond := l.log.Bytes() - overrun*l.node.cfg.LogLimit
	if beyond <= 0 {
		return 0
	}
	l.replica.mu.Lock()
	cut := l.replica.open
	l.replica.mu.Unlock()
	if cut == nil {
		return 0
	}
	return time.Duration(float64(holdMost) * min(1, float64(beyond)/float64(cut.Size())))
}

var _ raft.ConfigurationStore = (*replica)(nil)
