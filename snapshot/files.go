package snapshot

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// retained is how many snapshots are kept: if the newest one cannot be read, the
// one before it and the log will do.
const retained = 2

// Files is a raft.SnapshotStore for a node that keeps its state on disk: raft's
// own, in the directory "snapshots" below another. What is received is built
// into a state while it is written, so that a damaged stream is refused before
// it counts as a snapshot.
type Files struct {
	*raft.FileSnapshotStore
	cfg FilesConfig
	dir string

	mu       sync.Mutex
	latest   Newest
	damage   error
	boot     *loaded // what the node begins with, until raft has opened it
	started  bool    // raft has
	received map[string]Incoming
	opened   Incoming // what Open was last asked for, until Received takes it
	sendings map[*sending]bool
}

// Newest is the newest snapshot, all zero if there is none.
type Newest struct {
	Index, Term uint64
	Size        int64
}

// FilesConfig is what a Files is made of.
type FilesConfig struct {
	Dir     string        // the snapshots are in one below it
	Cluster func() uint64 // whose they are
	Receive func(*raft.SnapshotMeta) Incoming
	Reached func(index uint64) error // called when one has been finished, before raft trims its log
	Stalled func()                   // closes the connections that a transfer may hang on
	Patient time.Duration            // how long one may stand still
	Log     hclog.Logger
}

// NewFiles returns a store.
func NewFiles(c FilesConfig) (*Files, error) {
	store, err := raft.NewFileSnapshotStoreWithLogger(c.Dir, retained, c.Log)
	f := &Files{FileSnapshotStore: store, cfg: c, dir: filepath.Join(c.Dir, "snapshots"),
		received: make(map[string]Incoming), sendings: make(map[*sending]bool)}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.dir, err)
	}
	return f, nil
}

// Started tells the store that raft has taken what Load has built.
func (f *Files) Started() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.started, f.boot = true, nil
}

// Newest returns the newest snapshot.
func (f *Files) Newest() Newest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.latest
}

// List implements raft.SnapshotStore. Before raft has started there is what
// Load has built, or nothing.
func (f *Files) List() ([]*raft.SnapshotMeta, error) {
	f.mu.Lock()
	started, boot := f.started, f.boot
	f.mu.Unlock()
	switch {
	case started:
		return f.FileSnapshotStore.List()
	case boot != nil:
		return []*raft.SnapshotMeta{boot.meta}, nil
	}
	return nil, nil
}

// Open implements raft.SnapshotStore. What has been built is for [Files.Received]
// to take; anything else is on its way to a follower.
func (f *Files) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	f.mu.Lock()
	in, ok := f.received[id]
	delete(f.received, id)
	if f.boot != nil && f.boot.meta.ID == id {
		in, ok = f.boot.in, true
	}
	f.mu.Unlock()
	meta, from, err := f.FileSnapshotStore.Open(id)
	if err != nil {
		if ok {
			in.Cancel()
		}
		return nil, nil, fmt.Errorf("%s: %w", filepath.Join(f.dir, id), err)
	}
	if ok {
		f.mu.Lock()
		f.opened = in
		f.mu.Unlock()
		return meta, io.NopCloser(noBytes{}), from.Close()
	}
	if err := readLabel(from, meta, f.cfg.Cluster()); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", filepath.Join(f.dir, id), err), from.Close())
	}
	meta.Size -= labelSize // of the stream, which is all that a follower gets
	return meta, f.send(meta, from), nil
}

// Received returns what the last Open opened, once: the state that raft wants restored.
func (f *Files) Received() (Incoming, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	in := f.opened
	f.opened = nil
	return in, in != nil
}

// Create implements raft.SnapshotStore.
func (f *Files) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, transport raft.Transport) (raft.SnapshotSink, error) {
	if err := f.removeForeign(); err != nil {
		return nil, err
	}
	sink, err := f.FileSnapshotStore.Create(version, index, term, configuration, configurationIndex, transport)
	if err != nil {
		return nil, err
	}
	s := &fileSink{SnapshotSink: sink, store: f, meta: raft.SnapshotMeta{Version: version, ID: sink.ID(),
		Index: index, Term: term, Configuration: configuration, ConfigurationIndex: configurationIndex}}
	if _, err := sink.Write(label(&s.meta, f.cfg.Cluster())); err != nil {
		return nil, errors.Join(err, sink.Cancel())
	}
	return s, nil
}

func (f *Files) keep(s *fileSink) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latest = Newest{s.meta.Index, s.meta.Term, s.meta.Size}
	if !s.own {
		clear(f.received) // what was received before is out of date
		f.received[s.meta.ID] = s.in
	}
}
