package process

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Process is a child as the parent sees it.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  *log
	gone chan struct{} // closed when it has ended and been waited for

	mu    sync.Mutex // guards all below
	in    io.WriteCloser
	next  int
	calls map[int]chan reply
}

var errGone = errors.New("the process has ended")

// Start starts a child. What it says on its standard error is kept, the end of
// it, and shown in the errors of Ask; echo, which may be nil, gets it too.
func Start(name string, command, env []string, echo io.Writer) (*Process, error) {
	p := &Process{name: name, cmd: exec.Command(command[0], command[1:]...), log: &log{echo: echo, name: name},
		gone: make(chan struct{}), calls: make(map[int]chan reply)}
	p.cmd.Env = env
	p.cmd.Stderr = p.log
	// A group of its own: Ctrl-C is for the parent, and killing the group
	// leaves no server behind that the child has started.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p.in = in
	go p.listen(out)
	return p, nil
}

// listen hands replies on until the process ends.
func (p *Process) listen(out io.Reader) {
	defer close(p.gone)
	in := json.NewDecoder(bufio.NewReader(out))
	for {
		var r reply
		if in.Decode(&r) != nil {
			break
		}
		p.mu.Lock()
		call := p.calls[r.ID]
		delete(p.calls, r.ID)
		p.mu.Unlock()
		if call != nil {
			call <- r // of one, and there is one reply
		}
	}
	p.killGroup()    // whoever does not speak the protocol is of no use
	_ = p.cmd.Wait() // how it ended does not matter
}

func (p *Process) killGroup() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may have ended by itself
}

// Kill ends the process, and what it has started, as kill -9 does, and returns
// when it is no more.
func (p *Process) Kill() {
	p.killGroup()
	<-p.gone
}

// End tells the process that it is no longer wanted, and kills it if it has not
// ended by itself after patience.
func (p *Process) End(patience time.Duration) {
	p.mu.Lock()
	_ = p.in.Close() // if it fails, patience ends
	p.mu.Unlock()
	select {
	case <-p.gone:
	case <-time.After(patience):
		p.Kill()
	}
}

// Ask asks for something and waits for the answer.
func Ask[Body any](ctx context.Context, p *Process, op string, args any) (body Body, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s, asked to %s: %w%s", p.name, op, err, p.log.tail())
		}
	}()
	id, call, err := p.send(op, args)
	if err != nil {
		return body, err
	}
	select {
	case r := <-call:
		if r.Error != "" {
			return body, errors.New(r.Error)
		}
		return body, json.Unmarshal(r.Body, &body)
	case <-p.gone:
		err = errGone
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.calls, id)
	return body, err
}

func (p *Process) send(op string, args any) (int, chan reply, error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return 0, nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	call := make(chan reply, 1)
	p.calls[p.next] = call
	return p.next, call, json.NewEncoder(p.in).Encode(request{p.next, op, raw})
}
