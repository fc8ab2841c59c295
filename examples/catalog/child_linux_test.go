package main

import (
	"os/exec"
	"syscall"
)

// tie makes the kernel kill a child when the test binary dies without having
// cleaned up.
func tie(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
