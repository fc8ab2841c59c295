package eviction

// smallShare is the part of the cost that the new entries have.
const smallShare = 10 // percent

// S3FIFO is the policy of Yang, Zhang, Qiu, Yue and Rashmi: "FIFO queues are all
// you need for cache eviction", SOSP 2023. New entries stand in a small queue,
// by which most of those that are read only once leave; who was read there goes
// on to the main queue, and there those that were read get another round. What
// left the small queue unread is remembered, and when it returns soon it goes to
// the main queue at once.
type S3FIFO[E Item[E]] struct {
	base[E]
	small, main list[E]
	ghosts      ghosts
}

// NewS3FIFO returns the default policy, without entries.
func NewS3FIFO[E Item[E]](c Config) *S3FIFO[E] { return &S3FIFO[E]{base: base[E]{Config: c}} }

// Len implements [Policy].
func (p *S3FIFO[E]) Len() int { return p.small.len + p.main.len + p.named.len }

// Add implements [Policy].
func (p *S3FIFO[E]) Add(e E) {
	p.enter(e)
	if _, ok := p.ghosts.take(e.Hash()); ok {
		p.main.push(e, protected)
	} else {
		p.small.push(e, probation)
	}
}

// Restore implements [Policy]. What is older than all that has room in the small
// queue must have passed it elsewhere.
func (p *S3FIFO[E]) Restore(e E) {
	p.enter(e)
	p.small.push(e, probation)
	for p.crowded() {
		e := p.small.oldest
		p.small.unlink(e)
		p.main.push(e, protected)
	}
}

// Resize implements [Policy].
func (p *S3FIFO[E]) Resize(e E, by int64) {
	if q := p.queue(e); q != nil {
		q.cost += by
	}
}

// Remove implements [Policy].
func (p *S3FIFO[E]) Remove(e E) {
	if q := p.queue(e); q != nil {
		q.unlink(e)
	}
}

// Evict implements [Policy].
func (p *S3FIFO[E]) Evict(e E) {
	q := p.queue(e)
	if q == nil {
		return
	}
	if q != &p.named {
		for n := 0; n < reach && q.oldest != e; n++ {
			p.reprieve(q, q.oldest, p.reads(q.oldest))
		}
	}
	if leaves(e) == probation {
		p.ghosts.fit(p.Len())
		p.ghosts.add(e.Hash())
	}
	q.unlink(e)
}

// Victims implements [Policy].
func (p *S3FIFO[E]) Victims(yield func(e E) bool) {
	if !p.again(yield, p.rescue) {
		return
	}
	for p.small.len+p.main.len > 0 {
		e, from := p.next()
		p.name(e, from)
		if !yield(e) {
			return
		}
	}
}

// Oldest implements [Policy].
func (p *S3FIFO[E]) Oldest() (stamp uint64, ok bool) {
	for _, q := range [...]*list[E]{&p.small, &p.main} {
		if q.len > 0 {
			if s := q.oldest.Hook().stamp; !ok || s < stamp {
				stamp, ok = s, true
			}
		}
	}
	if !ok && p.named.len > 0 {
		return p.named.oldest.Hook().stamp, true
	}
	return stamp, ok
}

// queue returns the one that an entry stands in, nil if it is in none.
func (p *S3FIFO[E]) queue(e E) *list[E] {
	switch e.Hook().at {
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

// crowded reports whether the small queue has more than its share.
func (p *S3FIFO[E]) crowded() bool {
	return p.small.cost > (p.small.cost+p.main.cost)*smallShare/100
}

// next takes the entry that should go out of its queue.
func (p *S3FIFO[E]) next() (e E, from place) {
	for n := 0; ; n++ {
		q := &p.main
		if p.main.len == 0 || p.small.len > 0 && p.crowded() {
			q = &p.small
		}
		e = q.oldest
		if reads := p.reads(e); reads > 0 && n < reach {
			p.reprieve(q, e, reads)
			continue
		}
		from = e.Hook().at
		q.unlink(e)
		return e, from
	}
}

// reprieve passes over an entry: it becomes the youngest of the main queue, and
// has one read less to its credit there.
func (p *S3FIFO[E]) reprieve(q *list[E], e E, reads uint32) {
	q.unlink(e)
	h := e.Hook()
	h.stamp = p.now()
	if q == &p.main {
		h.mark.Store(max(reads, 1) - 1)
	} else {
		h.mark.Store(0)
	}
	p.main.push(e, protected)
}

// rescue takes an entry back that was read after it had been named.
func (p *S3FIFO[E]) rescue(e E) {
	h := e.Hook()
	h.stamp = p.now()
	h.mark.Store(0)
	p.main.push(e, protected)
}
