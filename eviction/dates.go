package eviction

const (
	// days is how many dates are kept, and perLength how many of them for as many
	// additions as there are entries.
	days      = 64
	perLength = 16
)

// dates says about what the caller's clock read when there had been so many
// additions: a reading in each entry would take 8 bytes more. What is older than
// four times as many additions as there are entries reads as the oldest date.
type dates struct {
	days [days]date // the oldest first
	n    int
}

type date struct {
	count uint32
	clock uint64
}

// note dates an addition, if it is far enough from the last that is dated for so
// many entries.
func (d *dates) note(count uint32, clock uint64, entries int) {
	if d.n > 0 && count-d.days[d.n-1].count < uint32(max(1, entries/perLength)) {
		return
	}
	if d.n == days {
		copy(d.days[:], d.days[1:])
		d.n--
	}
	d.days[d.n] = date{count, clock}
	d.n++
}

// read is what the clock read age additions before now, or somewhat earlier.
func (d *dates) read(age, now uint32) uint64 {
	for i := d.n - 1; i > 0; i-- {
		if now-d.days[i].count >= age {
			return d.days[i].clock
		}
	}
	return d.days[0].clock
}
