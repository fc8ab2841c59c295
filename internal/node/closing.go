package node

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// departTimeout bounds how long Close tries to leave the cluster in good order.
const departTimeout = time.Second

// Leave takes the node out of its cluster for good, handing leadership over
// first, and closes it. If the cluster could not be told before ctx ends, the
// node is closed all the same, and the error says so.
func (n *Node) Leave(ctx context.Context) error {
	if n.ctx.Err() != nil {
		return ErrClosed
	}
	err := n.depart(ctx)
	if err == nil {
		n.left.Store(true)
	}
	return errors.Join(err, n.Close())
}

// Close ends the node and waits for everything it started. A node whose memory
// is all it has can never come back as who it was, so it leaves the cluster, if
// that takes no longer than a second. One with a data directory stays a member,
// and only hands over what it leads.
func (n *Node) Close() error {
	n.closeOnce.Do(func() {
		ctx, cancel := context.WithTimeout(n.ctx, departTimeout)
		defer cancel()
		part := n.depart
		if n.home != nil {
			part = n.resign
		}
		if err := part(ctx); err != nil {
			n.log.Debug("closing without having left", "error", err)
		}
		n.closeErr = n.shutDown()
	})
	return n.closeErr
}

// depart stops the search first: a life that is being taken out of its cluster
// must not wonder why, and begin another.
func (n *Node) depart(ctx context.Context) error {
	n.closing.Store(true)
	n.seeking()
	<-n.supervised
	l := n.life.Load()
	if l == nil {
		return nil
	}
	return l.depart(ctx)
}

// resign hands leadership over, if this node has it and there is somebody.
func (n *Node) resign(ctx context.Context) error {
	n.closing.Store(true)
	n.seeking()
	<-n.supervised
	l := n.life.Load()
	if l == nil || !l.leads() || l.isLast() {
		return nil
	}
	if err := l.handOver(ctx); !errors.Is(err, errHandedOver) {
		return err
	}
	return nil
}

// closeHome lets other processes use the data directory, which is empty if the
// node has left its cluster.
func (n *Node) closeHome() error {
	if n.home == nil {
		return nil
	}
	var err error
	if n.left.Load() {
		err = n.home.forget()
	}
	return errors.Join(err, n.home.close())
}

func (n *Node) shutDown() error {
	n.outbox.fail(ErrClosed, fmt.Errorf("%w: %w", ErrUnknownOutcome, ErrClosed), true)
	n.cancel()
	l := n.life.Swap(nil)
	n.courier.leaderChanged() // frees a send that hangs
	n.tasks.Wait()
	if l != nil {
		l.end()
	}
	err := n.port.Close()
	n.machine.Reset()
	n.clock.reset()
	return errors.Join(err, n.closeHome())
}
