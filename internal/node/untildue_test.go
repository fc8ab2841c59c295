package node

import (
	"testing"
	"time"
)

// dueAt is a state machine in which something is due next, or, at 0, nothing ever.
type dueAt struct {
	machine
	at int64
}

func (d dueAt) NextDue() (int64, bool) { return d.at, d.at != 0 }

// still is a clock that does not move.
type still struct{}

func (still) Now() time.Time         { return time.Time{} }
func (still) Elapsed() time.Duration { return time.Minute }

func TestHowLongAnIdleLeaderSleeps(t *testing.T) {
	now := int64(time.Hour)
	clock := newClusterClock(still{})
	clock.begin(now)
	const late = time.Millisecond // a timer that is early would find nothing
	for name, c := range map[string]struct {
		due, stamped int64
		want         time.Duration
	}{
		"nothing has a deadline":         {0, now, time.Hour},
		"something is due soon":          {now + 1e8, now, 100*time.Millisecond + late},
		"something is due, and stays":    {now - 1, now, dueLeast},
		"the clock wants a stamp before": {now + 1e12, now - 6e8, 400*time.Millisecond + late},
		"it wants one now":               {now + 1e12, now - heartbeat, dueLeast},
		"the last stamp is ahead":        {now + 1e12, now + 1e11, time.Second + late},
		"due at the end of time":         {1<<63 - 1, now, time.Second + late},
	} {
		r := round{proposer: &proposer{machine: dueAt{at: c.due}, clock: clock}, stamped: c.stamped}
		if got := r.untilDue(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
