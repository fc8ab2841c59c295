package snapshot

import (
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// sending is a file on its way to a follower. While it is, and for a while
// after, the log has to keep what follows it.
type sending struct {
	io.ReadCloser
	store *Files
	index uint64
	watch *time.Timer
	given atomic.Bool // up
	until time.Time   // guarded by the store's mutex; zero: it has not ended
}

var errGivenUp = errors.New("the transfer of the snapshot has taken too long")

func (f *Files) send(meta *raft.SnapshotMeta, from io.ReadCloser) *sending {
	s := &sending{ReadCloser: from, store: f, index: meta.Index}
	s.watch = time.AfterFunc(f.cfg.Patient, s.giveUp)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sendings[s] = true
	return s
}

// Read implements io.Reader.
func (s *sending) Read(b []byte) (int, error) {
	if s.given.Load() {
		return 0, errGivenUp
	}
	s.watch.Reset(s.store.cfg.Patient)
	return s.ReadCloser.Read(b)
}

// Close implements io.Closer.
func (s *sending) Close() error {
	s.watch.Stop()
	s.store.mu.Lock()
	if s.until.IsZero() {
		s.until = time.Now()
	}
	s.store.mu.Unlock()
	return s.ReadCloser.Close()
}

func (s *sending) giveUp() {
	s.given.Store(true)
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	delete(s.store.sendings, s)
}

// Sending returns the lowest index of the snapshots that are being sent, or have
// been within the last grace. False means that there is none.
func (f *Files) Sending(grace time.Duration) (lowest uint64, any bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.sendings {
		if !s.until.IsZero() && time.Since(s.until) > grace {
			delete(f.sendings, s)
			continue
		}
		if !any || s.index < lowest {
			lowest, any = s.index, true
		}
	}
	return lowest, any
}

// GiveUp ends what is being sent: the log cannot be kept for it any longer.
func (f *Files) GiveUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.sendings {
		s.given.Store(true)
		delete(f.sendings, s)
	}
}
