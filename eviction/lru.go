package eviction

import (
	"math"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// LRU evicts what was used least recently, nearly: an exact order would need a
// lock on every read. Entries stand in the order in which they came or were last
// found to have been read, and whoever was read when its turn comes goes to the
// end instead (Corbató's second chance, or CLOCK). It takes about 100 bytes per
// entry more than the default.
type LRU[E Item[E]] struct {
	base[E]
	queue *simplelru.LRU[E, struct{}]
}

// NewLRU returns an LRU policy, without entries.
func NewLRU[E Item[E]](c Config) *LRU[E] {
	return &LRU[E]{base: base[E]{Config: c}, queue: unbounded[E]()}
}

// unbounded returns a queue that never evicts by itself.
func unbounded[K comparable]() *simplelru.LRU[K, struct{}] {
	q, err := simplelru.NewLRU[K, struct{}](math.MaxInt, nil)
	if err != nil {
		panic(err) // of a size that is not positive
	}
	return q
}

// Len implements [Policy].
func (p *LRU[E]) Len() int { return p.entries }

// Add implements [Policy].
func (p *LRU[E]) Add(e E) {
	p.enter(e)
	p.push(e)
}

// Restore implements [Policy].
func (p *LRU[E]) Restore(e E) { p.Add(e) }

// Resize implements [Policy].
func (p *LRU[E]) Resize(e E, by int64) {
	if e.Hook().at() == condemned {
		p.named.cost += by
	}
}

// Remove implements [Policy].
func (p *LRU[E]) Remove(e E) {
	switch h := e.Hook(); h.at() {
	case protected:
		p.entries--
		p.queue.Remove(e)
		h.setAt(nowhere)
	case condemned:
		p.entries--
		p.named.unlink(e)
	}
}

// Evict implements [Policy].
func (p *LRU[E]) Evict(e E) {
	if e.Hook().at() == protected {
		p.passOver(e)
	}
	p.Remove(e)
}

// Victims implements [Policy].
func (p *LRU[E]) Victims(yield func(e E) bool) {
	var none E
	for e := p.named.oldest; e != none; {
		younger := e.Hook().prev
		if p.rescued(e) {
			p.push(e)
		} else if !yield(e) {
			return
		}
		e = younger
	}
	for p.queue.Len() > 0 {
		e := p.next()
		p.name(e, protected)
		if !yield(e) {
			return
		}
	}
}

// Oldest implements [Policy].
func (p *LRU[E]) Oldest() (stamp uint64, ok bool) {
	for n := 0; ; n++ {
		e, _, any := p.queue.GetOldest()
		if !any {
			return p.oldest(&p.named)
		}
		if n == glance || p.reads(e) == 0 {
			return p.stampOf(e), true
		}
		p.reprieve(e)
	}
}

func (p *LRU[E]) push(e E) {
	e.Hook().setAt(protected)
	p.queue.Add(e, struct{}{})
}

// passOver moves on what stands before an entry.
func (p *LRU[E]) passOver(e E) {
	for range reach {
		oldest, _, _ := p.queue.GetOldest()
		if !p.overtaken(oldest, e) {
			return
		}
		p.reads(oldest)
		p.reprieve(oldest)
	}
}

// next takes the entry that should go out of the queue.
func (p *LRU[E]) next() E {
	for n := 0; ; n++ {
		e, _, _ := p.queue.GetOldest()
		if p.reads(e) > 0 && n < reach {
			p.reprieve(e)
			continue
		}
		p.queue.Remove(e)
		return e
	}
}

// reprieve passes over an entry, which becomes the youngest.
func (p *LRU[E]) reprieve(e E) {
	p.renew(e, 0)
	p.queue.Get(e)
}
