package node

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// Clock is a node's source of time.
type Clock interface {
	// Now is the wall clock. Nothing is decided by it.
	Now() time.Time
	// Elapsed is the time since an arbitrary moment. It never goes back and
	// goes on while the machine sleeps.
	Elapsed() time.Duration
}

// coarseTick is how often the coarse clock is set, and nearby how close a
// deadline must be for a read to look at the precise one: the coarse one costs
// 1 ns, the system's clock that counts sleep 160. The tick may be late by almost
// all of nearby, on a machine that has more to do than it can, before a read is
// wrong. Only a machine that wakes up from sleep may be wrong for one tick.
//
// It ticks while somebody reads, and stops when nobody has for so many ticks: in
// three idle nodes it took one percent of a core.
const (
	coarseTick = 25 * time.Millisecond
	nearby     = int64(time.Second)
	unread     = 40
	// standing is what the coarse clock shows then: no deadline is beyond it, so
	// that reads look at the precise one.
	standing = math.MaxInt64 - nearby
)

// lagging is by how much a stamp must be behind for this replica to be behind,
// and lagLimit how long that may last before the clock is doubted instead.
const (
	lagging  = int64(100 * time.Millisecond)
	lagLimit = int64(10 * time.Second)
)

// clusterClock is the cluster's time as a node sees it between two stamps: the
// newest stamp and what has passed since it came. A newer stamp sets it anew, so
// the drift of this machine's clock does not add up, and it never goes back.
//
// It runs behind the leader's clock by the time that the newest stamp was on
// its way.
type clusterClock struct {
	source Clock
	jumps  bool                   // the source may jump at any moment, as in tests: no coarse clock
	anchor atomic.Pointer[anchor] // nil until there is a stamp
	latest atomic.Int64           // the latest time that somebody has been told
	coarse atomic.Int64
	read   atomic.Bool            // somebody has read the coarse clock since the last tick
	wanted chan struct{}          // of one: somebody would have
	stamps atomic.Int64           // the newest stamp that this node gave as leader
	floor  atomic.Pointer[anchor] // a lower bound, from before there was a stamp to go by
	lagged atomic.Int64           // since when stamps have been behind, by the source; 0: they are not
}

type anchor struct {
	stamp int64
	at    time.Duration
}

func newClusterClock(source Clock) *clusterClock {
	_, steady := source.(SystemClock)
	c := &clusterClock{source: source, jumps: !steady, wanted: make(chan struct{}, 1)}
	c.coarse.Store(standing)
	return c
}

// known reports whether there has been a stamp. Until then nothing can be said
// about any deadline.
func (c *clusterClock) known() bool { return c.anchor.Load() != nil }

// now is the visible time, 0 until a stamp is known.
func (c *clusterClock) now() int64 {
	a := c.anchor.Load()
	if a == nil {
		return 0
	}
	now := a.stamp + int64(c.source.Elapsed()-a.at)
	for {
		latest := c.latest.Load()
		if now <= latest {
			return latest
		}
		if c.latest.CompareAndSwap(latest, now) {
			return now
		}
	}
}

// asked takes note of the stamp of a batch that has in it what this node asked
// for, or of a state that has. It was given after that, so it is no older than the caller has waited,
// and whoever writes on a node that is still catching up can read it there.
func (c *clusterClock) asked(stamp int64) {
	if !c.known() {
		c.set(stamp)
	}
}

// restored takes note of a stamp that may be old: from a state that came as a
// whole, or from a log that is being caught up with. No read is judged by it;
// that the time is at least this, and what has passed since, is safe to say.
func (c *clusterClock) restored(stamp int64) {
	if stamp > c.least() {
		c.floor.Store(&anchor{stamp, c.source.Elapsed()})
	}
}

func (c *clusterClock) least() int64 {
	a := c.floor.Load()
	if a == nil {
		return 0
	}
	return a.stamp + int64(c.source.Elapsed()-a.at)
}

// atLeast is a time that the cluster's clock has reached; false if nothing is
// known of it.
func (c *clusterClock) atLeast() (int64, bool) {
	t := max(c.now(), c.least())
	return t, t > 0
}

// stamp is what a leader gives its next batch. applied is the applied clock.
func (c *clusterClock) stamp(applied int64) int64 {
	s := max(applied, c.now(), c.least(), 1)
	c.stamps.Store(s)
	if !c.known() {
		c.set(s)
	}
	return s
}

// begin sets the time that a leader begins with, if nothing else has.
func (c *clusterClock) begin(at int64) {
	if !c.known() {
		c.set(at)
	}
}

// arrived takes note of a stamp that has just been applied.
//
// A leader's own stamps set nothing. It read them off this clock one round trip
// ago: to begin again from each of them would lose that round trip every time,
// and under full load, with a batch always on its way, the clock would stand.
func (c *clusterClock) arrived(stamp int64) {
	if c.known() && (stamp == c.stamps.Load() || c.lags(stamp)) {
		return
	}
	c.set(stamp)
}

// lags reports whether a stamp has been on its way for long: this replica has
// fallen behind, and to begin again from each stamp would have time stand still
// here for as long as it takes to catch up. If it stays so, it is this machine's
// clock that runs fast.
func (c *clusterClock) lags(stamp int64) bool {
	if c.now()-stamp <= lagging {
		c.lagged.Store(0)
		return false
	}
	now := int64(c.source.Elapsed())
	c.lagged.CompareAndSwap(0, max(now, 1))
	return now-c.lagged.Load() < lagLimit
}

// arrivedLate takes note of a stamp of a former leader's term. Its entry may
// have waited for as long as it took to elect another leader: to begin again
// from it would have the cluster's time stand still for that long, and move
// every deadline with it, when this node is the one that was elected.
func (c *clusterClock) arrivedLate(stamp int64) {
	if !c.known() || stamp > c.now() {
		c.set(stamp)
	}
}

func (c *clusterClock) set(stamp int64) {
	c.anchor.Store(&anchor{stamp, c.source.Elapsed()})
	c.tick()
}

// tick sets the coarse clock, unless it stands still or stops in the same moment.
func (c *clusterClock) tick() {
	if shown := c.coarse.Load(); shown != standing {
		c.coarse.CompareAndSwap(shown, c.now())
	}
}

// run has the coarse clock tick while somebody reads it, until ctx ends.
func (c *clusterClock) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wanted:
			c.coarse.Store(c.now())
			c.tickWhileRead(ctx)
			c.coarse.Store(standing)
		}
	}
}

func (c *clusterClock) tickWhileRead(ctx context.Context) {
	ticker := time.NewTicker(coarseTick)
	defer ticker.Stop()
	for idle := 0; idle < unread; idle++ {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.tick()
			if c.read.Swap(false) {
				idle = 0
			}
		}
	}
}

// passed reports whether a deadline has passed for a local read. It costs two
// atomic loads unless the deadline is near.
func (c *clusterClock) passed(deadline int64) bool {
	if !c.jumps {
		shown := c.coarse.Load()
		if shown == standing {
			notify(c.wanted)
		} else if !c.read.Load() {
			c.read.Store(true)
		}
		if deadline > shown+nearby && c.known() {
			return false
		}
	}
	return !c.known() || deadline <= c.now()
}

// reset forgets the cluster's time, when a life ends.
func (c *clusterClock) reset() {
	c.anchor.Store(nil)
	c.latest.Store(0)
	c.tick()
	c.stamps.Store(0)
	c.floor.Store(nil)
	c.lagged.Store(0)
}
