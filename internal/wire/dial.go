package wire

import (
	"context"
	"fmt"
	"net"
	"time"
)

// Dial connects to the node at addr and introduces itself with pre. It is bounded by ctx, the exchange of preamble and reply
// also by Config.HandshakeTimeout. When Dial returns nil as error, the other side has admitted the connection, and no deadline
// is set on it. A *RefusedError is returned when the other side did not, ErrProtocol when it is no imdgo node, net.ErrClosed
// when the Port is closed; all other errors are of ctx or of the network, and it is unknown whether anything arrived.
func (p *Port) Dial(ctx context.Context, addr string, pre Preamble) (net.Conn, error) {
	c, err := p.dial(ctx, addr, pre)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (p *Port) dial(parent context.Context, addr string, pre Preamble) (*conn, error) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()

	c, err := p.connect(ctx, addr, pre)
	switch {
	case err == nil:
		return c, nil
	case p.ctx.Err() != nil:
		err = net.ErrClosed
	case parent.Err() != nil:
		err = parent.Err() // not the closed connection or the socket's timeout that it showed itself as
	}
	return nil, fmt.Errorf("wire: dial %s: %w", addr, err)
}

func (p *Port) connect(ctx context.Context, addr string, pre Preamble) (*conn, error) {
	nc, err := p.cfg.Network.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	c := p.track(nc)
	if c == nil {
		return nil, net.ErrClosed
	}
	if err := p.introduce(ctx, c, addr, pre); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// introduce exchanges preamble and reply.
func (p *Port) introduce(ctx context.Context, c *conn, addr string, pre Preamble) error {
	_ = c.SetDeadline(time.Now().Add(p.cfg.HandshakeTimeout))
	undisturbed := context.AfterFunc(ctx, c.sever)
	r, err := ask(c, pre)
	if !undisturbed() { // the connection is severed, or will be any moment
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	if r.refusal != Admitted {
		return &RefusedError{Addr: addr, Refusal: r.refusal, Incarnation: r.incarnation, Cluster: r.cluster}
	}
	c.cluster, c.incarnation = r.cluster, r.incarnation
	return c.SetDeadline(time.Time{})
}

func ask(c *conn, pre Preamble) (reply, error) {
	if _, err := c.Write(pre.encode()); err != nil {
		return reply{}, err
	}
	return readReply(c)
}
