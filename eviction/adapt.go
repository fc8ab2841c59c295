package eviction

// How large the small queue should be differs: a loop or a steady popularity
// wants next to nothing, a workload that returns to what is new wants half of
// the cache. So the policy asks of either queue how often a few more entries
// there would have made a hit of a miss, and moves the border towards the one
// where they would have. That is what ARC does with its two ghost lists (Megiddo
// and Modha, FAST 2003); here only ghosts within a tenth of the cache of the
// border are asked, since what is far from it says nothing of its worth.
const (
	firstShare = .1 // of the cost, for the small queue, as in the paper
	leastShare = .01
	mostShare  = .9

	// border is the part of the entries within which a ghost counts.
	border = .1
	// stride is by how many entries the border moves for a ghost that returns.
	stride = 4
	// decay is the part of a stride by which a small queue that has grown gives
	// way for each entry that it loses: unless one in a hundred returns soon, it
	// need not be that large.
	decay = .01
)

// returns takes note of an addition, and reports whether it is of an entry that
// belongs into the main queue.
func (p *S3FIFO[E]) returns(hash uint64) bool {
	near := uint32(border * float64(p.Len()))
	if away, ok := p.late.take(hash, p.lost); ok {
		if away <= near {
			p.move(-stride)
		}
		return false
	}
	away, ok := p.early.take(hash, p.added)
	if !ok {
		return false
	}
	if away <= p.span(&p.small)+near {
		p.move(stride)
	}
	return p.main.len == 0 || away < p.span(&p.main)
}

// span is how many additions ago the oldest entry of a queue came, or was last
// reprieved.
func (p *S3FIFO[E]) span(q *list[E]) uint32 {
	if q.len == 0 {
		return 0
	}
	return p.age(q.oldest)
}

// remember makes a ghost of an entry that is about to leave.
func (p *S3FIFO[E]) remember(e E) {
	h := e.Hook()
	from := h.at()
	if from == condemned {
		from = h.from()
	}
	switch n := p.Len(); from {
	case probation:
		if p.share > firstShare {
			p.move(-stride * decay)
		}
		p.early.fit(n+n/2, p.added)
		p.early.add(e.Hash(), p.added-p.age(e), p.added)
	case protected:
		p.lost++
		p.late.fit(int(border*float64(n)), p.lost)
		p.late.add(e.Hash(), p.lost, p.lost)
	}
}

// move makes the small queue's share larger by so many entries.
func (p *S3FIFO[E]) move(entries float64) {
	p.share = min(max(p.share+entries/float64(max(p.Len(), 1)), leastShare), mostShare)
}
