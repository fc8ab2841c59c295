package logstore

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// ErrDamaged is returned when a file is not what this package wrote.
var ErrDamaged = errors.New("damaged log")

// ErrNotStored is returned when entries are not in the log and never will be
// because of this call: the disk is full, say.
var ErrNotStored = errors.New("not stored")

// guarded runs f, and makes an error of a panic and of reading where nothing is
// mapped: bbolt follows numbers that it finds in the file.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return f()
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}
