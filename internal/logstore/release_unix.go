//go:build unix

package logstore

import (
	"os"

	"golang.org/x/sys/unix"
)

// release closes a file that bbolt may have left open, because it panicked. Its
// lock would outlast that, since its mapping is a reference to it.
func release(f *os.File) {
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Flock(int(fd), unix.LOCK_UN) }) // fails where it is closed
	}
	_ = f.Close() // the same
}
