package forward

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/inelpandzic/imdgo/internal/command"
)

// refusalTimeout bounds the writing of a refusal, a dozen bytes, for which the
// leader's proposer waits: an origin that reads none is not worth more.
const refusalTimeout = 100 * time.Millisecond

// Submit takes a part for the log. It may block for as long as there is no
// room, which holds back the origin, and only it. refuse may be called at any
// time later, at most once, from any goroutine.
type Submit func(p command.Part, refuse func(command.Refusal))

// Server reads what other nodes forward to this one. What unfinished parts take
// is bounded over all of its connections.
type Server struct{ room *room }

// NewServer returns a server that has nothing to be closed.
func NewServer() *Server { return &Server{newRoom()} }

// Serve reads the parts of one origin, which is what the connection begins with,
// until the connection or ctx ends; with ctx it closes the connection. It returns
// nil when the other side closed it between two parts, and [ErrFrame] when what
// it sent cannot be taken.
func (s *Server) Serve(ctx context.Context, conn net.Conn, submit Submit) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c := &served{conn: conn, r: bufio.NewReaderSize(conn, 64<<10), part: stay{room: s.room, conn: conn}}
	var origin uint64
	err := c.inTime(func() (err error) {
		origin, err = readOrigin(c.r)
		return err
	})
	for err == nil {
		var p command.Part
		err = c.inTime(func() (err error) {
			defer c.part.leave()
			p, err = readPart(ctx, c.r, &c.part)
			return err
		})
		if err == nil {
			p.Origin = origin
			first := p.First
			submit(p, func(why command.Refusal) { c.refuse(first, why) })
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("serving %016x: %w", origin, err)
}

// served is one connection.
type served struct {
	conn net.Conn
	r    *bufio.Reader
	part stay       // that is coming in
	mu   sync.Mutex // guards writing
}

// inTime waits for a frame for as long as it takes, and for the rest of it no
// longer than the other side would wait for it to be taken.
func (c *served) inTime(read func() error) error {
	if _, err := c.r.Peek(1); err != nil {
		return err
	}
	c.part.until = time.Now().Add(writeTimeout)
	// If a connection takes no deadline it has ended, and what has come of it is
	// in the buffer.
	_ = c.conn.SetReadDeadline(c.part.until)
	defer func() { _ = c.conn.SetReadDeadline(time.Time{}) }()
	return read()
}

func (c *served) refuse(first uint64, why command.Refusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(refusalTimeout))
	if _, err := c.conn.Write(appendRefusal(nil, first, why)); err != nil {
		// The origin must not go on believing that the part was taken. It takes
		// the end of the connection for "may have been logged" and asks again.
		_ = c.conn.Close()
	}
}
