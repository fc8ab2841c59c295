package fsm

import "hash/maphash"

// seed is of this process and no part of the state: it decides where the index and
// the front of this node have an entry, and nothing else.
var seed = maphash.MakeSeed()

// hashOf is a key's hash in this process. Being seeded, it leaves nobody outside a way
// to choose keys of one hash.
func hashOf(key string) uint64 { return maphash.String(seed, key) }
