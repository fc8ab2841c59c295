package forward

import (
	"cmp"
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/inelpandzic/imdgo/internal/command"
)

const (
	// roomBytes is what large parts may take together while they are being read:
	// two of the largest. What has been read whole is bounded by whom it is
	// submitted to.
	roomBytes = 2 * command.MaxPart
	// smallPart needs no room: that many bytes may come in on every connection.
	smallPart = 256 << 10
	// grace is for how long a part may come in before it can lose its place.
	// The largest takes a third of that on a gigabit network.
	grace = time.Second
)

var errNoRoom = errors.New("other parts were coming in for too long")

// room bounds what the unfinished parts of all origins take together.
//
// The schedule it is for: thirty nodes each send half of a part of 33 MB and
// stop. Until the deadline of each part has passed, that is a gigabyte; and if
// places were only waited for, the next part of a member would come too late.
// So a part takes the room for all of it, or waits; and if none becomes free,
// the one of which least has come loses its place, and its connection. The one
// of which most has come never does, so one of them gets through, however many
// there are. Of those who wait the last one comes first: whoever stalls has been
// waiting for longer, and who waits too long begins again.
type room struct {
	mu      sync.Mutex // guards all below, and size, since and got of every stay
	left    int
	stays   []*stay
	waiting []*stay
	changed chan struct{} // closed, and replaced, when somebody has left or need not wait any more
}

// stay is a part that is coming in.
type stay struct {
	room  *room
	conn  net.Conn
	until time.Time // when it must have come
	size  int       // that it has room for, 0: none
	since time.Time // when it got that
	got   int       // bytes that have come since
}

func newRoom() *room { return &room{left: roomBytes, changed: make(chan struct{})} }

// enter waits for room for a part of size bytes. Whoever has entered leaves.
func (s *stay) enter(ctx context.Context, size int) error {
	s.room.queue(s)
	defer s.room.unqueue(s)
	for {
		in, slowest, wait, changed := s.room.tryEnter(s, size)
		if in {
			return nil
		}
		if slowest != nil {
			_ = slowest.conn.Close() // whoever serves it notices, and leaves
		}
		if wait = min(wait, time.Until(s.until)); wait <= 0 {
			return errNoRoom
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errNoRoom
		}
		timer.Stop()
	}
}

func (r *room) queue(s *stay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = append(r.waiting, s)
}

func (r *room) unqueue(s *stay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = without(r.waiting, s)
	r.wake()
}

// wake has everybody who waits look again. It is called with mu held.
func (r *room) wake() {
	if len(r.waiting) > 0 {
		close(r.changed)
		r.changed = make(chan struct{})
	}
}

func without(stays []*stay, s *stay) []*stay {
	return slices.DeleteFunc(stays, func(other *stay) bool { return other == s })
}

// tryEnter lets s in if there is room and it is its turn. Otherwise it returns
// who is to go, if somebody may be sent away already, and how long to wait, or
// for what, before it is tried again.
func (r *room) tryEnter(s *stay, size int) (in bool, slowest *stay, wait time.Duration, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting[len(r.waiting)-1] != s {
		return false, nil, grace, r.changed
	}
	if size > r.left {
		slowest, wait = r.slowest(time.Now())
		return false, slowest, wait, r.changed
	}
	s.size, s.since, s.got = size, time.Now(), 0
	r.left -= size
	r.stays = append(r.stays, s)
	return true, nil, 0, nil
}

// slowest returns who is to go, or nil if all that might are safe for a while.
func (r *room) slowest(now time.Time) (slowest *stay, wait time.Duration) {
	most := slices.MaxFunc(r.stays, func(a, b *stay) int { return cmp.Compare(a.got, b.got) })
	wait = grace
	for _, s := range r.stays {
		if age := now.Sub(s.since); age < grace {
			wait = min(wait, grace-age)
		} else if s != most && (slowest == nil || s.got < slowest.got) {
			slowest = s
		}
	}
	return slowest, wait
}

// came takes note of bytes that have come in.
func (s *stay) came(n int) {
	s.room.mu.Lock()
	defer s.room.mu.Unlock()
	s.got += n
}

// leave gives back what s has room for, if it has any.
func (s *stay) leave() {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.size == 0 {
		return
	}
	r.left += s.size
	s.size = 0
	r.stays = without(r.stays, s)
	r.wake()
}
