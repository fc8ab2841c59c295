// Command catalog is a small HTTP service with imdgo inside. It once had a
// local cache in front of a slow store; README.md shows what became of it.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/inelpandzic/imdgo"
)

const (
	// cacheTimeout bounds whatever may leave the process. It is how long a
	// request waits for a new leader before it is answered with a 503.
	cacheTimeout = 2 * time.Second
	// drainTimeout is how long requests that are under way may take when the
	// service is told to end.
	drainTimeout = 5 * time.Second
)

type config struct {
	http    string
	node    string
	members string
	store   time.Duration
}

func main() {
	var c config
	flag.StringVar(&c.http, "http", "localhost:8080", "`address` to serve HTTP on")
	flag.StringVar(&c.node, "node", "", "`address` of this instance among the members")
	flag.StringVar(&c.members, "members", "", "addresses of all instances, separated by `commas`; none: this one alone")
	flag.DurationVar(&c.store, "store", 200*time.Millisecond, "how long a read of the store takes")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if err := run(ctx, c); err != nil {
		slog.Error("catalog ended", "error", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, c config) (err error) {
	cache, err := imdgo.New(c.options()...)
	if err != nil {
		return err
	}
	// Last of all, when no request needs the cache any more.
	defer func() { err = errors.Join(err, cache.Close()) }()

	store := newStore(c.store)
	catalog, err := newCatalog(cache, store)
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr:              c.http,
		Handler:           newHandler(cache, catalog, store),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	slog.Info("serving", "http", c.http, "node", c.node)

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	slog.Info("ending")
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	return server.Shutdown(ctx)
}

// options are those of the cache. A service with one instance per machine needs
// WithMembers alone: each finds itself in the list.
func (c config) options() []imdgo.Option {
	options := []imdgo.Option{imdgo.WithTimeout(cacheTimeout), imdgo.WithLogger(slog.Default())}
	if c.members != "" {
		options = append(options, imdgo.WithMembers(strings.Split(c.members, ",")...))
	}
	if c.node != "" {
		options = append(options, imdgo.WithBindAddr(c.node))
	}
	return options
}
