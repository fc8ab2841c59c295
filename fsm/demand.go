package fsm

const (
	// slack is what is offered beyond what is expected to be needed.
	slack = 1.25
	// firstRatio is what is expected of the very first batch: the overhead of
	// small entries.
	firstRatio = 8
	// mostRatio bounds what is expected of a byte of operations.
	mostRatio = 256
)

// demand expects from the batches before how much room a batch will need. The
// leader cannot look at each operation: that would cost it as much as applying
// it. What is too little makes an operation come again, and teaches.
type demand struct {
	ratio float64 // of what was needed to what was asked for
	asked int64   // for the next batch; 0 on a replica that was not asked
	grown int64   // in the present batch
	idle  int     // batches since anything was needed
	short bool    // it was not enough
}

// expect is how much a batch of this size will need.
func (d *demand) expect(asked int64) int64 {
	d.asked = max(asked, 1)
	return int64(d.ratio*float64(asked)*slack) + 1
}

// learn looks at what the batch needed.
func (d *demand) learn() {
	d.idle++
	if d.grown > 0 {
		d.idle = 0
	}
	if d.asked > 0 {
		d.ratio = max(float64(d.grown)/float64(d.asked), d.ratio*0.9)
		if d.short {
			d.ratio *= 4
		}
		d.ratio = min(d.ratio, mostRatio)
	}
	d.asked, d.grown, d.short = 0, 0, false
}
