package imdgotest

import (
	"sync"
	"time"
)

// longAgo is a deadline that has passed, inside a synctest bubble (which begins in 2000) too.
var longAgo = time.Unix(1, 0)

// deadline says whether a point in time has passed, and wakes those who wait on a condition when it
// does. It is guarded by the condition's lock.
type deadline struct {
	passed bool
	timer  *time.Timer
	set    int // counts calls of at: a timer that fires late must not speak for a newer deadline
}

// at replaces the deadline; the zero time means none.
func (d *deadline) at(t time.Time, changed *sync.Cond) {
	d.stop()
	d.set++
	left := time.Until(t)
	d.passed = !t.IsZero() && left <= 0
	if t.IsZero() || d.passed {
		return
	}
	set := d.set
	d.timer = time.AfterFunc(left, func() {
		changed.L.Lock()
		defer changed.L.Unlock()
		if d.set == set {
			d.passed = true
			changed.Broadcast()
		}
	})
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
