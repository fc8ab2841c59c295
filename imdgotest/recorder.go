package imdgotest

import (
	"bytes"
	"log/slog"
	"sync"
	"testing"
)

// recordedLines is how much of a cluster's log is kept: the end of it.
const recordedLines = 4000

// recorder keeps the last lines that the nodes logged, to be shown when the test fails. What a test
// that passes has logged is of no use to anybody.
type recorder struct {
	handler slog.Handler

	mu    sync.Mutex // guards all below
	lines [][]byte   // a ring once it is full
	next  int
}

func newRecorder() *recorder {
	r := &recorder{}
	r.handler = slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug})
	return r
}

// logger returns what a node logs to.
func (r *recorder) logger(node string) *slog.Logger { return slog.New(r.handler).With("node", node) }

// Write keeps one line. The handler calls it once for each, and not concurrently with itself.
func (r *recorder) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := bytes.Clone(bytes.TrimSpace(line))
	if len(r.lines) < recordedLines {
		r.lines = append(r.lines, kept)
	} else {
		r.lines[r.next] = kept
		r.next = (r.next + 1) % recordedLines
	}
	return len(line), nil
}

// show writes everything that was kept to the test's log, in one piece.
func (r *recorder) show(t testing.TB) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var all bytes.Buffer
	for i := range r.lines {
		all.Write(r.lines[(r.next+i)%len(r.lines)])
		all.WriteByte('\n')
	}
	t.Logf("the last %d lines of the nodes' logs:\n%s", len(r.lines), all.Bytes())
}
