package fsm

import (
	"fmt"
	"testing"

	cmap "github.com/orcaman/concurrent-map/v2"
)

// The shards fill one after the other: each has a little more than the one before,
// and the last one nearly twice what the first has.
func TestShardsAreOfDifferentSizes(t *testing.T) {
	if cmap.SHARD_COUNT != shards {
		t.Fatalf("a concurrent-map has %d shards", cmap.SHARD_COUNT)
	}
	const keys = 1 << 20
	var count [shards]int
	for i := range keys {
		count[sharding(hashOf(fmt.Sprint("key", i)))]++
	}
	smallest, largest := keys, 0
	for i, n := range count {
		smallest, largest = min(smallest, n), max(largest, n)
		if n < keys/shards/2 || n > keys/shards*2 {
			t.Errorf("shard %d has %d of %d keys", i, n, keys)
		}
	}
	if ratio := float64(largest) / float64(smallest); ratio < 1.8 || ratio > 2.2 {
		t.Errorf("shards of %d to %d keys", smallest, largest)
	}
}
