package snapshot

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// ErrUnknown is returned when a snapshot is asked for that the store does not
// have any more.
var ErrUnknown = errors.New("unknown snapshot")

// Cut is the state at one moment, to be written while it goes on changing.
type Cut interface {
	// Meta says which moment it is: index, term and configuration, exactly.
	Meta() (index, term uint64, configuration raft.Configuration, configurationIndex uint64)
	// Size is the exact size of what WriteTo writes.
	Size() int64
	WriteTo(io.Writer) (int64, error)
	// Abort makes WriteTo return err.
	Abort(err error)
	Close()
}

// Incoming takes a stream, and builds a state beside the one in use.
type Incoming interface {
	io.Writer
	// Close is an error unless the whole stream has come.
	Close() error
	// Cancel says that nothing will become of what has come. It is called for every
	// one that will not be restored, whether Close has been called or not.
	Cancel()
}

// Lazy is a raft.SnapshotStore for a node whose state is all in memory. Taking
// a snapshot leaves nothing but a mark, which lets raft trim its log. The bytes
// are made when a follower needs them, from the state of that moment, and are
// kept nowhere. A snapshot that is received is decoded as it comes.
//
// Raft's own InmemSnapshotStore publishes a snapshot before it is complete (a
// joiner restored 30,000 of 100,000 bytes and counted as caught up) and keeps
// a second copy of everything.
type Lazy struct {
	cut     func() (Cut, error)
	receive func(*raft.SnapshotMeta) Incoming
	stalled func() // closes the connections that a transfer may hang on
	patient time.Duration

	mu       sync.Mutex
	latest   *raft.SnapshotMeta // of the last mark, or of what was received last
	received map[string]received
	opened   Incoming // what Open was last asked for, until Received takes it
	coming   int      // sinks that streams are being written to
	count    int
}

// received is a snapshot that has come and is to be restored.
type received struct {
	in   Incoming
	meta *raft.SnapshotMeta
}

// NewLazy returns a store that cuts with cut and builds what comes with receive.
// When no byte of a transfer has come for patient, stalled is called.
func NewLazy(cut func() (Cut, error), receive func(*raft.SnapshotMeta) Incoming, stalled func(), patient time.Duration) *Lazy {
	return &Lazy{cut: cut, receive: receive, stalled: stalled, patient: patient, received: make(map[string]received)}
}

// Mark makes a sink's snapshot a mark. It is what raft.FSMSnapshot.Persist does.
func Mark(sink raft.SnapshotSink) error {
	s, ok := sink.(*lazySink)
	if !ok {
		return fmt.Errorf("%T is not a sink of a lazy store", sink)
	}
	s.mark = true
	return s.Close()
}

// Create implements raft.SnapshotStore.
func (l *Lazy) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	return &lazySink{store: l, meta: raft.SnapshotMeta{
		Version: version, ID: fmt.Sprintf("%d-%d-%d", term, index, l.count), Index: index, Term: term,
		Configuration: configuration, ConfigurationIndex: configurationIndex}}, nil
}

// List implements raft.SnapshotStore: there is the latest one, or none.
func (l *Lazy) List() ([]*raft.SnapshotMeta, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.latest == nil {
		return nil, nil
	}
	meta := *l.latest
	return []*raft.SnapshotMeta{&meta}, nil
}

// Open implements raft.SnapshotStore. What was received is for [Lazy.Received]
// to take. Anything else is a cut of this moment, with its own index.
func (l *Lazy) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	l.mu.Lock()
	if r, ok := l.received[id]; ok {
		defer l.mu.Unlock()
		delete(l.received, id)
		l.opened = r.in
		meta := *r.meta // a mark may have been made since: it is not the latest
		return &meta, io.NopCloser(noBytes{}), nil
	}
	if l.latest == nil || l.latest.ID != id {
		l.mu.Unlock()
		return nil, nil, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	version := l.latest.Version
	l.mu.Unlock()
	cut, err := l.cut()
	if err != nil {
		return nil, nil, fmt.Errorf("cutting the state: %w", err)
	}
	index, term, configuration, configurationIndex := cut.Meta()
	return &raft.SnapshotMeta{Version: version, ID: id, Index: index, Term: term, Configuration: configuration,
		ConfigurationIndex: configurationIndex, Size: cut.Size()}, newOutgoing(cut, l.patient), nil
}

type noBytes struct{}

func (noBytes) Read([]byte) (int, error) { return 0, io.EOF }

// Receiving reports whether a snapshot is coming. A mark that is made meanwhile
// would be of a state that is about to be replaced.
func (l *Lazy) Receiving() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.coming > 0 || len(l.received) > 0 || l.opened != nil
}

func (l *Lazy) arriving(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.coming += n
}

// Received returns what the last Open opened, once: the state that raft wants
// restored.
func (l *Lazy) Received() (Incoming, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := l.opened
	l.opened = nil
	return in, in != nil
}

// lazySink is a snapshot that is being taken or received.
type lazySink struct {
	store *Lazy
	meta  raft.SnapshotMeta
	mark  bool
	in    Incoming
	watch *time.Timer
}

// ID implements raft.SnapshotSink.
func (s *lazySink) ID() string { return s.meta.ID }

// Write takes the next bytes of a stream. Raft's main loop sits in the copying,
// without a time limit, so somebody has to end a transfer that stands still.
func (s *lazySink) Write(b []byte) (int, error) {
	if s.in == nil {
		s.in = s.store.receive(&s.meta)
		s.store.arriving(1)
		s.watch = time.AfterFunc(s.store.patient, s.store.stalled)
	}
	s.watch.Reset(s.store.patient)
	n, err := s.in.Write(b)
	s.meta.Size += int64(n)
	return n, err
}

// Close implements raft.SnapshotSink.
func (s *lazySink) Close() error {
	s.stopWatching()
	if s.in == nil && !s.mark {
		s.in = s.store.receive(&s.meta) // a stream without a byte is cut off
	}
	if s.in != nil {
		if err := s.in.Close(); err != nil {
			s.in.Cancel()
			return fmt.Errorf("receiving snapshot %s: %w", s.meta.ID, err)
		}
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.latest = &s.meta
	if s.in != nil {
		s.store.received[s.meta.ID] = received{s.in, &s.meta}
	}
	return nil
}

// Cancel implements raft.SnapshotSink. What has come is forgotten.
func (s *lazySink) Cancel() error {
	s.stopWatching()
	if s.in != nil {
		s.in.Cancel()
	}
	s.in = nil
	return nil
}

func (s *lazySink) stopWatching() {
	if s.watch != nil {
		s.watch.Stop()
		s.watch = nil
		s.store.arriving(-1)
	}
}

// errStalled is what a transfer fails with that nobody has read from for too long.
var errStalled = errors.New("nobody has read from the snapshot for too long")

// outgoing is a cut on its way to a follower.
type outgoing struct {
	*io.PipeReader
	cut     Cut
	watch   *time.Timer
	patient time.Duration
	done    chan struct{}
	once    sync.Once
}

func newOutgoing(cut Cut, patient time.Duration) *outgoing {
	r, w := io.Pipe()
	o := &outgoing{PipeReader: r, cut: cut, patient: patient, done: make(chan struct{})}
	o.watch = time.AfterFunc(patient, func() {
		cut.Abort(errStalled)
		_ = r.CloseWithError(errStalled) // never fails
	})
	go func() {
		defer close(o.done)
		_, err := cut.WriteTo(w)
		_ = w.CloseWithError(err) // nil is io.EOF; never fails
	}()
	return o
}

// Read implements io.Reader.
func (o *outgoing) Read(b []byte) (int, error) {
	o.watch.Reset(o.patient)
	return o.PipeReader.Read(b)
}

// Close implements io.Closer. It waits for the cut's writer.
func (o *outgoing) Close() error {
	o.once.Do(func() {
		o.watch.Stop()
		_ = o.PipeReader.Close() // never fails
		<-o.done
		o.cut.Close()
	})
	return nil
}
