package node

import (
	"bufio"
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/appends"
)

// follower is the other end of a pipeline. It takes everything, as long as it is
// not told otherwise.
type follower struct {
	conn   net.Conn
	answer func(*raft.AppendEntriesRequest) (appends.Answer, bool) // false: none, ever

	mu  sync.Mutex
	got []raft.AppendEntriesRequest
}

func pipelineTo(t *testing.T, life context.Context, n *news) (*pipeline, *follower) {
	t.Helper()
	here, there := net.Pipe()
	f := &follower{conn: there, answer: func(q *raft.AppendEntriesRequest) (appends.Answer, bool) {
		return appends.Answer{AppendEntriesResponse: raft.AppendEntriesResponse{Term: q.Term, Success: true}}, true
	}}
	p := newPipeline(life, here, func() {}, n)
	var running sync.WaitGroup
	running.Go(func() { f.run(t) })
	running.Go(func() { // plays raft
		for {
			select {
			case <-p.Consumer():
			case <-p.ended:
				return
			}
		}
	})
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		_ = there.Close()
		running.Wait()
	})
	return p, f
}

func (f *follower) run(t *testing.T) {
	from, to := bufio.NewReader(f.conn), bufio.NewWriter(f.conn)
	if kind, err := from.ReadByte(); err != nil || kind != kindAppends {
		return // nothing has been sent
	}
	r, err := appends.NewReader(from, appends.Limits{Entries: entriesMost, Bytes: rpcMost})
	if err != nil {
		t.Error(err)
		return
	}
	for {
		q, err := r.Read()
		if err != nil {
			return
		}
		f.mu.Lock()
		f.got = append(f.got, *q)
		f.mu.Unlock()
		if a, ok := f.answer(q); ok && (appends.WriteAnswer(to, &a) != nil || to.Flush() != nil) {
			return
		}
	}
}

// requests are those that have come since this was last asked.
func (f *follower) requests() []raft.AppendEntriesRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer func() { f.got = nil }()
	return slices.Clone(f.got)
}

// request is the nth of four entries each.
func request(n uint64) *raft.AppendEntriesRequest {
	return appending(func(q *raft.AppendEntriesRequest) {
		q.PrevLogEntry += 4 * n
		for _, e := range q.Entries {
			e.Index += 4 * n
		}
	})
}

func (p *pipeline) over() bool {
	synctest.Wait()
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func TestRequestsArriveInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := pipelineTo(t, t.Context(), newNews())
		for n := range uint64(5) {
			x, err := p.AppendEntries(request(n), new(raft.AppendEntriesResponse))
			if err != nil {
				t.Fatal(err)
			}
			if err := x.Error(); err != nil || !x.Response().Success {
				t.Errorf("request %d was answered by %+v, %v", n, x.Response(), err)
			}
		}
		if p.over() {
			t.Error("it has ended")
		}
		for n, q := range f.requests() {
			want := request(uint64(n))
			if q.Term != want.Term || string(q.ID) != string(want.ID) || q.Entries[3].Index != want.Entries[3].Index {
				t.Errorf("request %d has come as %+v", n, q)
			}
		}
	})
}

func TestAPipelineHoldsSoMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := pipelineTo(t, t.Context(), newNews())
		f.answer = func(*raft.AppendEntriesRequest) (appends.Answer, bool) { return appends.Answer{}, false }
		var sent atomic.Int32
		go func() {
			for n := uint64(0); ; n++ {
				if _, err := p.AppendEntries(request(n), new(raft.AppendEntriesResponse)); err != nil {
					return
				}
				sent.Add(1)
			}
		}()
		if synctest.Wait(); sent.Load() != pipelineDepth {
			t.Errorf("%d requests are on their way", sent.Load())
		}
	})
}

// What ends a pipeline. Raft notices by a response that is no success, or by an
// error when it sends.
func TestAPipelineEnds(t *testing.T) {
	success := func(q *raft.AppendEntriesRequest) appends.Answer {
		return appends.Answer{AppendEntriesResponse: raft.AppendEntriesResponse{Term: q.Term, Success: true}}
	}
	for name, c := range map[string]struct {
		answer func(*raft.AppendEntriesRequest) (appends.Answer, bool)
		after  time.Duration
		goesOn bool
	}{
		"success": {func(q *raft.AppendEntriesRequest) (appends.Answer, bool) { return success(q), true }, time.Hour, true},
		"no answer yet": {func(*raft.AppendEntriesRequest) (appends.Answer, bool) { return appends.Answer{}, false },
			raftTimeout - 1, true},
		"no answer": {func(*raft.AppendEntriesRequest) (appends.Answer, bool) { return appends.Answer{}, false },
			2 * raftTimeout, false},
		"a refusal": {func(*raft.AppendEntriesRequest) (appends.Answer, bool) { return appends.Answer{}, true }, 0, false},
		"a later term": {func(q *raft.AppendEntriesRequest) (appends.Answer, bool) {
			a := success(q)
			a.Term++
			return a, true
		}, 0, false},
		"a failure": {func(q *raft.AppendEntriesRequest) (appends.Answer, bool) { return appends.Answer{Failure: "no"}, true }, 0, false},
		"a success that failed": {func(q *raft.AppendEntriesRequest) (appends.Answer, bool) {
			a := success(q)
			a.Failure = "no"
			return a, true
		}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, f := pipelineTo(t, t.Context(), newNews())
				f.answer = c.answer
				x, err := p.AppendEntries(request(0), new(raft.AppendEntriesResponse))
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(c.after)
				if p.over() == c.goesOn {
					t.Fatalf("it goes on: %v", !c.goesOn)
				}
				if strings.Contains(name, "fail") && x.Response().Success {
					t.Error("raft takes it for a success")
				}
				if name == "a failure" && (x.Error() == nil || x.Error().Error() != "no") {
					t.Errorf("it failed with %v", x.Error())
				}
				if _, err := p.AppendEntries(request(1), new(raft.AppendEntriesResponse)); (err == nil) != c.goesOn {
					t.Errorf("a further request: %v", err)
				}
			})
		})
	}
}

func TestAPipelineEndsWithItsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		life, end := context.WithCancel(t.Context())
		p, _ := pipelineTo(t, life, newNews())
		if end(); !p.over() {
			t.Error("it goes on")
		}
	})
}

// An answer to nothing is none: whoever sends it is not what it says.
func TestAnAnswerThatNobodyAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := pipelineTo(t, t.Context(), newNews())
		to := bufio.NewWriter(f.conn)
		if err := errors.Join(appends.WriteAnswer(to, new(appends.Answer)), to.Flush()); err != nil {
			t.Fatal(err)
		}
		if !p.over() {
			t.Error("it goes on")
		}
	})
}

// The schedule: the follower's answer to the dial is followed by the end of the
// connection, before newPipeline has returned. A pipeline that is noted only then is
// noted for as long as the life lasts, with its buffer.
func TestAPipelineThatHasEndedIsForgotten(t *testing.T) {
	over, end := context.WithCancel(t.Context())
	end()
	for range 2000 {
		n := newNews()
		here, there := net.Pipe()
		_ = there.Close()
		p := newPipeline(over, here, func() {}, n)
		<-p.ended
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if len(n.pipelines) != 0 {
			t.Fatal("it is still told of what is committed")
		}
	}
}

// A follower that is slow, and answers, has two requests waiting all the time. Each
// answer is in time, counted from the one before.
func TestAPipelineToASlowDiskGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, f := pipelineTo(t, t.Context(), newNews())
		var stopped atomic.Bool
		f.answer = func(q *raft.AppendEntriesRequest) (appends.Answer, bool) {
			time.Sleep(raftTimeout * 3 / 5)
			return appends.Answer{AppendEntriesResponse: raft.AppendEntriesResponse{Term: q.Term, Success: true}}, !stopped.Load()
		}
		for n := range uint64(50) {
			if _, err := p.AppendEntries(request(n), new(raft.AppendEntriesResponse)); err != nil {
				t.Fatalf("request %d: %v", n, err)
			}
		}
		stopped.Store(true)
		if time.Sleep(4 * raftTimeout); !p.over() {
			t.Error("it goes on when there are no more answers")
		}
	})
}

// Raft has to send again what was on its way when a pipeline ended, and can only
// once it has closed it. With a follower that answers no pipeline there is no hurry.
func TestRaftIsStirredWhenItHasClosedAPipeline(t *testing.T) {
	for name, answers := range map[string]int{"after an answer": 1, "without any": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNews()
				p, f := pipelineTo(t, t.Context(), n)
				<-n.changed // it is there
				for range answers {
					if _, err := p.AppendEntries(request(0), new(raft.AppendEntriesResponse)); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				_ = f.conn.Close()
				if !p.over() {
					t.Error("it goes on")
				}
				<-n.changed // it has ended
				if err := p.Close(); err != nil {
					t.Error(err)
				}
				if stirred := len(n.changed) > 0; stirred != (answers > 0) {
					t.Errorf("something is said: %v", stirred)
				}
			})
		})
	}
}
