package node

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/command"
)

const (
	// batchBytes is when a batch takes no more parts.
	batchBytes = 256 << 10
	// victimsMost bounds what stands of victims in a batch, which is their keys: with
	// long ones it would be more than a follower takes. See entryMost. It is no more
	// than a part of what there is for the log.
	victimsMost = 4 << 20
	// queueBytes bounds what waits for the proposer; beyond it parts are refused.
	queueBytes = 64 << 20
	// aheadMost is how far the base of a part may be ahead of the leader's
	// clock, which it comes from: results are kept until long after it.
	aheadMost = int64(time.Minute)
)

// proposer is where everything that changes the state goes through while this
// node leads. One batch is in flight at a time, so the proposer knows the exact
// state that its batch will meet; what comes meanwhile is the next batch.
type proposer struct {
	self    uint64 // this node, as an origin
	raft    *raft.Raft
	machine machine
	clock   *clusterClock
	room    func(context.Context, int) // waits until there is room in the log for so many bytes
	begin   func(context.Context)      // called when all that former leaders logged has been applied
	gather  func() bool                // waits for callers on this node who are about to come back
	applied func() place               // what has been, here
	log     logger
	victims int // what those of a batch may take, in bytes
	*news

	newcomer atomic.Bool // somebody has come who may not know the time yet

	mu      sync.Mutex
	leading bool
	queue   []submission
	bytes   int
	budgets []command.Budget // to be decided
}

// machine is what the proposer asks the state machine.
type machine interface {
	Clock() int64
	Due(now int64, most int) (command.Threshold, bool)
	Offer(v *command.Victims, bytes int64)
	HasDeadlines() bool
	NextDue() (at int64, ok bool)
	Refilling() bool
	Shrinking() bool
}

// submission is a part that some node wants logged.
type submission struct {
	part   command.Part
	refuse func(command.Refusal)
}

func newProposer(l *life) *proposer {
	n := l.node
	return &proposer{self: uint64(l.origin), raft: l.raft, machine: n.machine, clock: n.clock, log: n.log, news: l.news,
		room: l.awaitRoom, begin: l.takeOffice, gather: n.outbox.gather, applied: l.replica.place}
}

// submit takes a part for the next batch. refuse is called if it does not get
// into the log, or may not have got there.
func (p *proposer) submit(part command.Part, refuse func(command.Refusal)) {
	if why := p.enqueue(submission{part, refuse}); why != 0 {
		refuse(why)
		return
	}
	notify(p.wake)
}

func (p *proposer) enqueue(s submission) command.Refusal {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.leading {
		return command.NotLeader
	}
	if s.part.CheckWindow() != nil {
		return command.Invalid // no replica could apply it, whatever way it came
	}
	if p.bytes > queueBytes || s.part.Base > p.clock.now()+aheadMost {
		return command.Full
	}
	p.queue = append(p.queue, s)
	p.bytes += len(s.part.Ops)
	return 0
}

// tellTime has the clock stamped soon, for a node that has just got its state:
// until it has applied a stamp, its reads miss.
func (p *proposer) tellTime() {
	p.newcomer.Store(true)
	notify(p.wake)
}

// tellBudget has a member's budget decided; 0 is for one that has gone.
func (p *proposer) tellBudget(member string, bytes int64) {
	p.mu.Lock()
	p.budgets = append(p.budgets, command.Budget{Member: member, Bytes: bytes})
	p.mu.Unlock()
	notify(p.wake)
}

// takeBudgets returns what is to be decided of budgets.
func (p *proposer) takeBudgets() []command.Budget {
	p.mu.Lock()
	defer p.mu.Unlock()
	budgets := p.budgets
	p.budgets = nil
	return budgets
}

// take returns the parts of the next batch.
func (p *proposer) take() []submission {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, bytes := 0, 0
	for n < len(p.queue) && (n == 0 || bytes+len(p.queue[n].part.Ops) <= batchBytes) {
		bytes += len(p.queue[n].part.Ops)
		n++
	}
	batch := p.queue[:n:n]
	p.queue = p.queue[n:]
	if len(p.queue) == 0 {
		p.queue = nil
	}
	p.bytes -= bytes
	return batch
}

// setLeading opens the queue, or closes it and refuses what is in it.
func (p *proposer) setLeading(leading bool) {
	p.mu.Lock()
	p.leading = leading
	queue := p.queue
	if !leading {
		p.queue, p.bytes = nil, 0
	}
	p.mu.Unlock()
	if !leading {
		refuseAll(queue, command.NotLeader)
	}
}

func refuseAll(queue []submission, why command.Refusal) {
	for _, s := range queue {
		s.refuse(why)
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
