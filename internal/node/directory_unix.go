//go:build unix

package node

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockPause is between two attempts to lock a directory.
const lockPause = 20 * time.Millisecond

// syncDirectory makes what has been created, renamed and removed in a directory last.
func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lockDirectory keeps other processes from the directory until the lock is closed.
// The log's own lock is no help while the log is being removed.
func lockDirectory(dir string, patience time.Duration) (*os.File, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(patience); ; time.Sleep(lockPause) {
		err = unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return d, nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			return nil, errors.Join(fmt.Errorf("locking %s: %w", dir, err), d.Close())
		case time.Now().After(end):
			return nil, errors.Join(fmt.Errorf("data directory %s: another process is using it", dir), d.Close())
		}
	}
}
