package node

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/command"
	"github.com/inelpandzic/imdgo/internal/logstore"
)

const (
	// enqueueTimeout is how long raft may take to accept a batch.
	enqueueTimeout = time.Second
	// expireMost is about how many entries one batch expires. Removing them
	// takes a millisecond or two, which the writes beside them wait.
	expireMost = 2048
	// heartbeat is how often the clock is stamped while there are deadlines and
	// nothing is written, dueLeast how often something due is looked for at the most,
	// and duePoll how often there is a batch while something is done with each.
	heartbeat = int64(time.Second)
	dueLeast  = 10 * time.Millisecond
	duePoll   = 100 * time.Millisecond
	// dry is how long the queue must stay empty before followers are told of
	// the last commit: a lone writer that is about to come back tells them with
	// what it writes. It goes by with yielding, so many times at the most: a timer
	// in a process that is idle is late by a millisecond.
	dry    = 50 * time.Microsecond
	yields = 1000
)

// lead proposes until ctx ends, which is when raft says that leadership has,
// or until there is nothing more to lead.
func (p *proposer) lead(ctx context.Context) {
	for ctx.Err() == nil && p.raft.State() == raft.Leader {
		p.leadOnce(ctx)
		pause(ctx, 10*time.Millisecond)
	}
}

// leadOnce begins with a barrier: only when everything that former leaders
// logged has been applied here is the applied clock one that a stamp may follow.
func (p *proposer) leadOnce(ctx context.Context) {
	if err := p.raft.Barrier(enqueueTimeout).Error(); err != nil {
		p.log.Debug("waiting for what former leaders logged", "error", err)
		return
	}
	// What has been told since this node led last is of another time: the node
	// that wanted to be let in then would have the others evict for it now.
	p.takeBudgets()
	p.begin(ctx)
	p.setLeading(true)
	defer p.setLeading(false)
	r := round{proposer: p, timer: time.NewTimer(time.Hour)}
	defer r.timer.Stop()
	for ctx.Err() == nil && r.next(ctx) {
	}
}

// round is the state of one leadership.
type round struct {
	*proposer
	timer   *time.Timer
	stamped int64 // the last stamp, 0 before the first
	behind  behind
	decided command.Decisions // of the present batch
}

// behind is who does not know yet that the last batch is committed.
type behind uint8

const (
	nobody    behind = iota
	followers        // they learn it with the next append
	origins          // and one of them has callers who wait for it
)

// next proposes a batch, or waits until there may be one. False means that
// leadership has ended.
func (r *round) next(ctx context.Context) bool {
	if r.gather() {
		runtime.Gosched() // the courier's turn
	}
	batch := r.take()
	r.decide(batch)
	if len(batch) == 0 && !r.decided.Any() && !r.beat() {
		r.rest(ctx)
		return true
	}
	r.room(ctx, size(batch)+r.decided.Size())
	r.stamped = r.clock.stamp(r.machine.Clock())
	why, err := r.propose(encode(batch, r.stamped, r.clock.source.Now().UnixNano(), &r.decided))
	if err != nil {
		r.log.Debug("proposing a batch", "parts", len(batch), "error", err)
		refuseAll(batch, why)
		return !errors.Is(err, raft.ErrNotLeader) && why != command.Lost
	}
	r.behind = followers
	for _, s := range batch {
		if s.part.Origin != r.self {
			r.behind = origins
		}
	}
	return true
}

// decide adds to a batch what it is the leader's to decide: whose budget counts,
// what has expired, and what may be evicted for the batch.
func (r *round) decide(batch []submission) {
	d := &r.decided
	d.Budgets = r.takeBudgets()
	d.Expire, d.Expires = r.machine.Due(r.clock.now(), expireMost)
	d.Victims.Reset()
	d.Victims.Most = r.victims
	r.machine.Offer(&d.Victims, int64(size(batch)))
}

// beat reports whether the clock wants a stamp although nothing is written: at
// the beginning of a leadership and when a node has come, so that every node
// learns the time, and then while any entry has a deadline. And while replicas
// have something to do that they do with every batch.
func (r *round) beat() bool {
	return r.stamped == 0 || r.newcomer.Swap(false) || r.clock.now()-r.stamped >= heartbeat && r.machine.HasDeadlines() ||
		r.clock.now()-r.stamped >= int64(duePoll) && r.machine.Refilling()
}

// propose has raft log a batch, and waits until it is applied here.
func (r *round) propose(entry []byte) (command.Refusal, error) {
	err := r.raft.Apply(entry, enqueueTimeout).Error()
	switch {
	case err == nil:
		return 0, nil
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout),
		errors.Is(err, raft.ErrLeadershipTransferInProgress), errors.Is(err, logstore.ErrNotStored):
		return command.NotLeader, err
	default: // ErrLeadershipLost, and whatever else leaves it open
		return command.Lost, err
	}
}

// rest waits until there may be something to propose. If the queue stays empty
// it tells the followers of the last commit first, which they would otherwise
// learn with the next append.
func (r *round) rest(ctx context.Context) {
	if r.untold.Swap(false) {
		r.behind = max(r.behind, followers)
	}
	if r.behind == followers && !r.staysDry(ctx) {
		return
	}
	if r.behind != nobody {
		r.behind = nobody
		r.tell(r.applied())
	}
	if r.machine.Refilling() || r.machine.Shrinking() {
		r.waits(ctx, duePoll)
	} else {
		r.waits(ctx, r.untilDue())
	}
}

// untilDue is how long there is nothing to propose if nobody asks for anything: until
// something expires, or the clock wants a stamp. The clock that counts here is not
// the timer's, which a machine that sleeps or a test may move on by less; so it is
// looked at every heartbeat.
func (r *round) untilDue() time.Duration {
	due, ok := r.machine.NextDue()
	if !ok {
		return time.Hour
	}
	now := r.clock.now()
	left := min(due, min(r.stamped, now)+heartbeat) - now // a stamp may be ahead of this clock
	return max(time.Duration(left)+time.Millisecond, dueLeast)
}

// staysDry reports whether nothing comes for a moment.
func (r *round) staysDry(ctx context.Context) bool {
	began := time.Now()
	for i := 0; i < yields && time.Since(began) < dry; i++ {
		select {
		case <-r.wake:
			return false
		default:
			runtime.Gosched()
		}
	}
	return ctx.Err() == nil
}

// waits waits for something to come, and no longer than d.
func (r *round) waits(ctx context.Context, d time.Duration) {
	r.timer.Reset(d)
	select {
	case <-ctx.Done():
	case <-r.wake:
	case <-r.timer.C:
	}
}

// size is how many bytes of operations a batch has.
func size(batch []submission) (bytes int) {
	for _, s := range batch {
		bytes += len(s.part.Ops)
	}
	return bytes
}

// encode makes the log entry of a batch.
func encode(batch []submission, stamp, wall int64, decided *command.Decisions) []byte {
	const head, partHead = 64, 48
	room := head + decided.Size() + size(batch) + partHead*len(batch)
	entry := command.AppendBatch(make([]byte, 0, room), stamp, wall, decided, len(batch))
	for i := range batch {
		entry = command.AppendPart(entry, &batch[i].part)
	}
	return entry
}
