package snapshot

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

const (
	// retained is how many snapshots are kept: if the newest one cannot be read,
	// the one before it and the log will do.
	retained = 2
	// unfinished is what raft ends the name of a snapshot with that it is writing.
	unfinished = ".tmp"
)

// Files is a raft.SnapshotStore for a node that keeps its state on disk: raft's
// own, in the directory "snapshots" below another. What is received is built
// into a state while it is written, so that a damaged stream is refused before
// it counts as a snapshot.
type Files struct {
	*raft.FileSnapshotStore
	FilesConfig
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

// loaded is a snapshot whose state has been built.
type loaded struct {
	meta *raft.SnapshotMeta
	in   Incoming
}

// Log is what is left of a node's log: the first and the last index, 0 for none,
// and up to where a snapshot was finished, which the log need not go back beyond.
type Log struct{ First, Last, Reached uint64 }

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
	f := &Files{FileSnapshotStore: store, FilesConfig: c, dir: filepath.Join(c.Dir, "snapshots"),
		received: make(map[string]Incoming), sendings: make(map[*sending]bool)}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.dir, err)
	}
	return f, nil
}

// Load builds the state of the newest snapshot that can be read and from which
// the log leads to where the node was. Without one, the log must begin at the
// beginning. It is called once, before raft starts.
func (f *Files) Load(log Log) (Newest, error) {
	reached, damage := f.tidy()
	reached = max(reached, log.Reached)
	metas, err := f.FileSnapshotStore.List()
	if err != nil {
		return Newest{}, fmt.Errorf("%s: %w", f.dir, err)
	}
	for _, meta := range metas {
		if meta.Index < reached && (log.First == 0 || log.First > meta.Index+1 || log.Last < reached) {
			damage = append(damage, fmt.Errorf("snapshot %s is older, and the log has entries %d to %d", meta.ID, log.First, log.Last))
			continue
		}
		in, err := f.load(meta)
		if err != nil {
			damage = append(damage, err)
			continue
		}
		f.boot = &loaded{meta, in}
		f.latest = Newest{meta.Index, meta.Term, meta.Size - labelSize}
		f.damage = errors.Join(damage...)
		return f.latest, errors.Join(f.removeAbove(meta.Index), f.removeForeign())
	}
	if len(metas) > 0 || reached > log.Last || log.First > 1 {
		damage = append(damage, fmt.Errorf("%s: no snapshot can be read, and the log has entries %d to %d", f.dir, log.First, log.Last))
		return Newest{}, fmt.Errorf("%w: %w", ErrDamaged, errors.Join(damage...))
	}
	return Newest{}, nil
}

// Damage is what was wrong with newer snapshots than the one that Load has
// built, nil if nothing was.
func (f *Files) Damage() error { return f.damage }

// tidy removes what was being written when the process ended, and returns how
// far the snapshots reach, by their names: one whose description cannot be read
// is not listed.
func (f *Files) tidy() (reached uint64, damage []error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return 0, []error{err}
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), unfinished) {
			if err := os.RemoveAll(filepath.Join(f.dir, e.Name())); err != nil {
				damage = append(damage, err)
			}
			continue
		}
		reached = max(reached, indexOf(e.Name()))
	}
	return reached, damage
}

// indexOf is the index in the name of a snapshot, term-index-time; 0: it is of
// something else.
func indexOf(name string) uint64 {
	parts := strings.Split(name, "-")
	if len(parts) != 3 {
		return 0
	}
	index, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		return 0
	}
	return index
}

// removeAbove removes the snapshots that could not be read: a follower would be
// sent them, and the log has all that is in them.
func (f *Files) removeAbove(index uint64) error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if indexOf(e.Name()) > index {
			err = errors.Join(err, os.RemoveAll(filepath.Join(f.dir, e.Name())))
		}
	}
	return err
}

// removeForeign removes the snapshots whose description does not say that it is
// theirs: raft would remove what it names instead when the snapshot is too old,
// or all of them if it names none (raft 1.8.0).
func (f *Files) removeForeign() error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(f.dir, e.Name())
		if id, ok := idIn(path); ok && id != e.Name() {
			f.Log.Warn("removing a damaged snapshot", "path", path, "says", id)
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	return err
}

// idIn is who a snapshot says it is, false if nothing can be read: raft leaves
// that alone.
func idIn(path string) (id string, ok bool) {
	from, err := os.Open(filepath.Join(path, "meta.json"))
	if err != nil {
		return "", false
	}
	defer from.Close() // it was only read
	var meta struct{ ID string }
	err = json.NewDecoder(from).Decode(&meta)
	return meta.ID, err == nil
}

// load builds the state of a snapshot.
func (f *Files) load(meta *raft.SnapshotMeta) (Incoming, error) {
	path := filepath.Join(f.dir, meta.ID)
	if !strings.HasPrefix(meta.ID, fmt.Sprintf("%d-%d-", meta.Term, meta.Index)) {
		return nil, fmt.Errorf("%s: it says that it is of term %d, index %d", filepath.Join(path, "meta.json"), meta.Term, meta.Index)
	}
	state := filepath.Join(path, "state.bin")
	_, from, err := f.FileSnapshotStore.Open(meta.ID)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", state, err)
	}
	defer from.Close() // it was only read
	if err := readLabel(from, meta, f.Cluster()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	in := f.Receive(meta)
	n, err := io.Copy(in, from)
	if err == nil {
		err = in.Close()
	}
	if err == nil && n+labelSize != meta.Size {
		err = fmt.Errorf("it has %d bytes, and should have %d", n+labelSize, meta.Size)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", state, err)
	}
	return in, nil
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
	if ok {
		f.opened = in
	}
	f.mu.Unlock()
	meta, from, err := f.FileSnapshotStore.Open(id)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", filepath.Join(f.dir, id), err)
	}
	if ok {
		return meta, io.NopCloser(noBytes{}), from.Close()
	}
	if err := readLabel(from, meta, f.Cluster()); err != nil {
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
	if _, err := sink.Write(label(&s.meta, f.Cluster())); err != nil {
		return nil, errors.Join(err, sink.Cancel())
	}
	return s, nil
}

// Persist writes a cut to a sink of Files. It is what raft.FSMSnapshot.Persist does.
func Persist(sink raft.SnapshotSink, cut io.WriterTo) error {
	s, ok := sink.(*fileSink)
	if !ok {
		return fmt.Errorf("%T is not a sink of a file store", sink)
	}
	s.own = true
	if _, err := cut.WriteTo(s); err != nil {
		return errors.Join(fmt.Errorf("writing snapshot %s: %w", s.meta.ID, err), s.Cancel())
	}
	return s.Close()
}

// fileSink is a snapshot that is being taken or received.
type fileSink struct {
	raft.SnapshotSink
	store  *Files
	meta   raft.SnapshotMeta
	own    bool // it is this node's state
	in     Incoming
	watch  *time.Timer
	closed bool
}

// Write takes the next bytes of a stream. See lazySink.Write.
func (s *fileSink) Write(b []byte) (int, error) {
	if !s.own {
		if s.in == nil {
			s.in = s.store.Receive(&s.meta)
			s.watch = time.AfterFunc(s.store.Patient, s.store.Stalled)
		}
		s.watch.Reset(s.store.Patient)
		if n, err := s.in.Write(b); err != nil {
			return n, err
		}
	}
	n, err := s.SnapshotSink.Write(b)
	s.meta.Size += int64(n)
	return n, err
}

func (s *fileSink) unwatch() {
	if s.watch != nil {
		s.watch.Stop()
	}
}

// Close implements raft.SnapshotSink. Raft closes what Persist has closed once more.
func (s *fileSink) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	s.unwatch()
	if !s.own {
		if s.in == nil {
			s.in = s.store.Receive(&s.meta) // nothing came: it will say so
		}
		if err := s.in.Close(); err != nil {
			return errors.Join(fmt.Errorf("receiving snapshot %s: %w", s.meta.ID, err), s.SnapshotSink.Cancel())
		}
	}
	if err := s.SnapshotSink.Close(); err != nil {
		return err
	}
	if err := s.store.Reached(s.meta.Index); err != nil {
		return fmt.Errorf("snapshot %s: %w", s.meta.ID, err)
	}
	s.store.keep(s)
	return nil
}

// Cancel implements raft.SnapshotSink.
func (s *fileSink) Cancel() error {
	if s.closed {
		return nil
	}
	s.closed = true
	s.unwatch()
	return s.SnapshotSink.Cancel()
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
