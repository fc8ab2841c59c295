//go:build !unix

package main

import (
	"os"
	"time"
)

// terminalSize knows no terminals on this system: the output is plain lines.
func terminalSize(*os.File) (width, height int, ok bool) { return 0, 0, false }

// doze sleeps as shortly as it can.
func doze(d time.Duration) { time.Sleep(d) }
