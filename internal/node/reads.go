package node

import (
	"context"
	"time"

	"github.com/inelpandzic/imdgo/internal/command"
)

const (
	// tellMost is how often a follower tells the leader what was read here, and
	// tellLeast how often while much is being evicted: whoever is new has to prove
	// itself before its turn comes, which is soon then.
	tellMost  = 250 * time.Millisecond
	tellLeast = 25 * time.Millisecond
	// tellRate is how many bytes per second that may take.
	tellRate = 128 << 10
)

// tellReads tells the leader what was read here, for its policies, while there is
// so little room that something may be evicted. What is lost on the way is lost:
// the entry is told again when it is read again.
func (l *life) tellReads() {
	machine := l.node.machine
	evicted, every := machine.Evictions(), tellMost
	for l.ctx.Err() == nil {
		leader, ok := l.leader()
		follows := ok && leader.inc != l.inc
		machine.Notice(follows)
		pause(l.ctx, every)
		if !follows {
			every = tellMost
			continue
		}
		l.tell(leader, min(command.MaxReads, int(tellRate*every.Seconds())))
		former := evicted
		evicted = machine.Evictions()
		every = tellPause(every, int64(evicted-former), int64(machine.Account().Entries))
	}
}

// tellPause is about the time in which a hundredth of all entries are evicted.
func tellPause(last time.Duration, evicted, entries int64) time.Duration {
	if evicted == 0 {
		return tellMost
	}
	return min(max(last*time.Duration(entries/100+1)/time.Duration(evicted), tellLeast), tellMost)
}

func (l *life) tell(leader leader, most int) {
	q := l.question(askHear)
	if q.Reads = l.node.machine.Reads(most); len(q.Reads) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(l.ctx, time.Second)
	defer cancel()
	if _, err := l.exchange(ctx, leader.addr, q); err != nil {
		l.node.log.Debug("telling the leader what was read", "error", err)
	}
}

// hear takes in what was read on a member.
func (l *life) hear(q *question) error {
	if !l.leads() {
		return errNotLeader
	}
	if present, _ := l.livesOf(server(q.Name, q.Incarnation)); !present {
		return errNoMember
	}
	return l.node.machine.Hear(q.Reads)
}
