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
	// policy must not be changed while it yields, but for what Oldest does.
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

// glance bounds how many entries Oldest reprieves.
const glance = 8

// reach bounds how many entries are passed over for one that goes, by the
// chooser and by those who follow. That all are marked costs no more than this
// under the lock, whatever readers do meanwhile.
const reach = 64

// base is what all policies have: their sources, and those they have named.
type base[E Item[E]] struct {
	Config
	named list[E]
	added uint32 // entries that came; it wraps around
	dates dates
	// entries is how many there are.
	entries int
}

func (b *base[E]) now() uint64 {
	if b.Clock == nil {
		return 0
	}
	return b.Clock()
}

// reads takes in what is known of an entry's reads and returns their number.
func (b *base[E]) reads(e E) uint32 {
	n := e.Hook().mark.Load() & counted
	if b.Remote.Len() > 0 {
		n += uint32(b.Remote.Take(e.Hash()))
	}
	return min(n, most)
}

// enter dates a new entry.
func (b *base[E]) enter(e E) {
	b.added++
	b.entries++
	b.renew(e, 0)
}

// stampOf is about what the clock read when an entry came or was last reprieved.
func (b *base[E]) stampOf(e E) uint64 { return b.dates.read(b.age(e), b.added) }

// oldest is the stamp of the oldest entry of a list, false if there is none.
func (b *base[E]) oldest(l *list[E]) (stamp uint64, ok bool) {
	if l.len == 0 {
		return 0, false
	}
	return b.stampOf(l.oldest), true
}

// overtaken reports whether an entry that goes shows that the oldest of its
// queue has been passed over where it was chosen. It does not if it came, or was
// last reprieved, much later. For a chooser names its victims ahead, so:
//
//  1. the chooser reprieves a, names others, and takes in b: a is before b there;
//  2. here b is taken in, and a reprieved when one of the others goes: a is
//     behind b;
//  3. a is evicted, and here b is passed over and becomes the youngest;
//  4. b is evicted. To pass over all that is before it now would be wrong.
func (b *base[E]) overtaken(oldest, e E) bool {
	return oldest != e && b.age(oldest)/2 <= b.age(e)
}

// age is how many additions ago an entry came, or was last reprieved.
func (b *base[E]) age(e E) uint32 { return (b.added - e.Hook().count()) & countMask }

// renew dates an entry anew, and leaves it so many reads to its credit.
func (b *base[E]) renew(e E, reads uint32) {
	h := e.Hook()
	b.dates.note(b.added, b.now(), b.entries)
	h.setCount(b.added)
	h.setTouched(reads)
}

// name puts an entry that has just left a queue among those named. The reads
// that it has been judged by do not count again.
func (b *base[E]) name(e E, from place) {
	b.named.push(e, condemned)
	h := e.Hook()
	h.setFrom(from)
	h.setTouched(0)
}

// rescued takes an entry out of those named if it was read since, and dates it
// anew; it is in no queue then.
func (b *base[E]) rescued(e E) bool {
	if b.reads(e) == 0 {
		return false
	}
	b.named.unlink(e)
	b.renew(e, 0)
	return true
}
