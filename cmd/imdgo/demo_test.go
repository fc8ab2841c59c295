package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain makes the test binary a node when the demo starts it as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == childCommand || os.Args[1] == "demo") {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func self(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// TestDemo plays the whole demo, with processes of the test binary.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seventeen seconds")
	}
	t.Parallel()
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, errTooLong)
	defer cancel()
	var out bytes.Buffer
	d := newDemo(newScreen(&out), []string{self(t), childCommand})
	err := d.run(ctx)
	t.Logf("%s", &out)
	if err != nil {
		var logs strings.Builder
		d.nodeLogs(&logs)
		t.Fatal(err, logs.String())
	}
	if !d.claims.hold() {
		t.Errorf("false: %q", d.claims.false)
	}
	if text := out.String(); strings.ContainsAny(text, "\x1b\r") {
		t.Error("control codes in plain output")
	}
	for _, p := range d.nodes {
		select {
		case <-p.gone:
		default:
			t.Errorf("%s has outlived the demo", p.name)
		}
	}
}

// TestNodeEndsWithItsParent: the pipe to its standard input ends when the
// parent dies.
func TestNodeEndsWithItsParent(t *testing.T) {
	t.Parallel()
	p, err := startProcess("node", []string{self(t), childCommand})
	if err != nil {
		t.Fatal(err)
	}
	defer p.kill()
	addrs, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := ask[nothing](ctx, p, opStats, nil); err == nil {
		t.Error("stats before start")
	}
	if _, err := ask[nothing](ctx, p, opStart, startArgs{Members: addrs, Bind: addrs[0]}); err != nil {
		t.Fatal(err)
	}
	if _, err := ask[nothing](ctx, p, opReady, nil); err != nil {
		t.Fatal(err)
	}
	if err := p.in.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.gone:
	case <-ctx.Done():
		t.Fatal("the node lives on without its parent")
	}
	if _, err := ask[nothing](ctx, p, opStats, nil); err == nil {
		t.Error("a node that is gone answers")
	}
}

// TestTakenPort: what a node says of its start reaches the parent.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	p, err := startProcess("node", []string{self(t), childCommand})
	if err != nil {
		t.Fatal(err)
	}
	defer p.kill()
	_, err = ask[nothing](t.Context(), p, opStart, startArgs{Members: []string{"256.256.256.256:x"}, Bind: "127.0.0.1:0"})
	if err == nil || !strings.Contains(err.Error(), "256.256.256.256:x") {
		t.Errorf("start with a wrong member: %v", err)
	}
}

func TestCommands(t *testing.T) {
	for _, test := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{nil, exitFine, "imdgo demo", ""},
		{[]string{"help"}, exitFine, "imdgo demo", ""},
		{[]string{"version"}, exitFine, "imdgo ", ""},
		{[]string{"dmeo"}, exitUsage, "", `no command "dmeo"`},
	} {
		var stdout, stderr bytes.Buffer
		code := run(test.args, &stdout, &stderr)
		if code != test.code || !strings.Contains(stdout.String(), test.stdout) || !strings.Contains(stderr.String(), test.stderr) {
			t.Errorf("imdgo %q: exit code %d, wrote %q and %q", test.args, code, &stdout, &stderr)
		}
	}
}
