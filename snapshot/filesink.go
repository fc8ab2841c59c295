package snapshot

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"
)

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
			s.in = s.store.cfg.Receive(&s.meta)
			s.watch = time.AfterFunc(s.store.cfg.Patient, s.store.cfg.Stalled)
		}
		s.watch.Reset(s.store.cfg.Patient)
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
			s.in = s.store.cfg.Receive(&s.meta) // nothing came: it will say so
		}
		if err := s.in.Close(); err != nil {
			s.in.Cancel()
			return errors.Join(fmt.Errorf("receiving snapshot %s: %w", s.meta.ID, err), s.SnapshotSink.Cancel())
		}
	}
	if err := s.finish(); err != nil {
		if s.in != nil {
			s.in.Cancel()
		}
		return err
	}
	s.store.keep(s)
	return nil
}

func (s *fileSink) finish() error {
	if err := s.SnapshotSink.Close(); err != nil {
		return err
	}
	if err := s.store.cfg.Reached(s.meta.Index); err != nil {
		return fmt.Errorf("snapshot %s: %w", s.meta.ID, err)
	}
	return nil
}

// Cancel implements raft.SnapshotSink.
func (s *fileSink) Cancel() error {
	if s.closed {
		return nil
	}
	s.closed = true
	s.unwatch()
	if s.in != nil {
		s.in.Cancel()
	}
	return s.SnapshotSink.Cancel()
}
