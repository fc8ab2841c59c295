package logstore

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"io"
)

// What bbolt's file is made of, see its internal/common: pages of one size, each
// with a head, of which the first two hold a meta each. A page that is too small
// for what it holds goes on in those after it. Numbers are in the machine's order.
const (
	boltPageHead = 16
	boltMeta     = 64
	boltMagic    = 0xED0CDAED
	boltVersion  = 2

	boltBranch   = 0x01
	boltLeaf     = 0x02
	boltFreelist = 0x10

	boltBucket     = 0x01 // an element that is a bucket
	boltBucketHead = 16   // of its value: the page of its root, or 0, and a page that follows

	boltManyFree = 0xFFFF // the count of a list of free pages that does not fit there
)

var order = binary.NativeEndian

// meta is what a transaction leaves in one of the first two pages, alternately.
type meta struct {
	pageSize              int64
	root, freelist, pages uint64
	tx                    uint64
}

// readMeta reads the meta of the page at an offset.
func readMeta(f io.ReaderAt, at int64) (meta, error) {
	var b [boltMeta]byte
	if _, err := f.ReadAt(b[:], at+boltPageHead); err != nil {
		return meta{}, damaged("reading the head at %d: %w", at, err)
	}
	digest := fnv.New64a()
	_, _ = digest.Write(b[:boltMeta-8]) // a hash never fails
	m := meta{pageSize: int64(order.Uint32(b[8:])), root: order.Uint64(b[16:]), freelist: order.Uint64(b[32:]),
		pages: order.Uint64(b[40:]), tx: order.Uint64(b[48:])}
	switch {
	case order.Uint32(b[:]) != boltMagic || order.Uint32(b[4:]) != boltVersion:
		return meta{}, damaged("the head at %d is not bbolt's", at)
	case order.Uint64(b[boltMeta-8:]) != digest.Sum64():
		return meta{}, damaged("the checksum of the head at %d", at)
	case m.pageSize < 1<<9 || m.pageSize > 1<<24:
		return meta{}, damaged("pages of %d bytes", m.pageSize)
	}
	return m, nil
}

// newestMeta reads both metas and returns the newer one. bbolt takes the newer
// one that is whole; after a crash both are, because a meta is less than a sector
// of the disk. To go on with the older one could forget a vote, so this wants both.
func newestMeta(f io.ReaderAt) (meta, error) {
	even, err := readMeta(f, 0)
	if err != nil {
		return meta{}, err
	}
	odd, err := readMeta(f, even.pageSize)
	if err != nil {
		return meta{}, err
	}
	newest, former := even, odd
	if odd.tx > even.tx {
		newest, former = odd, even
	}
	if even.tx%2 != 0 || newest.tx != former.tx+1 || newest.pageSize != former.pageSize {
		return meta{}, damaged("transactions %d and %d do not follow each other", even.tx, odd.tx)
	}
	return newest, nil
}

// element is what a branch or a leaf holds: a key, and another page's number or
// a value.
type element struct {
	key, value []byte
	child      uint64 // of a branch
	bucket     bool   // the value is one
}

// elements takes a branch or a leaf apart. bbolt packs what it writes, so there
// is one place for everything.
func elements(p []byte) (all []element, leaf bool, err error) {
	kind, count := order.Uint16(p[8:]), int(order.Uint16(p[10:]))
	if kind != boltBranch && kind != boltLeaf {
		return nil, false, damaged("a page of kind %#x", kind)
	}
	const headSize = 16 // of both kinds
	end := boltPageHead + headSize*count
	if end > len(p) {
		return nil, false, damaged("a page of %d elements", count)
	}
	all, leaf = make([]element, count), kind == boltLeaf
	for i := range all {
		at := boltPageHead + headSize*i
		head := p[at:]
		e := &all[i]
		var flags, pos, keySize, valueSize uint32
		if leaf {
			flags, pos, keySize, valueSize = order.Uint32(head), order.Uint32(head[4:]), order.Uint32(head[8:]), order.Uint32(head[12:])
			e.bucket = flags == boltBucket
		} else {
			pos, keySize, e.child = order.Uint32(head), order.Uint32(head[4:]), order.Uint64(head[8:])
		}
		if flags > boltBucket || int64(at)+int64(pos) != int64(end) || int64(end)+int64(keySize)+int64(valueSize) > int64(len(p)) {
			return nil, false, damaged("element %d of %d is not where it belongs", i, count)
		}
		e.key = p[end : end+int(keySize)]
		e.value = p[end+int(keySize) : end+int(keySize)+int(valueSize)]
		end += int(keySize) + int(valueSize)
		if i > 0 && bytes.Compare(all[i-1].key, e.key) >= 0 {
			return nil, false, damaged("the keys %x and %x follow each other", all[i-1].key, e.key)
		}
	}
	return all, leaf, nil
}
