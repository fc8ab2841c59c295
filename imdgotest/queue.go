package imdgotest

import (
	"io"
	"os"
	"sync"
	"time"
)

// chunkSize bounds what is handed on in one piece. It also bounds what a cut can come too late for.
const chunkSize = 16 << 10

// chunk is a piece of a stream and when it may arrive; the zero time means at once.
type chunk struct {
	data []byte
	due  time.Time
}

// queue is one direction of a byte stream: a bounded buffer with a deadline for each of its two
// sides. It waits on a sync.Cond alone, so that it works inside a synctest bubble.
type queue struct {
	limit int
	stamp func() time.Time // when a chunk written now is due; nil: at once

	mu      sync.Mutex // guards all below
	changed *sync.Cond
	chunks  []chunk
	size    int
	writing bool  // concurrent writes take turns; a mutex would not let a bubble's time pass
	closed  error // nothing more is written, what is buffered can still be read
	failed  error // neither side gets anything any more
	readBy  deadline
	writeBy deadline
}

func newQueue(limit int, stamp func() time.Time) *queue {
	q := &queue{limit: limit, stamp: stamp}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// wait returns when ready says so or fails, when the queue fails, or when the deadline passes.
func (q *queue) wait(by *deadline, ready func() (bool, error)) error {
	for {
		if q.failed != nil {
			return q.failed
		}
		if by.passed {
			return os.ErrDeadlineExceeded
		}
		if ok, err := ready(); ok || err != nil {
			return err
		}
		q.changed.Wait()
	}
}

// write buffers a copy of p, waiting for room as long as the deadline allows. The bytes of one
// write stay together.
func (q *queue) write(p []byte) (n int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	turn := func() (bool, error) { return !q.writing, q.closed }
	if err := q.wait(&q.writeBy, turn); err != nil {
		return 0, err
	}
	q.writing = true
	defer func() {
		q.writing = false
		q.changed.Broadcast()
	}()
	room := func() (bool, error) { return q.size < q.limit, q.closed }
	for n < len(p) {
		if err := q.wait(&q.writeBy, room); err != nil {
			return n, err
		}
		n += q.push(p[n:])
	}
	return n, nil
}

// push buffers as much of p as fits in one chunk and in the limit.
func (q *queue) push(p []byte) int {
	c := chunk{data: append([]byte(nil), p[:min(len(p), q.limit-q.size, chunkSize)]...)}
	if q.stamp != nil {
		c.due = q.stamp()
	}
	q.chunks = append(q.chunks, c)
	q.size += len(c.data)
	q.changed.Broadcast()
	return len(c.data)
}

// read takes what is there, waiting for at least one byte as long as the deadline allows.
func (q *queue) read(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.wait(&q.readBy, q.readable); err != nil {
		return 0, err
	}
	n := copy(p, q.chunks[0].data)
	q.take(n)
	return n, nil
}

// next waits for the first chunk and leaves it in place, so that it counts against the limit until
// pop says that it has been handed on.
func (q *queue) next() (chunk, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.wait(&q.readBy, q.readable); err != nil {
		return chunk{}, err
	}
	return q.chunks[0], nil
}

func (q *queue) pop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.chunks) > 0 { // fail empties the queue under its reader
		q.take(len(q.chunks[0].data))
	}
}

func (q *queue) readable() (bool, error) {
	if len(q.chunks) == 0 && q.closed != nil {
		return false, io.EOF
	}
	return len(q.chunks) > 0, nil
}

// take removes n bytes of the first chunk.
func (q *queue) take(n int) {
	q.size -= n
	q.chunks[0].data = q.chunks[0].data[n:]
	if len(q.chunks[0].data) == 0 {
		q.chunks[0] = chunk{}
		q.chunks = q.chunks[1:]
	}
	q.changed.Broadcast()
}

// close refuses further writes with err. The reader gets what is buffered, then io.EOF.
func (q *queue) close(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed == nil {
		q.closed = err
	}
	q.writeBy.stop()
	q.changed.Broadcast()
}

// fail drops what is buffered and ends both sides with err.
func (q *queue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failed == nil {
		q.failed = err
	}
	q.chunks, q.size = nil, 0
	q.readBy.stop()
	q.writeBy.stop()
	q.changed.Broadcast()
}

func (q *queue) setReadDeadline(t time.Time)  { q.setDeadline(&q.readBy, t) }
func (q *queue) setWriteDeadline(t time.Time) { q.setDeadline(&q.writeBy, t) }

func (q *queue) setDeadline(d *deadline, t time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failed == nil {
		d.at(t, q.changed)
		q.changed.Broadcast()
	}
}
