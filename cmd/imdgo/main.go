// Command imdgo shows the library at work: `imdgo demo` starts three processes
// that form a cluster on this machine, kills one of them, starts it again, writes
// another three past their memory budget, and measures what it claims.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

const usage = `imdgo is a replicated, TTL-aware, in-memory cache that lives inside a Go program.
This command shows it at work.

Usage:

	imdgo demo       three processes become a cluster: what is set on one is read on
	                 the others, an entry expires, the leader is killed with
	                 SIGKILL under load, and comes back with nothing and catches
	                 up, and three with little memory are written full. Checks
	                 every claim it makes: the exit code is 1 if one of them was
	                 false. Takes about seventeen seconds.
	imdgo version    the version of this build
	imdgo help       this text

The environment variable NO_COLOR turns colours off; where the output is not a
terminal there are none, and nothing moves.
`

// Exit codes.
const (
	exitFine        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// limit is when a demo that has not ended is ended, and hardLimit when the
// process ends even if it cannot say so any more.
const (
	limit     = 27 * time.Second
	hardLimit = 29 * time.Second
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	command := "help"
	if len(args) > 0 {
		command = args[0]
	}
	switch command {
	case "demo":
		return runDemo(stdout, stderr)
	case childCommand:
		signal.Ignore(os.Interrupt) // Ctrl-C is for the parent, which ends this process
		return serveChild(os.Stdin, stdout)
	case "version", "-version", "--version":
		fmt.Fprintln(stdout, "imdgo", version())
		return exitFine
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return exitFine
	}
	fmt.Fprintf(stderr, "imdgo: there is no command %q\n\n%s", command, usage)
	return exitUsage
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	return info.Main.Version + " " + info.GoVersion
}

var errTooLong = fmt.Errorf("the demo has not ended within %v", limit)

func runDemo(stdout, stderr io.Writer) int {
	time.AfterFunc(hardLimit, func() { os.Exit(exitFailed) })
	signalled, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(signalled, limit, errTooLong)
	defer cancel()

	exe, err := os.Executable()
	if err != nil {
		fmt.Fprintln(stderr, "imdgo: finding this program, to start it as a node:", err)
		return exitFailed
	}
	d := newDemo(newScreen(stdout), []string{exe, childCommand})
	err = d.run(ctx)
	switch {
	case signalled.Err() != nil:
		fmt.Fprintln(stderr, "imdgo: interrupted, the nodes are gone")
		return exitInterrupted
	case err != nil:
		fmt.Fprintln(stderr, "imdgo:", err)
		d.nodeLogs(stderr)
		return exitFailed
	case !d.claims.hold():
		d.nodeLogs(stderr)
		return exitFailed
	}
	return exitFine
}
