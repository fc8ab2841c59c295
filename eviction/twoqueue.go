package eviction

import "github.com/hashicorp/golang-lru/v2/simplelru"

// The shares of golang-lru's 2Q: of the entries that were not read since they
// came, and of the ghosts, both of the number of entries.
const (
	recentShare = 25 // percent
	ghostShare  = 50 // percent
)

// TwoQueue is 2Q as golang-lru has it, after Johnson and Shasha: "2Q: a low
// overhead high performance buffer management replacement algorithm", VLDB 1994.
// New entries stand in one queue, and move on to another when they have been
// read; those that leave the first are remembered, and are put into the second
// when they return soon. As in [LRU], reads are seen when an entry's turn comes.
// It takes about 100 bytes per entry more than the default, and half of that for
// each ghost.
type TwoQueue[E Item[E]] struct {
	base[E]
	recent, frequent *simplelru.LRU[E, struct{}]
	ghosts           *simplelru.LRU[uint64, struct{}]
}

// NewTwoQueue returns a 2Q policy, without entries.
func NewTwoQueue[E Item[E]](c Config) *TwoQueue[E] {
	return &TwoQueue[E]{
		base:     base[E]{Config: c},
		recent:   unbounded[E](),
		frequent: unbounded[E](),
		ghosts:   unbounded[uint64](),
	}
}

// Len implements [Policy].
func (p *TwoQueue[E]) Len() int { return p.entries }

// Add implements [Policy].
func (p *TwoQueue[E]) Add(e E) {
	p.enter(e)
	if p.ghosts.Remove(e.Hash()) {
		p.push(e, protected)
	} else {
		p.push(e, probation)
	}
}

// Restore implements [Policy]. What is older than all that has room in the queue
// of recent entries must have passed it elsewhere.
func (p *TwoQueue[E]) Restore(e E) {
	p.enter(e)
	p.push(e, probation)
	for p.crowded() {
		e, _, _ := p.recent.RemoveOldest()
		p.push(e, protected)
	}
}

// Resize implements [Policy].
func (p *TwoQueue[E]) Resize(e E, by int64) {
	if e.Hook().at() == condemned {
		p.named.cost += by
	}
}

// Remove implements [Policy].
func (p *TwoQueue[E]) Remove(e E) {
	h := e.Hook()
	if q := p.queue(h.at()); q != nil {
		q.Remove(e)
		h.setAt(nowhere)
		p.entries--
	} else if h.at() == condemned {
		p.named.unlink(e)
		p.entries--
	}
}

// Evict implements [Policy].
func (p *TwoQueue[E]) Evict(e E) {
	at := e.Hook().at()
	if q := p.queue(at); q != nil {
		for range reach {
			oldest, _, _ := q.GetOldest()
			if !p.overtaken(oldest, e) {
				break
			}
			p.reads(oldest)
			p.reprieve(oldest)
		}
	}
	p.Remove(e)
	if at == condemned {
		at = e.Hook().from()
	}
	if at != probation {
		return
	}
	p.ghosts.Add(e.Hash(), struct{}{})
	for p.ghosts.Len() > max(1, p.Len()*ghostShare/100) {
		p.ghosts.RemoveOldest()
	}
}

// Victims implements [Policy].
func (p *TwoQueue[E]) Victims(yield func(e E) bool) {
	var none E
	for e := p.named.oldest; e != none; {
		younger := e.Hook().prev
		if p.rescued(e) {
			p.push(e, protected)
		} else if !yield(e) {
			return
		}
		e = younger
	}
	for p.recent.Len()+p.frequent.Len() > 0 {
		e, from := p.next()
		p.name(e, from)
		if !yield(e) {
			return
		}
	}
}

// Oldest implements [Policy].
func (p *TwoQueue[E]) Oldest() (stamp uint64, ok bool) {
	for _, q := range []*simplelru.LRU[E, struct{}]{p.recent, p.frequent} {
		for n := 0; ; n++ {
			e, _, any := q.GetOldest()
			if !any {
				break
			}
			if n < glance && q == p.frequent && p.reads(e) > 0 {
				p.reprieve(e)
				continue
			}
			if s := p.stampOf(e); !ok || s < stamp {
				stamp, ok = s, true
			}
			break
		}
	}
	if !ok {
		return p.oldest(&p.named)
	}
	return stamp, ok
}

func (p *TwoQueue[E]) queue(at place) *simplelru.LRU[E, struct{}] {
	switch at {
	case probation:
		return p.recent
	case protected:
		return p.frequent
	default:
		return nil
	}
}

func (p *TwoQueue[E]) push(e E, at place) {
	e.Hook().setAt(at)
	p.queue(at).Add(e, struct{}{})
}

// crowded reports whether the recent entries have more than their share.
func (p *TwoQueue[E]) crowded() bool {
	return p.recent.Len() > (p.recent.Len()+p.frequent.Len())*recentShare/100
}

// next takes the entry that should go out of its queue.
func (p *TwoQueue[E]) next() (e E, from place) {
	for n := 0; ; n++ {
		q := p.frequent
		if q.Len() == 0 || p.recent.Len() > 0 && p.crowded() {
			q = p.recent
		}
		e, _, _ = q.GetOldest()
		if p.reads(e) > 0 && n < reach {
			p.reprieve(e)
			continue
		}
		from = e.Hook().at()
		q.Remove(e)
		return e, from
	}
}

// reprieve passes over an entry: it becomes the youngest of the frequent ones.
func (p *TwoQueue[E]) reprieve(e E) {
	p.renew(e, 0)
	p.queue(e.Hook().at()).Remove(e)
	p.push(e, protected)
}
