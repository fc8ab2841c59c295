package eviction

// Item is what a policy orders: a pointer to an entry. Hook returns the hook
// that is embedded in it. Hash is a hash of the map and the key, equal on all
// nodes; it is asked for only where an entry is judged or leaves, so it need not
// be kept. Cost is what the entry takes of the budget, in bytes; it changes only
// between a call of Resize and the next one of the policy.
type Item[E any] interface {
	comparable
	Hook() *Hook[E]
	Hash() uint64
	Cost() int64
}

// Policy orders the entries of one map. It is not safe for concurrent use.
type Policy[E Item[E]] interface {
	// Add takes in a new entry, the youngest. A policy with ghosts looks
	// whether it has evicted the like of it lately.
	Add(e E)

	// Restore takes in an entry of a restored state. They come in the order in
	// which they were inserted, the oldest first, and before anything else.
	Restore(e E)

	// Resize says that the cost of an entry is about to change by so much.
	Resize(e E, by int64)

	// Remove takes out an entry that was deleted, expired or cleared. One that
	// is in no policy is left alone.
	Remove(e E)

	// Evict takes out an entry because the log said so, whoever chose it. Where
	// another node did, what stood before it in its queue has been passed over
	// there, and is here, up to 64 entries. One that is in no policy is left
	// alone.
	Evict(e E)

	// Victims yields the entries that should go next, in order: first those
	// that it has named before and that are still here, but for those which
	// were read since, then new ones. It yields something whenever there are
	// entries, all of them if asked to go on. What is named waits apart until it
	// is evicted or removed, or has been read when Victims is called again. The
	// policy must not be changed while it yields.
	Victims(yield func(e E) bool)

	// Oldest returns how long ago, as a reading of the clock, the longest
	// waiting entry came or was last reprieved; false if there are no entries.
	// Those named count only if there are no others, so that what is left says
	// how far a map has given way while Victims yields. Of several maps the one
	// whose reading is the lowest should: it keeps what is unread for longer
	// than the others do.
	Oldest() (stamp uint64, ok bool)

	// Len returns how many entries there are, those named as victims included.
	Len() int
}

// Config is what a policy is given. The zero value is valid.
type Config struct {
	// Clock is read when an entry comes and when it is reprieved; it must not go
	// back. The machine's counter of writes, say, which is alike on all nodes.
	// Without one Oldest always returns 0.
	Clock func() uint64

	// Remote is what was read on other nodes; nil for nothing. Policies may
	// share one. The reads that it knows of an entry count once, as if it had
	// been touched here as often.
	Remote *RemoteReads
}

// reach bounds how many entries are passed over for one that goes, by the
// chooser and by those who follow. That all are marked costs no more than this
// under the lock, whatever readers do meanwhile.
const reach = 64

// base is what all policies have: their sources, and those they have named.
type base[E Item[E]] struct {
	Config
	named list[E]
}

func (b *base[E]) now() uint64 {
	if b.Clock == nil {
		return 0
	}
	return b.Clock()
}

// reads takes in what is known of an entry's reads and returns their number.
func (b *base[E]) reads(e E) uint32 {
	n := e.Hook().mark.Load()
	if b.Remote.Len() > 0 {
		n += uint32(b.Remote.Take(e.Hash()))
	}
	return min(n, most)
}

// enter makes an entry that of this policy.
func (b *base[E]) enter(e E) {
	h := e.Hook()
	h.stamp = b.now()
	h.mark.Store(0)
}

// name puts an entry that has just left a queue among those named.
func (b *base[E]) name(e E, from place) {
	e.Hook().from = from
	b.named.push(e, condemned)
}

// leaves returns the queue from which an entry leaves, or left when it was named.
func leaves[E Item[E]](e E) place {
	if h := e.Hook(); h.at == condemned {
		return h.from
	} else {
		return h.at
	}
}

// again yields those named before, and hands those that were read to rescue. It
// reports whether to go on.
func (b *base[E]) again(yield func(e E) bool, rescue func(e E)) bool {
	var none E
	for e := b.named.oldest; e != none; {
		younger := e.Hook().prev
		if b.reads(e) > 0 {
			b.named.unlink(e)
			rescue(e)
		} else if !yield(e) {
			return false
		}
		e = younger
	}
	return true
}
