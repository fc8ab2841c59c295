package eviction

// S3FIFO is the default policy, that of Yang, Zhang, Qiu, Yue and Rashmi: "FIFO
// queues are all you need for cache eviction", SOSP 2023. New entries stand in a
// small queue, by which most of those that are hardly ever read leave; who was
// read there more than once goes on to the main queue, and there those that were
// read get another round, one for each read up to three. What left the small
// queue is remembered, and may go to the main queue at once when it returns.
//
// In three ways it is not as in the paper, because the paper's policy answers
// nothing of a loop that is longer than the cache, and has one size of the small
// queue for all workloads:
//
//   - As long as the cache grows, entries go on to the main queue unread. A loop
//     thus finds a main queue that is full, and of which it reads all. (It also
//     means that where nothing is ever read, the first to come stay, and of the
//     later ones as many as the small queue holds.)
//   - A returning entry goes to the main queue only if it was away for less long
//     than the longest waiting entry there has been unread. That is the rule of
//     LIRS: Jiang and Zhang, SIGMETRICS 2002. Others start again in the small one.
//   - The share of the small queue follows where a few more entries would have
//     helped, see adapt.go.
//
// Shares are of the cost, so that a few large newcomers do not push out what is
// in the main queue: that was worth half a point to two points of hits where runs
// of such came by, and nothing was lost elsewhere.
//
// What it does not see through are entries that are read three times at once and
// never again: each takes a place in the main queue until its turn comes there.
//
// It takes 24 bytes per entry, in the entry, and 6 to 13 for ghosts: 9 with a
// million entries.
type S3FIFO[E Item[E]] struct {
	base[E]
	small, main list[E]
	high        int64 // the most that all has cost, see grown

	early ghosts // of the small queue, dated by when they came
	late  ghosts // of the main queue, dated by when they left
	lost  uint32 // entries that left the main queue; it wraps around
	share float64
}

// NewS3FIFO returns the default policy, without entries.
func NewS3FIFO[E Item[E]](c Config) *S3FIFO[E] {
	return &S3FIFO[E]{base: base[E]{Config: c}, share: firstShare}
}

// Len implements [Policy].
func (p *S3FIFO[E]) Len() int { return p.entries }

// Add implements [Policy].
func (p *S3FIFO[E]) Add(e E) {
	p.enter(e)
	if p.returns(e.Hash()) {
		p.main.push(e, protected)
	} else {
		p.small.push(e, probation)
	}
	if p.grown() {
		p.settle()
	}
}

// Restore implements [Policy]. What is older than all that has room in the small
// queue must have passed it elsewhere.
func (p *S3FIFO[E]) Restore(e E) {
	p.enter(e)
	p.small.push(e, probation)
	p.grown()
	p.settle()
}

// Resize implements [Policy].
func (p *S3FIFO[E]) Resize(e E, by int64) {
	if q := p.queue(e.Hook().at()); q != nil {
		q.cost += by
		p.grown()
	}
}

// Remove implements [Policy].
func (p *S3FIFO[E]) Remove(e E) {
	if q := p.queue(e.Hook().at()); q != nil {
		q.unlink(e)
		p.entries--
		p.shrunk()
	}
}

// Evict implements [Policy].
func (p *S3FIFO[E]) Evict(e E) {
	at := e.Hook().at()
	if q := p.queue(at); q != nil && at != condemned {
		for n := 0; n < reach && p.overtaken(q.oldest, e); n++ {
			passed := q.oldest
			reads := p.reads(passed)
			p.reprieve(passed, reads)
			passed.Hook().vouch(reads == 0)
		}
	}
	p.remember(e)
	p.Remove(e)
}

// Victims implements [Policy].
func (p *S3FIFO[E]) Victims(yield func(e E) bool) {
	var none E
	for e := p.named.oldest; e != none; {
		younger := e.Hook().prev
		if p.rescued(e) {
			p.main.push(e, protected)
		} else if !yield(e) {
			return
		}
		e = younger
	}
	for p.small.len+p.main.len > 0 {
		e := p.next()
		p.name(e, p.take(e))
		if !yield(e) {
			return
		}
	}
}

// Oldest implements [Policy]. An entry of the main queue that has been read is
// reprieved first, a few of them at a time: its stamp says nothing.
func (p *S3FIFO[E]) Oldest() (stamp uint64, ok bool) {
	for n := 0; ; n++ {
		stamp, ok = p.oldest(&p.small)
		s, any := p.oldest(&p.main)
		switch {
		case !ok && !any:
			return p.oldest(&p.named)
		case !any || ok && s >= stamp:
			return stamp, ok
		}
		e := p.main.oldest
		reads := p.reads(e)
		if n == glance || reads == 0 && !e.Hook().vouched() {
			return s, true
		}
		p.reprieve(e, reads)
	}
}

// queue returns the one at a place, nil for none.
func (p *S3FIFO[E]) queue(at place) *list[E] {
	switch at {
	case probation:
		return &p.small
	case protected:
		return &p.main
	case condemned:
		return &p.named
	default:
		return nil
	}
}

// take takes an entry out of its queue, and returns which it was.
func (p *S3FIFO[E]) take(e E) (from place) {
	from = e.Hook().at()
	p.queue(from).unlink(e)
	return from
}

// crowded reports whether the small queue has more than its share. The youngest
// entry alone never is too much, or none could prove itself.
func (p *S3FIFO[E]) crowded() bool {
	return p.small.len > 1 && float64(p.small.cost) > p.share*float64(p.small.cost+p.main.cost)
}

// next returns the entry that should go, and reprieves those before it.
func (p *S3FIFO[E]) next() E {
	for n := 0; ; n++ {
		e, enough := p.main.oldest, uint32(1)
		if p.main.len == 0 || p.crowded() {
			e, enough = p.small.oldest, 2
		}
		reads := p.reads(e)
		if n == reach || reads < enough && !e.Hook().vouched() {
			return e
		}
		p.reprieve(e, reads)
	}
}

// reprieve passes over an entry, which becomes the youngest of the main queue.
// One that was there already has one read less to its credit.
func (p *S3FIFO[E]) reprieve(e E, reads uint32) {
	left := uint32(0)
	if p.take(e) == protected && reads > 0 {
		left = reads - 1
	}
	p.renew(e, left)
	p.main.push(e, protected)
}

func (p *S3FIFO[E]) cost() int64 { return p.small.cost + p.main.cost + p.named.cost }

// grown reports whether there is more now than there ever was. There is no limit
// that the policy knows; but while a cache fills, this is so with each entry, and
// afterwards hardly ever.
func (p *S3FIFO[E]) grown() bool {
	cost := p.cost()
	if cost <= p.high {
		return false
	}
	p.high = cost
	return true
}

// shrunk forgets what there was when less than half of it is left: what comes
// then fills the cache again.
func (p *S3FIFO[E]) shrunk() {
	if cost := p.cost(); cost < p.high/2 {
		p.high = cost
	}
}

// settle moves what the small queue has too much on to the main queue, as it is.
func (p *S3FIFO[E]) settle() {
	for p.crowded() {
		e := p.small.oldest
		p.small.unlink(e)
		p.main.push(e, protected)
	}
}
