package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"runtime/debug"
)

// guarded runs f, and makes an error of a panic and of reading where nothing is
// mapped: bbolt follows numbers that it finds in the file.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return f()
}

// What stands at the beginning of bbolt's file: a page with a head and a meta,
// and another one. Numbers are in the machine's order.
const (
	boltPageHead = 16
	boltMeta     = 64
	boltMagic    = 0xED0CDAED
	boltVersion  = 2
)

// checkFile refuses a file that bbolt must not be given. It would begin anew in
// an empty one, and end the process when one is shorter than it was, since its
// pages are mapped. Of the two metas it uses the newer one that is whole; after
// a crash both are, because a meta is less than a sector of the disk. To go on
// with the older one could forget a vote, so this wants both.
func checkFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // it was only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: it is no file", path)
	}
	pages, pageSize, err := readMeta(f, 0)
	if err == nil {
		var others int64
		others, _, err = readMeta(f, pageSize)
		pages = max(pages, others)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %w", path, ErrDamaged, err)
	}
	if pages > info.Size()/pageSize {
		return fmt.Errorf("%s: %w: cut off at %d bytes, there were %d pages of %d", path, ErrDamaged, info.Size(), pages, pageSize)
	}
	return nil
}

// readMeta reads the meta of the page at an offset: how many pages there are, and their size.
func readMeta(f io.ReaderAt, at int64) (pages, pageSize int64, err error) {
	var meta [boltMeta]byte
	if _, err := f.ReadAt(meta[:], at+boltPageHead); err != nil {
		return 0, 0, fmt.Errorf("reading the head: %w", err)
	}
	order := binary.NativeEndian
	digest := fnv.New64a()
	_, _ = digest.Write(meta[:boltMeta-8]) // a hash never fails
	switch {
	case order.Uint32(meta[:]) != boltMagic || order.Uint32(meta[4:]) != boltVersion:
		return 0, 0, fmt.Errorf("the head at %d is not bbolt's", at)
	case order.Uint64(meta[boltMeta-8:]) != digest.Sum64():
		return 0, 0, fmt.Errorf("the checksum of the head at %d", at)
	}
	pageSize = int64(order.Uint32(meta[8:]))
	if pageSize < 1<<9 {
		return 0, 0, errors.New("the size of its pages")
	}
	return int64(order.Uint64(meta[40:])), pageSize, nil
}
