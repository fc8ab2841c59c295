package main

import "container/heap"

// optimum returns how many requests of a trace a cache of so many entries could
// answer at most: Belady, "A study of replacement algorithms for a virtual-storage
// computer", IBM Systems Journal 1966. What is asked for again last, goes. It may
// be the newcomer itself, since a cache need not keep what it was given.
func optimum(t *trace, entries int) (hits int) {
	next := make([]int, len(t.keys)) // when this request's key is asked for again
	last := make([]int, t.unique)
	for k := range last {
		last[k] = len(t.keys)
	}
	for i := len(t.keys) - 1; i >= 0; i-- {
		next[i], last[t.keys[i]] = last[t.keys[i]], i
	}
	due := make([]int, t.unique) // for a key that is there, when it is asked for again
	for k := range due {
		due[k] = -1
	}
	var h farthest
	there := 0
	for i, k := range t.keys {
		if due[k] == i {
			hits++
		} else {
			there++
		}
		due[k] = next[i]
		heap.Push(&h, use{next[i], k})
		for there > entries {
			// A use whose key has been asked for since is out of date.
			if u := heap.Pop(&h).(use); due[u.key] == u.at {
				due[u.key] = -1
				there--
			}
		}
	}
	return hits
}

type use struct {
	at  int
	key uint32
}

// farthest is a heap of uses, the last one on top.
type farthest []use

func (h farthest) Len() int           { return len(h) }
func (h farthest) Less(i, j int) bool { return h[i].at > h[j].at }
func (h farthest) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *farthest) Push(x any)        { *h = append(*h, x.(use)) }

func (h *farthest) Pop() any {
	last := len(*h) - 1
	u := (*h)[last]
	*h = (*h)[:last]
	return u
}
