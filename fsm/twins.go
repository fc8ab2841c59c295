package fsm

import (
	"sync"
	"sync/atomic"
)

// twins are the entries whose hash another entry had when they came. Of a hash of
// 64 bits there are none but by an accident: with a hundred million keys it happens
// to one map in four thousand. So it costs a reader who finds nothing elsewhere one
// load to know that there are none.
//
// An entry stays here until it goes, also when the other one has gone before: if it
// were put into the map then, a reader who has looked there before and looks here
// afterwards would miss it.
type twins struct {
	count atomic.Int64
	mu    sync.RWMutex
	byKey map[string]*Entry // by the key that lies in the entry
}

func (t *twins) none() bool { return t.count.Load() == 0 }

func (t *twins) get(key string) (*Entry, bool) {
	if t.none() {
		return nil, false
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	e, ok := t.byKey[key]
	return e, ok
}

func (t *twins) has(e *Entry) bool {
	there, _ := t.get(e.Key())
	return there == e
}

func (t *twins) add(e *Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byKey == nil {
		t.byKey = make(map[string]*Entry)
	}
	t.byKey[e.Key()] = e
	t.count.Store(int64(len(t.byKey)))
}

// remove takes e out if it is here.
func (t *twins) remove(e *Entry) {
	if !t.has(e) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byKey, e.Key())
	t.count.Store(int64(len(t.byKey)))
}
