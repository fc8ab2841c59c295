package wire

import (
	"container/list"
	"sync"
	"time"
)

// grace is how long a connection is safe from being dropped for a newer one. A node's own preamble is there as soon as its
// connection is, but the goroutine that reads it may not have run yet when a burst of others comes in behind it. While all
// pending ones are that young, the accept loop waits and the burst stays in the kernel's queue: of a burst, limit connections
// get in per grace, so that 2,000 idle ones hold up a node by 0.2 s.
const grace = 25 * time.Millisecond

// pending holds the accepted connections that have not been answered yet, oldest first, at most limit.
type pending struct {
	limit int
	freed chan struct{} // a token when somebody left; only the accept loop waits for it

	mu    sync.Mutex // guards queue and the gone of what was in it
	queue list.List  // of *waiting
}

type waiting struct {
	conn  *conn
	since time.Time
	place *list.Element
	gone  bool
}

func newPending(limit int) *pending {
	return &pending{limit: limit, freed: make(chan struct{}, 1)}
}

// enter makes room for c, at the expense of the oldest if it must, and adds it. nil if stop is closed first.
func (q *pending) enter(c *conn, stop <-chan struct{}) *waiting {
	for {
		w, oldest, wait := q.tryEnter(c)
		if oldest != nil {
			oldest.sever()
		}
		if w != nil {
			return w
		}
		timer := time.NewTimer(wait)
		select {
		case <-q.freed:
		case <-timer.C:
		case <-stop:
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// tryEnter adds c if there is room. Otherwise it takes out the oldest in its favour, for the caller to sever, or says how long
// that one is still safe.
func (q *pending) tryEnter(c *conn) (added *waiting, oldest *conn, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.queue.Len() >= q.limit {
		first := q.queue.Front().Value.(*waiting)
		if age := time.Since(first.since); age < grace {
			return nil, nil, grace - age
		}
		q.remove(first)
		oldest = first.conn
	}
	w := &waiting{conn: c, since: time.Now()}
	w.place = q.queue.PushBack(w)
	return w, oldest, 0
}

// leave takes w out. False if it has been dropped for a newer one.
func (q *pending) leave(w *waiting) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.gone {
		return false
	}
	q.remove(w)
	select {
	case q.freed <- struct{}{}:
	default:
	}
	return true
}

func (q *pending) remove(w *waiting) {
	q.queue.Remove(w.place)
	w.gone = true
}
