// Package imdgo is a replicated, TTL-aware, in-memory cache that lives inside
// the application. A service that runs in several instances replaces its local
// cache by imdgo, and from then on all instances hold the same entries: what one
// sets, the others read from their own memory.
//
//	store, err := imdgo.New(imdgo.WithMembers("192.168.10.1", "192.168.10.2", "192.168.10.3"))
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//
//	err = store.Set("my-key", "and my value which can be anything", imdgo.TTL(time.Minute))
//	value, ok := store.Get("my-key")
//
// The same on all three: each finds itself among the members, and together
// they are one cluster, over one port. Without members it is a cache of one
// node, ready at once.
//
// # Maps
//
// A [Cache] holds any number of maps. Its own Get, Set, Delete and Count work on
// the default one, which holds anything under strings. [OpenMap] opens a typed
// one, with more to do: conditional writes by [Version], several keys in one
// step, loading what is missing, and reads as strong as one asks for.
//
// # What is promised
//
// Writes go through Raft, one leader decides, and a write that returned nil is
// on a majority of the nodes and can be read on the node that issued it; others
// have it a fraction of a millisecond later. A write is applied once, whatever
// happens to leaders and connections meanwhile; when its outcome cannot be
// known in time, the error is [ErrUnknownOutcome], and after any other error it
// was not applied and never will be. A minority of nodes that crash, hang or are
// cut off loses nothing, and stops nothing for longer than an election.
//
// A method that returns only a bool beside its value reads this node's replica:
// it never blocks and cannot fail. A method that takes a context and returns an
// error may leave the process. A context without a deadline is bounded by
// [WithTimeout].
//
// # Time
//
// Every entry may have a TTL. The leader's clock becomes the cluster's time,
// which travels in the log, so replicas agree on every deadline, and neither a
// wrong wall clock nor a change of leader moves one. An expired entry is never
// returned: on a node other than the leader at most 50 ms after its deadline
// plus the time that the leader's newest entry was on its way. It leaves the
// memory of all nodes within a second. A node that is joining, or coming back
// from its disk, does not know the time yet: until it does, entries with a TTL
// that it did not write itself are not found there. [Cache.Ready] waits for that.
//
// # Memory
//
// Set encodes the value before it returns, and keeps nothing that belongs to the
// caller. Get decodes a value once and hands the same decoded value to everybody
// who reads it on that node: treat it as read-only, as with any cache in the
// process. A []byte is handed out as a copy, a string needs none.
package imdgo
