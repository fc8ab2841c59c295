//go:build !unix

package node

import (
	"os"
	"time"
)

// syncDirectory does nothing where a directory cannot be synced.
func syncDirectory(string) error { return nil }

// lockDirectory leaves it to the log's own lock.
func lockDirectory(dir string, _ time.Duration) (*os.File, error) { return os.Open(dir) }
