package forward

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo/internal/command"
)

// crowd is a server with any number of connections.
type crowd struct {
	*testing.T
	*Server
	ctx       context.Context
	leave     context.CancelFunc
	running   sync.WaitGroup
	submitted chan uint64 // firsts of what came whole
}

func newCrowd(t *testing.T) *crowd {
	c := &crowd{T: t, Server: NewServer(), submitted: make(chan uint64, 100)}
	c.ctx, c.leave = context.WithCancel(context.Background())
	return c
}

// connect returns the far end of a connection that is served.
func (c *crowd) connect() net.Conn {
	here, there := net.Pipe()
	c.running.Go(func() {
		_ = c.Serve(c.ctx, there, func(p command.Part, _ func(command.Refusal)) { c.submitted <- p.First })
		_ = there.Close()
	})
	return here
}

// largest is part 1, as large as one can be, in its frame.
var largest = sync.OnceValue(func() []byte { return from(frameOf(large(1, command.MaxOp-100))) })

// stalls is a peer that sends so much of the largest part, and no more.
func (c *crowd) stalls(sent int) {
	conn := c.connect()
	c.running.Go(func() {
		_, _ = conn.Write(largest()[:sent]) // until the other side closes it
	})
}

func (c *crowd) end() {
	c.leave()
	c.running.Wait()
	if c.room.left != roomBytes || len(c.room.stays) > 0 {
		c.Errorf("room for %d bytes is left when nobody is there", c.room.left)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The schedule that room is for.
func TestUnfinishedPartsAreBoundedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const peers, each = 12, 20 << 20
		c := newCrowd(t)
		before := heap() + uint64(len(largest()))
		for range peers {
			c.stalls(each)
		}
		synctest.Wait()
		if took := int64(heap() - before); took > roomBytes+peers*(2*smallPart) {
			t.Errorf("%d unfinished parts take %d MB", peers, took>>20)
		}
		c.end()
	})
}

// Members are served while others stall: what is small at once, and what is
// large as soon as the place of a stalled one may be taken.
func TestStalledPartsDoNotKeepOthersOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		for range 12 {
			c.stalls(1 << 20)
		}
		synctest.Wait()
		began := time.Now()
		send := func(p command.Part) {
			client := watch(c.connect(), func(refusal) {})
			if err := client.Send(&p); err != nil {
				t.Error(err)
			}
			if first := <-c.submitted; first != p.First {
				t.Errorf("part %d was submitted", first)
			}
			client.end(t)
		}
		send(large(1, 100<<10))
		if took := time.Since(began); took > 0 {
			t.Errorf("a small part took %v", took)
		}
		send(large(2, command.MaxOp-100))
		if took := time.Since(began); took > 2*grace {
			t.Errorf("a large part took %v", took)
		}
		c.end()
	})
}

// The one of which most has come keeps its place, however long it takes.
func TestWhoIsAheadGetsThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		conn := c.connect()
		frame := largest()
		var sent error
		c.running.Go(func() {
			const pieces = 16
			for i := range pieces {
				if _, err := conn.Write(frame[i*len(frame)/pieces : (i+1)*len(frame)/pieces]); err != nil {
					sent = err
					return
				}
				time.Sleep(writeTimeout * 9 / 10 / pieces)
			}
			_ = conn.Close()
		})
		time.Sleep(grace / 2)
		for range 12 {
			c.stalls(1 << 20)
		}
		if first := <-c.submitted; first != 1 || sent != nil {
			t.Errorf("part %d was submitted, sending it: %v", first, sent)
		}
		c.end()
	})
}

// Who waits for room ends with the node.
func TestWaitingForRoomEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom()
		if err := r.stay().enter(t.Context(), roomBytes); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := r.stay().enter(ctx, 1); !errors.Is(err, errNoRoom) || time.Since(began) != time.Millisecond {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		late := r.stay()
		late.until = time.Now().Add(time.Second / 2)
		if err := late.enter(t.Context(), 1); !errors.Is(err, errNoRoom) || time.Now().Before(late.until) {
			t.Errorf("before its time was up: %v", err)
		}
	})
}
