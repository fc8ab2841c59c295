package fsm

import "math"

// shards is how many a concurrent-map has.
const shards = 32

// shardOf says for the first ten bits of a hash which shard a key is in. The
// shards are of different sizes, from one to nearly two times the least: a Go map
// doubles what it takes when it is full, and if all were equally large they would
// do so together, with one more entry. As it is they take turns over an octave,
// and the index takes about the same per entry however many there are, which the
// memory budget counts on.
var shardOf = func() (shard [1 << 10]uint8) {
	for i := range shard {
		shard[i] = uint8(shards * math.Log2(1+float64(i)/float64(len(shard))))
	}
	return shard
}()

// sharding is the index's sharding function.
func sharding(hash uint64) uint32 { return uint32(shardOf[hash>>54]) }
