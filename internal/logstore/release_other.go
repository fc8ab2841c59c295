//go:build !unix

package logstore

import "os"

// release closes a file that bbolt may have left open, because it panicked.
func release(f *os.File) { _ = f.Close() }
