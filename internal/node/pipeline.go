package node

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/appends"
)

const (
	// pipelineDepth is how many requests there are that have not been answered. The
	// second one goes on its way while the first is being stored; what comes meanwhile
	// is sent together with the third.
	pipelineDepth = 2
	// pipelineBuffer is what one write to the connection takes.
	pipelineBuffer = 64 << 10
)

// pipeline is a raft.AppendPipeline: what a leader appends to the log of one
// follower, in the form of package appends.
//
// It ends by itself when an answer is late, when one is no success, and with its
// life. The schedule that the second is for, in raft 1.8.0: the follower refuses
// request 1, and raft's goroutine that takes the answers leaves. Nobody takes that
// to request 2, so there is no room for request 3, with which raft's other
// goroutine would wait here for ever: it alone closes pipelines. That follower
// would get nothing any more, and Shutdown never end. At the latest a leader that
// another one has replaced comes upon it.
type pipeline struct {
	conn net.Conn
	lost func() // called when the connection has failed, before raft can know
	news *news
	stop func() bool // ends the wait for the life's end

	// turn, of one, is taken while a request is sent; it guards what is below. (Whoever
	// waits for a mutex holds up the time of a synctest bubble.)
	turn    chan struct{}
	to      *bufio.Writer
	greeted bool                      // the connection has begun
	form    raft.AppendEntriesRequest // what all requests begin with: of one leader, in one term
	sent    uint64                    // the last entry that has gone this way, 0: none is known
	told    uint64                    // what the follower knows to be committed

	open     chan *exchange // sent and not answered, in that order
	answered chan raft.AppendFuture
	asked    atomic.Uint64 // how many requests have been sent
	heard    atomic.Uint64 // and answered
	watch    *time.Timer   // looks at these, and notes
	before   uint64        // asked
	former   uint64        // and heard

	due   atomic.Pointer[place] // what the follower should know
	wake  chan struct{}         // when it may be told
	ended chan struct{}
	once  sync.Once
	tasks sync.WaitGroup
}

func newPipeline(life context.Context, conn net.Conn, lost func(), news *news) *pipeline {
	p := &pipeline{conn: conn, lost: lost, news: news,
		turn: make(chan struct{}, 1), to: bufio.NewWriterSize(conn, pipelineBuffer),
		open: make(chan *exchange, pipelineDepth), answered: make(chan raft.AppendFuture),
		wake: make(chan struct{}, 1), ended: make(chan struct{})}
	p.watch = time.AfterFunc(time.Hour, p.check)
	p.watch.Reset(raftTimeout)
	news.add(p) // before anything that may end it, and so remove it
	p.stop = context.AfterFunc(life, p.end)
	p.tasks.Go(p.tellOn)
	p.tasks.Go(p.listen)
	return p
}

// AppendEntries implements raft.AppendPipeline. It waits until there is room for
// one more request.
func (p *pipeline) AppendEntries(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	trim(args)
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	p.form = *args
	p.form.Entries = nil
	x, err := p.send(args, resp)
	if due := p.due.Load(); err == nil && due != nil && due.index > p.told && due.index <= p.sent {
		notify(p.wake) // it was committed after the request had been made
	}
	return x, err
}

// send sends a request. The caller has the turn.
func (p *pipeline) send(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (*exchange, error) {
	x := &exchange{at: time.Now(), request: args, response: resp, done: make(chan struct{})}
	select {
	case p.open <- x:
	case <-p.ended:
		return nil, raft.ErrPipelineShutdown
	}
	p.asked.Add(1)
	if err := p.write(args); err != nil {
		p.lose()
		p.end()
		return nil, err
	}
	p.sent = max(p.sent, args.PrevLogEntry+uint64(len(args.Entries)))
	p.told = max(p.told, min(p.sent, args.LeaderCommitIndex))
	return x, nil
}

func (p *pipeline) write(args *raft.AppendEntriesRequest) error {
	if !p.greeted {
		p.greeted = true
		if err := errors.Join(p.to.WriteByte(kindAppends), appends.WriteHello(p.to, args.RPCHeader)); err != nil {
			return err
		}
	}
	if err := appends.WriteRequest(p.to, args); err != nil {
		return err
	}
	return p.to.Flush()
}

// listen takes the answers.
func (p *pipeline) listen() {
	defer p.end()
	from := bufio.NewReader(p.conn)
	for {
		var a appends.Answer
		err := appends.ReadAnswer(from, &a)
		if err != nil {
			a = appends.Answer{Failure: err.Error()}
			p.lose()
		}
		select {
		case x := <-p.open:
			if err == nil {
				p.heard.Add(1)
			}
			if !p.pass(x, &a) {
				return
			}
		default:
			return // nothing has been asked: raft notices when it asks again
		}
	}
}

// pass gives raft an answer. False means that none is wanted any more. What failed
// is no success, whatever else is said: raft does not look at the error.
func (p *pipeline) pass(x *exchange, a *appends.Answer) bool {
	if a.Failure != "" {
		x.err = errors.New(a.Failure)
		a.Success = false
	}
	*x.response = a.AppendEntriesResponse
	close(x.done)
	select {
	case p.answered <- x:
		return a.Success && x.response.Term <= x.request.Term
	case <-p.ended:
		return false
	}
}

// check looks whether anything has been answered since the last time, if there was
// something to answer. (A deadline for each request would cost more than all else
// that is done for it here.) A follower whose disk takes three seconds for each of
// two requests answers in time: raft's own deadline, too, begins with the answer to
// the former one.
func (p *pipeline) check() {
	if p.isOver() {
		return
	}
	heard := p.heard.Load()
	if heard == p.former && heard < p.before {
		p.lose()
		p.end()
		return
	}
	p.before, p.former = p.asked.Load(), heard
	p.watch.Reset(raftTimeout)
}

// lose says that the connection has failed, unless it was closed here.
func (p *pipeline) lose() {
	if !p.isOver() {
		p.lost()
	}
}

func (p *pipeline) isOver() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// end makes an end of it, and waits for nothing.
func (p *pipeline) end() {
	p.once.Do(func() {
		close(p.ended)
		p.watch.Stop()
		_ = p.conn.Close() // there is nothing left to say
		p.news.remove(p)
	})
}

// Consumer implements raft.AppendPipeline.
func (p *pipeline) Consumer() <-chan raft.AppendFuture { return p.answered }

// Close implements raft.AppendPipeline.
//
// That it has ended is said again. The schedule: it ends by itself, a barrier has
// raft send something, and that is how raft comes to know; so it is spent, and what
// had been on its way would wait for raft's timer. Not if there never was an answer:
// with a follower that takes appends, only not in this form, that would go on for
// ever, and every time with another barrier in the log.
func (p *pipeline) Close() error {
	p.stop()
	p.end()
	p.tasks.Wait()
	if p.heard.Load() > 0 {
		notify(p.news.changed)
	}
	return nil
}

// exchange is a request and what was answered. It implements raft.AppendFuture.
type exchange struct {
	at       time.Time
	request  *raft.AppendEntriesRequest
	response *raft.AppendEntriesResponse
	done     chan struct{}
	err      error
}

// Error implements raft.Future. It waits for the answer, which never comes if the
// pipeline has ended before.
func (x *exchange) Error() error {
	<-x.done
	return x.err
}

// Start implements raft.AppendFuture.
func (x *exchange) Start() time.Time { return x.at }

// Request implements raft.AppendFuture.
func (x *exchange) Request() *raft.AppendEntriesRequest { return x.request }

// Response implements raft.AppendFuture.
func (x *exchange) Response() *raft.AppendEntriesResponse { return x.response }
