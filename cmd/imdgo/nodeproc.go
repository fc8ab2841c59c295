package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"

	"github.com/inelpandzic/imdgo"
)

// process is a node as the parent sees it: a child process that answers
// requests.
type process struct {
	name string
	addr string
	cmd  *exec.Cmd
	log  *tail         // its standard error
	gone chan struct{} // closed when the process has ended

	mu    sync.Mutex // guards all below
	in    io.WriteCloser
	next  int
	calls map[int]*call
}

type call struct {
	replies   chan reply
	abandoned chan struct{}
}

var errGone = errors.New("the process has ended")

// startProcess starts the program as a node.
func startProcess(name string, command []string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(command[0], command[1:]...), log: new(tail),
		gone: make(chan struct{}), calls: make(map[int]*call)}
	p.cmd.Stderr = p.log
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p.in = in
	go p.listen(out)
	return p, nil
}

// listen hands replies on until the process ends.
func (p *process) listen(out io.Reader) {
	defer close(p.gone)
	in := json.NewDecoder(bufio.NewReader(out))
	for {
		var r reply
		if in.Decode(&r) != nil {
			break
		}
		p.mu.Lock()
		c := p.calls[r.ID]
		p.mu.Unlock()
		if c == nil {
			continue
		}
		select {
		case c.replies <- r:
		case <-c.abandoned:
		}
	}
	_ = p.cmd.Process.Kill() // whoever does not speak the protocol is of no use
	_ = p.cmd.Wait()         // how it ended does not matter
}

// kill ends the process as kill -9 does, and returns when it is no more.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.gone
}

func (p *process) send(op string, args any) (*call, int, error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return nil, 0, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	c := &call{make(chan reply), make(chan struct{})}
	p.calls[p.next] = c
	return c, p.next, json.NewEncoder(p.in).Encode(request{p.next, op, raw})
}

// follow asks a node for something that has several replies: each hears all
// but the last.
func follow[Part, Last any](ctx context.Context, p *process, op string, args any, each func(Part)) (last Last, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s, asked to %s: %w", p.name, op, err)
		}
	}()
	c, id, err := p.send(op, args)
	defer func() {
		close(c.abandoned)
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.calls, id)
	}()
	if err != nil {
		return last, err
	}
	for {
		select {
		case <-ctx.Done():
			return last, context.Cause(ctx)
		case <-p.gone:
			return last, errGone
		case r := <-c.replies:
			if r.Error != "" {
				return last, errors.New(r.Error)
			}
			if r.Last {
				return last, unmarshal(r.Body, &last)
			}
			var part Part
			if err := unmarshal(r.Body, &part); err != nil {
				return last, err
			}
			each(part)
		}
	}
}

func unmarshal(raw json.RawMessage, to any) error {
	if len(raw) == 0 {
		return nil
	}
	return json.Unmarshal(raw, to)
}

// nothing is a reply without content.
type nothing struct{}

// ask asks a node for something that has one reply.
func ask[R any](ctx context.Context, p *process, op string, args any) (R, error) {
	return follow[nothing, R](ctx, p, op, args, func(nothing) {})
}

func (p *process) stats(ctx context.Context) (imdgo.Stats, error) {
	return ask[imdgo.Stats](ctx, p, opStats, nil)
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex // guards text
	text []byte
}

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	const most = 16 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if over := len(t.text) - most; over > 0 {
		t.text = append([]byte(nil), t.text[over:]...)
	}
	return len(b), nil
}

// String is what has been kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}

// freePorts finds ports on the loopback interface that are free at this moment.
func freePorts(n int) (addrs []string, err error) {
	for range n {
		l, listenErr := net.Listen("tcp", "127.0.0.1:0")
		if listenErr != nil {
			return nil, listenErr
		}
		defer func() { err = errors.Join(err, l.Close()) }()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}
