//go:build !linux

package node

import "time"

// SystemClock is the machine's own clock.
type SystemClock struct{}

// Now implements Clock.
func (SystemClock) Now() time.Time { return time.Now() }

// Elapsed implements Clock. Here it does not count the time that the machine
// is suspended: until the next stamp, entries are seen that much longer.
func (SystemClock) Elapsed() time.Duration { return time.Since(start) }

var start = time.Now()
