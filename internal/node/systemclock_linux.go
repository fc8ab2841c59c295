package node

import (
	"time"

	"golang.org/x/sys/unix"
)

// SystemClock is the machine's own clock.
type SystemClock struct{}

// Now implements Clock.
func (SystemClock) Now() time.Time { return time.Now() }

// Elapsed implements Clock by CLOCK_BOOTTIME, which counts the time that the
// machine is suspended; CLOCK_MONOTONIC, which Go's time is read from, does not.
func (SystemClock) Elapsed() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return time.Since(start) // a kernel older than 2.6.39
	}
	return time.Duration(t.Nano())
}

var start = time.Now()
