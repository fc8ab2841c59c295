package forward

import (
	"bufio"
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

// Serve reads the parts of one origin until the connection ends. It returns nil
// when the other side closed it between two parts, and [ErrFrame] when what it
// sent cannot be taken.
func Serve(conn net.Conn, origin uint64, submit Submit) error {
	s := &server{conn: conn}
	r := bufio.NewReaderSize(conn, 64<<10)
	for {
		p, err := readInTime(conn, r)
		if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("serving %016x: %w", origin, err)
		}
		p.Origin = origin
		first := p.First
		submit(p, func(why command.Refusal) { s.refuse(first, why) })
	}
}

// readInTime waits for a frame for as long as it takes, and for the rest of it
// no longer than the other side would wait for it to be taken.
func readInTime(conn net.Conn, r *bufio.Reader) (command.Part, error) {
	if _, err := r.Peek(1); err != nil {
		return command.Part{}, err
	}
	// If a connection takes no deadline it has ended, and what has come of it is
	// in the buffer.
	_ = conn.SetReadDeadline(time.Now().Add(writeTimeout))
	defer func() { _ = conn.SetReadDeadline(time.Time{}) }()
	return readPart(r)
}

type server struct {
	mu   sync.Mutex // guards writing
	conn net.Conn
}

func (s *server) refuse(first uint64, why command.Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.conn.SetWriteDeadline(time.Now().Add(refusalTimeout))
	if _, err := s.conn.Write(appendRefusal(nil, first, why)); err != nil {
		// The origin must not go on believing that the part was taken. It takes
		// the end of the connection for "may have been logged" and asks again.
		_ = s.conn.Close()
	}
}
