// Package process starts, asks and ends the child processes of a run: each
// hosts one node of a system, or one cache. Parent and child speak JSON, one
// message a line, on the child's standard input and output; all times in it are
// those of this machine's clock, which both share. It needs a Unix.
package process

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// request is what a child is asked.
type request struct {
	ID   int             `json:"id"`
	Op   string          `json:"op"`
	Args json.RawMessage `json:"args,omitempty"`
}

// reply is what it answers, once.
type reply struct {
	ID    int             `json:"id"`
	Error string          `json:"error,omitempty"`
	Body  json.RawMessage `json:"body,omitempty"`
}

// Handler answers one request.
type Handler func(args json.RawMessage) (any, error)

// On makes a Handler of a function with typed arguments.
func On[Args, Body any](f func(Args) (Body, error)) Handler {
	return func(raw json.RawMessage) (any, error) {
		var args Args
		if err := json.Unmarshal(raw, &args); err != nil {
			return nil, fmt.Errorf("reading the arguments: %w", err)
		}
		return f(args)
	}
}

// None is an argument or a reply without content.
type None struct{}

// Serve is a child's main: it answers requests, each in a goroutine of its own,
// until in ends, which is also when the parent dies.
func Serve(in io.Reader, out io.Writer, handlers map[string]Handler) error {
	var mu sync.Mutex // one reply at a time
	encoder := json.NewEncoder(out)
	decoder := json.NewDecoder(bufio.NewReader(in))
	for {
		var q request
		if err := decoder.Decode(&q); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading a request: %w", err)
		}
		go func() {
			r := answer(q, handlers)
			mu.Lock()
			defer mu.Unlock()
			_ = encoder.Encode(r) // if the parent is gone, in ends too
		}()
	}
}

func answer(q request, handlers map[string]Handler) reply {
	h, ok := handlers[q.Op]
	if !ok {
		return reply{ID: q.ID, Error: fmt.Sprintf("there is no request %q", q.Op)}
	}
	body, err := h(q.Args)
	if err != nil {
		return reply{ID: q.ID, Error: err.Error()}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return reply{ID: q.ID, Error: fmt.Sprintf("encoding the reply to %q: %v", q.Op, err)}
	}
	return reply{ID: q.ID, Body: raw}
}
