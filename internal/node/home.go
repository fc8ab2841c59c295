package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/inelpandzic/imdgo/internal/logstore"
	"github.com/inelpandzic/imdgo/internal/wire"
)

// homeBusy is how long another process may still be using a data directory: one
// that is being closed takes up to a second.
const homeBusy = 2 * time.Second

// home is a node's data directory:
//
//	identity    who the node is, see identity
//	raft.db     the log and the votes, and a witness of how far they have gone
//	snapshots/  the states that the log begins from
//
// A node that forgot a vote, or an entry that it said it has, could lose what
// others count as safe. So who it is and what it remembers go together:
//
//   - A new life writes an identity without a cluster first, which says that
//     nothing else in the directory counts, then removes what there is, then
//     makes raft.db, and raft starts. After a crash on the way the next process
//     finds no cluster and begins another life.
//   - The cluster is added before anybody of that cluster may talk raft to this
//     life, so a vote of it is never in a raft.db that does not count. It is added
//     to raft.db first, so that a directory of files of two clusters is found out.
//   - An identity with a cluster and no raft.db, or one of another incarnation,
//     is an error, and so is a raft.db without an identity.
//   - Leave ends like a new life begins, and removes the identity last.
type home struct {
	dir  string
	name string
	lock *os.File

	mu      sync.Mutex // guards all below, and is held while they are written
	inc     wire.Incarnation
	cluster wire.ClusterID // 0: a new life is to begin
}

func (h *home) identityPath() string  { return filepath.Join(h.dir, "identity") }
func (h *home) logPath() string       { return filepath.Join(h.dir, "raft.db") }
func (h *home) snapshotsPath() string { return filepath.Join(h.dir, "snapshots") }

// openHome opens a data directory, or makes it, for the node that others dial
// as name.
func openHome(dir, name string) (*home, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	lock, err := lockDirectory(dir, homeBusy)
	if err != nil {
		return nil, err
	}
	h := &home{dir: dir, name: name, lock: lock}
	if err := h.read(); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

func (h *home) close() error { return h.lock.Close() }

// read finds out whose the directory is.
func (h *home) read() error {
	id, err := readIdentity(h.identityPath())
	if errors.Is(err, fs.ErrNotExist) {
		return h.expectEmpty()
	}
	if err != nil {
		return err
	}
	if id.Name != h.name {
		return fmt.Errorf("data directory %s: it is of the node %s, and this one is %s", h.dir, id.Name, h.name)
	}
	h.inc, h.cluster, err = id.who()
	return err
}

func (h *home) expectEmpty() error {
	for _, path := range []string{h.logPath(), h.snapshotsPath()} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %s is there, and %s is not, which says whose it is", errDamaged, path, h.identityPath())
		}
	}
	return nil
}

// whose returns the life that the directory is of. If that had no cluster,
// another one begins.
func (h *home) whose() (wire.Incarnation, wire.ClusterID, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cluster == 0 {
		if err := h.begin(); err != nil {
			return 0, 0, err
		}
	}
	return h.inc, h.cluster, nil
}

// renounce says that the life in the directory has ended. The next begins with whose.
func (h *home) renounce() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cluster = 0
}

// begin makes a new life of the directory, with nothing of the former one.
func (h *home) begin() error {
	h.inc, h.cluster = wire.NewIncarnation(), 0
	if err := identityOf(h.name, h.inc, 0).write(h.identityPath()); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return h.drop()
}

func (h *home) drop() error {
	err := errors.Join(logstore.Remove(h.logPath()), os.RemoveAll(h.snapshotsPath()), syncDirectory(h.dir))
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}

// attach adds the cluster of a life. When it returns, that is on disk.
func (h *home) attach(inc wire.Incarnation, cluster wire.ClusterID) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if inc != h.inc {
		return fmt.Errorf("data directory %s: incarnation %s has ended", h.dir, inc)
	}
	if err := identityOf(h.name, h.inc, cluster).write(h.identityPath()); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	h.cluster = cluster
	return nil
}

// forget leaves nothing in the directory. The life has ended.
func (h *home) forget() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.begin(); err != nil {
		return err
	}
	if err := os.Remove(h.identityPath()); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return syncDirectory(h.dir)
}
