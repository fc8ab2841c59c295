package eviction

// list is a queue of entries, linked through their hooks. It knows its length
// and cost.
type list[E Item[E]] struct {
	youngest, oldest E
	len              int
	cost             int64
}

// push makes an entry that is in no queue the youngest of this one, which is at
// the place named.
func (l *list[E]) push(e E, at place) {
	var none E
	h := e.Hook()
	h.prev, h.next = none, l.youngest
	h.setAt(at)
	h.setFrom(nowhere)
	if l.youngest == none {
		l.oldest = e
	} else {
		l.youngest.Hook().prev = e
	}
	l.youngest = e
	l.len++
	l.cost += e.Cost()
}

// unlink takes an entry of this queue out.
func (l *list[E]) unlink(e E) {
	var none E
	h := e.Hook()
	if h.prev == none {
		l.youngest = h.next
	} else {
		h.prev.Hook().next = h.next
	}
	if h.next == none {
		l.oldest = h.prev
	} else {
		h.next.Hook().prev = h.prev
	}
	h.prev, h.next = none, none
	h.setAt(nowhere)
	l.len--
	l.cost -= e.Cost()
}
