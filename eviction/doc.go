// Package eviction says which entries should go next when room is needed. A
// [Policy] orders the entries of one map; the default is [S3FIFO], and [LRU] and
// [TwoQueue] are there for those who expect them.
//
// # Chosen once, evicted everywhere
//
// Every replica has a policy per map and tells it of every entry that comes and
// goes, in the order of the log. Only the leader asks for victims; its choice is
// in the log, and all replicas, the leader too, then evict what the log names.
// So the order of insertion is alike on all nodes. How often an entry was read
// is a node's own: readers leave a mark in the entry ([Hook.Touch]), without the
// lock, and a policy looks at marks only when it has to judge an entry. What was
// read on other nodes can be told through [RemoteReads].
//
// A replica that did not choose follows the chooser's hand: an entry that goes
// shows that what stood before it in its queue has been passed over. Its order is
// therefore nearly the leader's, and usable the moment it leads itself.
//
// # What it is not
//
// A policy has no clock, no lock and no goroutine, and knows no budget: the
// caller holds a lock around every call but Touch, decides when room is needed
// and asks for as many victims as that takes. Nothing depends on the order in
// which Go ranges over a map.
package eviction
