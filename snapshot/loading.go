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

	"github.com/hashicorp/raft"
)

// unfinished is what raft ends the name of a snapshot with that it is writing.
const unfinished = ".tmp"

// loaded is a snapshot whose state has been built.
type loaded struct {
	meta *raft.SnapshotMeta
	in   Incoming
}

// Log is what is left of a node's log: the first and the last index, 0 for none,
// and up to where a snapshot was finished, which the log need not go back beyond.
type Log struct{ First, Last, Reached uint64 }

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
			f.cfg.Log.Warn("removing a damaged snapshot", "path", path, "says", id)
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
	if err := readLabel(from, meta, f.cfg.Cluster()); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	in := f.cfg.Receive(meta)
	n, err := io.Copy(in, from)
	if err == nil {
		err = in.Close()
	}
	if err == nil && n+labelSize != meta.Size {
		err = fmt.Errorf("it has %d bytes, and should have %d", n+labelSize, meta.Size)
	}
	if err != nil {
		in.Cancel()
		return nil, fmt.Errorf("%s: %w", state, err)
	}
	return in, nil
}
