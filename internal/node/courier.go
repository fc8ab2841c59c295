package node

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inelpandzic/imdgo/forward"
	"github.com/inelpandzic/imdgo/internal/command"
	"github.com/inelpandzic/imdgo/internal/wire"
)

// How long the courier waits after a leader refused or could not be reached.
// Everything that is likely to change that wakes it at once.
const (
	retryLeast = 2 * time.Millisecond
	retryMost  = 100 * time.Millisecond
)

// courier hands the outbox's parts to the leader, wherever it is, and what one
// leader did not get done to the next.
type courier struct {
	out    *outbox
	leader func() (leader, bool)
	log    logger

	pause   time.Duration // before the next attempt with the same leader
	until   time.Time
	refuser leader

	mu    sync.Mutex
	route *route // nil: none
}

// leader is who leads, and how to reach it.
type leader struct {
	life *life
	addr string
	inc  wire.Incarnation
}

// route is the way to one leader, for as long as it lasts.
type route struct {
	leader leader
	epoch  uint64 // of the outbox, when it was opened
	send   func(*command.Part) error
	abort  func() // makes a send that hangs return
	close  func() // aborts and waits for the route's goroutines
	broken atomic.Bool

	refusals atomic.Uint64 // how often the leader did not take a part
	heeded   uint64        // of them, by the courier
}

// refusedAnew reports whether the leader has refused since this was last
// asked. A leader elsewhere does so after what was sent has long been sent.
func (r *route) refusedAnew() bool {
	n := r.refusals.Load()
	defer func() { r.heeded = n }()
	return n != r.heeded
}

func (c *courier) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(c.round(ctx))
		select {
		case <-ctx.Done():
			c.end()
			return
		case <-c.out.wake:
		case <-timer.C:
		}
	}
}

// round hands over what there is and returns how long to wait at the most.
func (c *courier) round(ctx context.Context) time.Duration {
	epoch := c.out.lives() // before looking who leads: a life may end meanwhile
	leader, ok := c.leader()
	c.out.leader.Store(ok)
	if r := c.current(); r != nil && (!ok || r.leader != leader || r.broken.Load()) {
		c.end()
	}
	if c.out.idle() {
		return time.Hour // until somebody asks for something
	}
	if !ok {
		return retryMost
	}
	if _, ok := c.out.clock.atLeast(); !ok {
		return retryLeast
	}
	if wait := time.Until(c.until); wait > 0 && leader == c.refuser {
		return wait
	}
	r := c.current()
	if r == nil {
		r = c.open(ctx, leader, epoch)
	}
	if r == nil || r.refusedAnew() || c.handAll(r) {
		return c.backOff(leader)
	}
	return retryMost
}

// handAll hands over what the leader may have at once. True means that it went wrong.
func (c *courier) handAll(r *route) (failed bool) {
	c.out.gather()
	for {
		p, ok := c.out.hand(r)
		if !ok {
			return r.refusedAnew()
		}
		if err := r.send(&p); err != nil {
			c.log.Debug("handing operations to the leader", "leader", r.leader.addr, "error", err)
			c.end()
			return true
		}
		if r.refusedAnew() {
			return true
		}
	}
}

// backOff leaves a leader that refused alone for a while, ever longer while it
// goes on refusing. Another one is asked at once.
func (c *courier) backOff(from leader) time.Duration {
	if from != c.refuser || time.Since(c.until) > retryMost {
		c.refuser, c.pause = from, 0
	}
	c.pause = min(max(retryLeast, 2*c.pause), retryMost)
	c.until = time.Now().Add(c.pause)
	return c.pause
}

func (c *courier) current() *route {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.route
}

func (c *courier) set(r *route) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.route = r
}

// end gives the present route up.
func (c *courier) end() {
	r := c.current()
	if r == nil {
		return
	}
	c.set(nil)
	r.close()
	c.out.takeBack(r)
}

// leaderChanged frees a send that hangs on a former leader: it would hang until
// its timeout, while the new leader waits for work.
func (c *courier) leaderChanged() {
	if r := c.current(); r != nil {
		if now, ok := c.leader(); !ok || now != r.leader {
			r.abort()
		}
	}
	c.out.signal()
}

// open makes a route to the leader.
func (c *courier) open(ctx context.Context, to leader, epoch uint64) *route {
	r := &route{leader: to, epoch: epoch}
	refused := func(first uint64, why command.Refusal) {
		c.out.refused(r, first, why)
		r.refusals.Add(1)
		c.out.signal()
	}
	if to.inc == to.life.inc {
		r.send = func(p *command.Part) error {
			first := p.First
			p.Origin = uint64(to.life.origin)
			to.life.proposer.submit(*p, func(why command.Refusal) { refused(first, why) })
			return nil
		}
		r.abort, r.close = func() {}, func() {}
	} else if !c.dial(ctx, r, refused) {
		return nil
	}
	c.set(r)
	return r
}

func (c *courier) dial(ctx context.Context, r *route, refused func(uint64, command.Refusal)) bool {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	to := r.leader
	conn, err := to.life.node.port.Dial(ctx, to.addr, wire.Preamble{
		Purpose: wire.Forward, Cluster: to.life.cluster(), Target: to.inc, Origin: to.life.inc})
	if err != nil {
		c.log.Debug("reaching the leader", "leader", to.addr, "error", err)
		return false
	}
	client := forward.NewClient(conn, uint64(to.life.origin), refused, func(error) {
		r.broken.Store(true)
		c.out.signal()
	})
	r.send, r.abort, r.close = client.Send, client.Abort, client.Close
	return true
}
