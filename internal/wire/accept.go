package wire

import (
	"errors"
	"net"
	"time"
)

const (
	acceptBackoffMin = 5 * time.Millisecond
	acceptBackoffMax = time.Second

	// drainLimit is how much of a foreign version's preamble is read after it has been refused.
	drainLimit = 512
)

// accept is the accept loop. Errors (no more file descriptors, a connection reset in the queue) are never taken as final: only
// Close ends it.
func (p *Port) accept() {
	var backoff time.Duration
	for {
		nc, err := p.cfg.Listener.Accept()
		if p.ctx.Err() != nil {
			if err == nil {
				_ = nc.Close()
			}
			return
		}
		if err != nil {
			backoff = min(max(2*backoff, acceptBackoffMin), acceptBackoffMax)
			p.cfg.Logger.Debug("accept failed", "error", err, "retry-in", backoff)
			p.sleep(backoff)
			continue
		}
		backoff = 0
		p.begin(nc)
	}
}

func (p *Port) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.ctx.Done():
	}
}

// begin gives an accepted connection its place among the pending ones and its goroutine.
func (p *Port) begin(nc net.Conn) {
	c := p.track(nc)
	if c == nil {
		return
	}
	w := p.pending.enter(c, p.ctx.Done())
	if w == nil {
		_ = c.Close()
		return
	}
	p.running.Go(func() { p.handle(c, w) })
}

// handle takes an inbound connection from its first byte to its end or into raft's hands.
func (p *Port) handle(c *conn, w *waiting) {
	_ = c.SetDeadline(time.Now().Add(p.cfg.HandshakeTimeout))
	pre, stream, ok := p.shakeHands(c)
	if !p.pending.leave(w) || !ok { // the place is given up in any case
		_ = c.Close()
		return
	}
	_ = c.SetDeadline(time.Time{})
	if stream != nil {
		stream.deliver(c)
		return
	}
	defer c.Close()
	p.cfg.Serve(pre, c)
}

// shakeHands reads the preamble and answers it. It is still pending while it does: a peer that does not take the answer is no
// better than one that does not send. Not ok: the connection was refused or failed, and is to be closed. A stream is returned
// for Raft, and the connection is registered with it.
func (p *Port) shakeHands(c *conn) (pre Preamble, stream *Stream, ok bool) {
	pre, err := readPreamble(c)
	if errors.Is(err, errVersion) {
		p.answer(c, WrongVersion)
		drain(c)
	}
	if err != nil {
		p.cfg.Logger.Debug("no preamble", "from", c.RemoteAddr(), "error", err)
		return pre, nil, false
	}
	c.cluster, c.incarnation = pre.Cluster, pre.Origin
	stream, refusal := p.admit(c, pre)
	if refusal != Admitted {
		p.cfg.Logger.Debug("connection refused", "from", c.RemoteAddr(), "purpose", pre.Purpose, "refusal", refusal)
	}
	err = p.answer(c, refusal)
	return pre, stream, err == nil && refusal == Admitted
}

// admit asks the node, and then takes what an admitted connection needs: for Raft its stream, and a place. Whatever it took is
// given back by c.Close.
func (p *Port) admit(c *conn, pre Preamble) (stream *Stream, refusal Refusal) {
	if !pre.Purpose.known() || pre.Purpose != Raft && p.cfg.Serve == nil {
		return nil, UnknownPurpose
	}
	if refusal := p.cfg.Admit(pre); refusal != Admitted {
		return nil, refusal
	}
	if pre.Purpose == Raft {
		stream = p.stream(pre.Target)
		if stream == nil || !stream.register(c) {
			return nil, WrongIncarnation
		}
	}
	if !p.occupy(c, pre.Purpose) {
		return nil, Busy
	}
	return stream, Admitted
}

// stream returns the stream of an incarnation, nil if there is none.
func (p *Port) stream(inc Incarnation) *Stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.streams[inc]
}

func (p *Port) answer(c *conn, refusal Refusal) error {
	cluster, inc := p.cfg.Identity()
	_, err := c.Write(reply{refusal, cluster, inc}.encode())
	return err
}

// drain reads the rest of what a refused peer had sent already. A socket that is closed with bytes unread resets the
// connection, and the reset can overtake the answer.
func drain(c *conn) {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	var b [64]byte
	for n := 0; n < drainLimit; {
		m, err := c.Read(b[:])
		if err != nil {
			return
		}
		n += m
	}
}
