//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// TestInterrupt: a demo that is interrupted takes its nodes with it.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, self(t), "demo")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	pid := regexp.MustCompile(`process (\d+)`)
	interrupted := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		for _, m := range pid.FindAllStringSubmatch(lines.Text(), -1) {
			n, _ := strconv.Atoi(m[1])
			pids = append(pids, n)
		}
		if len(pids) == size && !interrupted {
			interrupted = true
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d (%v), wrote %s", code, err, &stderr)
	}
	if len(pids) != size {
		t.Fatalf("processes %v", pids)
	}
	for _, n := range pids {
		if err := syscall.Kill(n, 0); err != syscall.ESRCH {
			t.Errorf("process %d is still there: %v", n, err)
		}
	}
}
