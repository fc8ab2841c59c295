// Command bench runs imdgo and its peers side by side: in one run, on the same
// work, one at a time. See README.md for what is measured and how.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/inelpandzic/imdgo/bench/internal/local"
	"github.com/inelpandzic/imdgo/bench/internal/node"
	"github.com/inelpandzic/imdgo/bench/internal/process"
	"github.com/inelpandzic/imdgo/bench/internal/report"
	"github.com/inelpandzic/imdgo/bench/internal/suite"
)

// childCommand is the hidden command that makes a process a child of a run.
const childCommand = "bench-child"

// Exit codes.
const (
	exitFine        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == childCommand {
		os.Exit(serveChild())
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	if err != nil {
		return exitUsage // the flags' package has said why
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if s.from != "" {
		err = redraw(s, stdout)
	} else {
		err = measure(ctx, s, stdout, stderr)
	}
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "bench: interrupted, the children are gone")
		return exitInterrupted
	case err != nil:
		fmt.Fprintln(stderr, "bench:", err)
		return exitFailed
	}
	return exitFine
}

// measure runs it all, and says what came of it, also if it ended early.
func measure(ctx context.Context, s settings, stdout, stderr io.Writer) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program, to start it as a node: %w", err)
	}
	s.options.Command, s.options.Progress = []string{exe, childCommand}, stderr
	r := begin(s)
	err = suite.Do(ctx, s.options, r)
	r.Took = time.Since(r.Begun)
	if writeErr := write(s, r, stdout); writeErr != nil {
		return writeErr
	}
	return err
}

// redraw writes the tables and the picture of an earlier run.
func redraw(s settings, stdout io.Writer) error {
	in, err := os.Open(s.from)
	if err != nil {
		return err
	}
	defer in.Close()
	r, err := report.Read(in)
	if err != nil {
		return fmt.Errorf("reading %s: %w", s.from, err)
	}
	return write(s, r, stdout)
}

// write prints the tables, and writes the files that are asked for.
func write(s settings, r *report.Report, stdout io.Writer) error {
	if err := report.Text(stdout, r); err != nil {
		return err
	}
	for _, f := range []struct {
		path  string
		write func(io.Writer) error
	}{
		{s.json, r.JSON},
		{s.svg, func(w io.Writer) error { return report.SVG(w, r) }},
	} {
		if f.path == "" {
			continue
		}
		if err := writeFile(f.path, f.write); err != nil {
			return fmt.Errorf("writing %s: %w", f.path, err)
		}
	}
	if s.markdown == "" {
		return nil
	}
	return writeMarkdown(s.markdown, r)
}

// writeMarkdown writes the tables into a file: between its marks if it has
// them, or as all there is.
func writeMarkdown(path string, r *report.Report) error {
	var tables strings.Builder
	if err := report.Markdown(&tables, r); err != nil {
		return err
	}
	text := tables.String()
	if old, err := os.ReadFile(path); err == nil {
		text = report.Between(string(old), text)
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return writeFile(path, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		_ = f.Close() // it is of no use
		return err
	}
	return f.Close()
}

// serveChild answers the parent until it is gone, and leaves nothing behind.
func serveChild() int {
	signal.Ignore(os.Interrupt) // Ctrl-C is for the parent, which ends this process
	out := os.Stdout
	os.Stdout = os.Stderr // for libraries that print: the protocol has the other
	nodes, cache := node.NewHost(), new(local.Host)
	handlers := nodes.Handlers()
	for op, h := range cache.Handlers() {
		handlers[op] = h
	}
	err := process.Serve(os.Stdin, out, handlers)
	const patience = 3 * time.Second // some systems take longer to end than anybody waits
	time.AfterFunc(patience, func() { os.Exit(exitFailed) })
	if closeErr := nodes.Close(); err != nil || closeErr != nil {
		return exitFailed
	}
	return exitFine
}
