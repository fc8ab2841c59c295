package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo/bench/internal/report"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childCommand {
		os.Exit(serveChild())
	}
	os.Exit(m.Run())
}

// TestRunMeasuresAndWrites runs two cases of imdgo alone, in three processes,
// and writes all that can be written.
func TestRunMeasuresAndWrites(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	var stdout, stderr bytes.Buffer
	code := run([]string{"-systems", "imdgo", "-cases", "set/leader/1,get/follower/1", "-callers", "1", "-rounds", "1", "-duration", "40ms", "-keys", "100",
		"-json", path("r.json"), "-markdown", path("r.md"), "-svg", path("r.svg"), "-cpuprofile", "-memprofile", "-profiles", path("profiles")}, &stdout, &stderr)
	if code != exitFine {
		t.Fatalf("exit code %d:\n%s", code, &stderr)
	}
	f, err := os.Open(path("r.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := report.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"set/leader/1", "get/follower/1"} {
		if v, ok := r.Of(name, "imdgo", report.PerSecond); !ok || v <= 0 {
			t.Errorf("%s: %v, %v", name, v, ok)
		}
	}
	if len(r.Notes) > 0 {
		t.Errorf("notes: %q", r.Notes)
	}
	profiles, err := filepath.Glob(path("profiles/*.pprof"))
	if err != nil || len(profiles) != 2*2*3 {
		t.Errorf("profiles %q, %v", profiles, err)
	}
	if !strings.Contains(stdout.String(), "Local reads") {
		t.Errorf("printed:\n%s", &stdout)
	}
}

// TestRunThatIsInterruptedLeavesNothing: its directories are gone, and with
// them the children, which are waited for before.
func TestRunThatIsInterruptedLeavesNothing(t *testing.T) {
	var stderr bytes.Buffer
	dir := t.TempDir()
	s, err := parse([]string{"-dir", dir, "-systems", "imdgo", "-cases", "set/leader/1", "-duration", "1m"}, &stderr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
	defer cancel()
	if err := measure(ctx, s, &stderr, &stderr); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v\n%s", err, &stderr)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it has left %v, %v", left, err)
	}
}

func TestSenselessFlagsAreQuoted(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-systems imdgo,oracle", `"oracle"`}, {"-caches nocache", `"nocache"`}, {"-callers 0", `"0"`}, {"-callers x", `"x"`},
		{"-rounds 0", "-rounds 0"}, {"-duration 0s", "-duration 0s"}, {"extra", `"extra"`}, {"-keys 0", "-keys 0"},
	} {
		var stderr bytes.Buffer
		if code := run(strings.Fields(c.args), &stderr, &stderr); code != exitUsage || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%s: exit code %d, said %q", c.args, code, &stderr)
		}
	}
}
