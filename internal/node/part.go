package node

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/inelpandzic/imdgo/internal/command"
)

// part is a number of operations that travel, are logged and are applied
// together.
type part struct {
	first   uint64
	ops     []byte
	ends    []int         // of every operation in ops
	begun   time.Duration // on the node's clock: what patience counts from
	at      time.Time     // the same moment
	base    int64         // begun, on the cluster's clock; set when it is first handed over
	based   bool
	gone    []bool // callers that gave up; allocated with the first one
	lost    int    // of them, whose bytes are still there
	waiting int    // callers that did not
	marker  int    // the operation that readers share, or -1
	sealed  bool   // takes no more
	with    *handover
	handed  int  // how often
	maybe   bool // it may be in the log, or get there
	unseen  bool // it may have been applied in a state that was restored here

	woken   chan struct{} // closed when it is decided, or somebody's time is up: then there is another one
	due     time.Time     // when that is, of those whose time the outbox keeps; zero: of nobody
	decided atomic.Bool   // one of these is set
	results []command.Result
	stamp   int64
	err     error
}

// handover is one attempt to have a leader log a part.
type handover struct {
	to    *route
	at    time.Time
	maybe bool // part.maybe as it was before: a refusal takes it back
}

// patience is how long an operation may wait, in milliseconds since its part
// was begun, rounded up: a caller would rather have been served. A caller with
// more patience than there may be asks again when it has run out.
func (p *part) patience(now time.Time, limit time.Duration) uint64 {
	limit = min(max(limit, 0), command.MaxPatience)
	if len(p.ends) > 0 {
		limit = min(limit+now.Sub(p.at), command.MaxPatience)
	}
	return uint64((limit + time.Millisecond - 1) / time.Millisecond)
}

// decide tells everybody that the part is decided. The caller holds the outbox's mu.
func (p *part) decide() {
	p.decided.Store(true)
	close(p.woken)
}

// forget marks an operation as wanted by nobody: if the part has not left yet,
// it leaves without it.
func (p *part) forget(i int) {
	if p.gone == nil {
		p.gone = make([]bool, partOps)
	}
	p.gone[i] = true
	p.lost++
}

// seal gives a part the form in which it travels. What nobody waits for any
// more is left out, in a way that the others keep their sequence; a part that
// may have been logged stays as it is.
func (o *outbox) seal(p *part) {
	p.sealed = true
	if p.gone != nil && !p.maybe {
		p.leaveOut()
	}
	if !p.based {
		waited := o.clock.source.Elapsed() - p.begun
		now, _ := o.clock.atLeast()
		p.base = min(max(now-int64(waited), 0), math.MaxInt64/2)
		p.based = true
	}
}

func (p *part) leaveOut() {
	ops, from := make([]byte, 0, len(p.ops)), 0
	for i, end := range p.ends {
		if p.gone[i] {
			ops = command.AppendNothing(ops)
		} else {
			ops = append(ops, p.ops[from:end]...)
		}
		from = end
		p.ends[i] = len(ops)
	}
	p.ops, p.lost = ops, 0
}

// buffers are what a part keeps its operations in.
type buffers struct {
	ops  []byte
	ends []int
}

func (o *outbox) newPart(now time.Time) *part {
	p := &part{first: o.next, begun: o.clock.source.Elapsed(), at: now, marker: -1, woken: make(chan struct{})}
	if n := len(o.free); n > 0 {
		p.ops, p.ends = o.free[n-1].ops, o.free[n-1].ends
		o.free[n-1] = buffers{}
		o.free = o.free[:n-1]
	}
	return p
}

// recycle takes back what an applied part kept its operations in. If it has been
// handed over more than once, a copy may still lie in a leader's queue on this node.
func (o *outbox) recycle(p *part) {
	if p.handed == 1 && len(o.free) <= inFlight && cap(p.ops) <= 2*partTarget {
		o.free = append(o.free, buffers{p.ops[:0], p.ends[:0]})
	}
	p.ops, p.ends = nil, nil
}
