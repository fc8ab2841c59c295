//go:build unix

package main

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// terminalSize returns the size of the terminal that f is; false if it is none.
func terminalSize(f *os.File) (width, height int, ok bool) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0, false
	}
	return int(size.Col), int(size.Row), true
}

// doze sleeps for less than the millisecond that time.Sleep takes at least in
// a process that has nothing else to do.
func doze(d time.Duration) {
	t := unix.NsecToTimeval(d.Nanoseconds())
	_, _ = unix.Select(0, nil, nil, nil, &t) // woken early is as good
}
