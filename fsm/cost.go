package fsm

import "sort"

// entryCost is what an entry takes beside its own allocation, with the key, and
// that of its value: its place in the index, in the sequence, with the policy and,
// if it has a TTL, among the deadlines, which takes 9 to 10 bytes.
// BenchmarkEntryCost measures it, over an octave from 25,000 entries on (a budget of
// 6 to 12 MiB) and one from 200,000 (64 to 128 MiB). Without a TTL it is 41 to 56
// and 39 to 41 bytes when a cache has just been filled, 52 to 61 and 50 to 57
// when all of it has been evicted and replaced, because Go's maps and the sequence
// then have gaps, and there are ghosts; with a TTL it is 52 to 71 and 48 to 66.
// This is above the middle of that, and it is the middle of what values of 16 bytes
// take, which are the furthest off, where also half of the entries have been deleted
// and come again: 41 to 86, in caches of 6 to 12 MiB. It is part of what a format
// version means: all replicas must count alike.
const entryCost = 62

// Cost is what an entry is accounted for, in bytes of heap, given the lengths of
// its key and of its value.
func Cost(key, value int) int64 {
	return entryCost + entryBytes(key) + allocated(valueHeader+value)
}

// sizeClasses are those of Go's allocator, up to which it rounds what is
// allocated. They are written down here because the runtime may change its own,
// and replicas of two releases must agree.
var sizeClasses = [...]uint16{
	8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384, 416, 448, 480,
	512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072, 3200, 3456, 4096, 4864,
	5120, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072, 20480,
	21760, 24576, 27264, 28672, 32768,
}

// smallClass has the size class of everything up to 1024 bytes, by eights.
var smallClass = func() (classes [1024/8 + 1]uint16) {
	for i := range classes {
		at := sort.Search(len(sizeClasses), func(j int) bool { return int(sizeClasses[j]) >= i*8 })
		classes[i] = sizeClasses[at]
	}
	classes[0] = 0
	return classes
}()

const page = 8192

// allocated is what an allocation of n bytes takes.
func allocated(n int) int64 {
	switch {
	case n <= 1024:
		return int64(smallClass[(n+7)/8])
	case n <= 32768:
		at := sort.Search(len(sizeClasses), func(i int) bool { return int(sizeClasses[i]) >= n })
		return int64(sizeClasses[at])
	}
	return (int64(n) + page - 1) / page * page
}
