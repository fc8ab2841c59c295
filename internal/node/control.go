package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/inelpandzic/imdgo/internal/value"
	"github.com/inelpandzic/imdgo/internal/wire"
)

const (
	// controlFrame bounds a question or an answer.
	controlFrame = 64 << 10
	// controlTimeout bounds an exchange; changing raft's configuration takes a
	// few round trips between the leader and the others.
	controlTimeout = 3 * time.Second
)

// ask is what a question wants. The numbers are on the wire: append only.
type ask uint8

const (
	askStatus  ask = iota + 1 // who are you, and what do you know
	askPromise                // promise to form a cluster with me, and nobody else
	askRelease                // forget that promise
	askJoin                   // let me into your cluster
	askPromote                // I have caught up: give me a vote
	askLeave                  // let me go
	askTime                   // I have come back: let me hear the time
	askHear                   // hear what was read here
	askState                  // I have no state any more: be able to send me yours
)

// question is one node's to another, about clusters.
type question struct {
	Ask         ask
	Name        string           // of who asks: what others dial
	Incarnation wire.Incarnation // of who asks
	Members     []string         // that it was given, sorted
	Round       uint64           // of its attempt to form a cluster
	Budget      int64            // what it can give to entries, in bytes
	Named       bool             // its user has named that
	Reads       []byte           // see command.AppendReads
	Index, Term uint64           // the last entry of its log, where it asks for the state
}

// answer always says who answers and what that node knows.
type answer struct {
	Name        string
	Incarnation wire.Incarnation
	Cluster     wire.ClusterID // 0: in none
	Members     []string
	Voters      []string           // of the newest configuration it knows, as raft's server ids
	Leader      string             // as raft's address, "" if it knows none
	Leads       bool               // it is the leader
	Knows       bool               // who asks is in its configuration
	Commit      uint64             // its commit index
	Term        uint64             // its term
	Time        int64              // of the cluster, as it sees it; 0: it does not know
	Round       uint64             // of its latest attempt to form a cluster
	Forming     bool               // that attempt is under way
	Leaving     bool               // it is about to leave its cluster
	Closing     bool               // it is about to end, whether it leaves or not
	Shuns       []wire.Incarnation // with which it forms no cluster
	Able        bool               // it reaches a majority of its Members that belong to no cluster
	Budget      int64              // what it can give to entries, in bytes

	Granted bool
	Reason  string // why not
	Refused bool   // and will not be, as things are
}

// askAt asks the node at addr, whoever it is now.
func (l *life) askAt(ctx context.Context, addr string, a ask) (answer, error) {
	return l.exchange(ctx, addr, l.question(a))
}

func (l *life) question(a ask) question {
	return question{Ask: a, Name: l.name, Incarnation: l.inc, Members: l.node.cfg.Members, Round: l.round(),
		Budget: l.node.cfg.Budget.Entries, Named: l.node.cfg.Budget.Named}
}

// exchange asks the node at addr, and waits for its answer.
func (l *life) exchange(ctx context.Context, addr string, q question) (answer, error) {
	purpose := wire.Join
	if q.Ask == askStatus {
		purpose = wire.Probe
	}
	conn, err := l.node.port.Dial(ctx, addr, wire.Preamble{Purpose: purpose, Cluster: l.cluster(), Origin: l.inc})
	if err != nil {
		return answer{}, fmt.Errorf("asking %s: %w", addr, err)
	}
	defer conn.Close() // there is nothing left to say
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var r answer
	if err := errors.Join(conn.SetDeadline(time.Now().Add(controlTimeout)), writeFrame(conn, &q)); err != nil {
		return answer{}, fmt.Errorf("asking %s: %w", addr, err)
	}
	if err := readFrame(conn, &r); err != nil {
		return answer{}, fmt.Errorf("waiting for the answer of %s: %w", addr, err)
	}
	return r, nil
}

// serveControl answers the one question of a connection.
func (n *Node) serveControl(conn net.Conn) {
	var q question
	if err := errors.Join(conn.SetDeadline(time.Now().Add(controlTimeout)), readFrame(conn, &q)); err != nil {
		n.log.Debug("reading a question", "from", conn.RemoteAddr(), "error", err)
		return
	}
	l := n.life.Load()
	if l == nil {
		return // closing: whoever asked sees the connection end
	}
	a := l.reply(&q)
	if err := errors.Join(conn.SetDeadline(time.Now().Add(controlTimeout)), writeFrame(conn, &a)); err != nil {
		n.log.Debug("answering", "to", q.Name, "error", err)
	}
}

func (l *life) reply(q *question) answer {
	var err error
	if l.leads() {
		l.learnBudget(server(q.Name, q.Incarnation).ID, q.Budget)
	}
	switch q.Ask {
	case askStatus:
	case askPromise:
		err = l.givePromise(q)
	case askRelease:
		l.releasePromise(q)
	case askJoin:
		err = l.letIn(q)
	case askPromote:
		err = l.promote(q)
	case askLeave:
		err = l.letGo(q)
	case askTime:
		l.proposer.tellTime()
	case askHear:
		err = l.hear(q)
	case askState:
		err = l.provide(q)
	default:
		err = fmt.Errorf("question %d is unknown here", q.Ask)
	}
	a := l.status(q)
	a.Granted = err == nil
	if err != nil {
		a.Reason = err.Error()
		a.Refused = errors.As(err, new(poorError))
	}
	return a
}

func writeFrame(w io.Writer, v any) error {
	body, err := msgpack.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	return err
}

// readFrame reads what writeFrame wrote. The bytes are bounded and walked
// before they are decoded: msgpack allocates what a length claims.
func readFrame(r io.Reader, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > controlFrame {
		return fmt.Errorf("frame of %d bytes, the most is %d", n, controlFrame)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	if err := value.Check(body); err != nil {
		return err
	}
	return msgpack.Unmarshal(body, v)
}
