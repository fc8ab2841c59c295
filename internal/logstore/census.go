package logstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
)

// contents is what is in a file, by its keys.
type contents struct {
	first, last uint64 // of the log's entries, 0 and 0: none
	tx          uint64 // the newest transaction
}

// census looks at every page of a file, because bbolt's pages have no checksums:
// a changed count, number or key would hide entries, or have pages in use taken
// for free ones. Each page is either in use, once, or in the list of free ones,
// once; every key is in its place, and one that is expected; and what a branch
// says of the first key below it is so. What can change and not be found then is
// a value, for which there are checksums, and what bbolt never looks at.
type census struct {
	file  *os.File
	meta  meta
	seen  []bool // by page
	found contents
	keys  []string // of raft's values
}

// checkFile takes the census of a file that is not open. The error names the file.
func checkFile(path string) (contents, error) {
	f, err := os.Open(path)
	if err != nil {
		return contents{}, err
	}
	defer f.Close() // it was only read
	c := census{file: f}
	if err := c.take(); err != nil {
		return contents{}, fmt.Errorf("%s: %w", path, err)
	}
	return c.found, nil
}

func (c *census) take() error {
	info, err := c.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return damaged("it is no file")
	}
	if c.meta, err = newestMeta(c.file); err != nil {
		return err
	}
	// bbolt maps the file, and a page that is not there would end the process.
	if pages := info.Size() / c.meta.pageSize; c.meta.pages > uint64(pages) {
		return damaged("cut off at %d bytes, there were %d pages of %d", info.Size(), c.meta.pages, c.meta.pageSize)
	}
	c.found.tx = c.meta.tx
	c.seen = make([]bool, c.meta.pages)
	for id := range min(2, c.meta.pages) {
		c.seen[id] = true // the metas
	}
	if err := c.free(); err != nil {
		return err
	}
	if err := c.buckets(); err != nil {
		return err
	}
	if id := slices.Index(c.seen, false); id >= 0 {
		return damaged("page %d is neither free nor in use", id)
	}
	return nil
}

// see notes that a page is accounted for.
func (c *census) see(id uint64) error {
	if id >= c.meta.pages {
		return damaged("page %d of %d", id, c.meta.pages)
	}
	if c.seen[id] {
		return damaged("page %d is there twice", id)
	}
	c.seen[id] = true
	return nil
}

// page reads a page with those that it goes on in.
func (c *census) page(id uint64) ([]byte, error) {
	if err := c.see(id); err != nil {
		return nil, err
	}
	p := make([]byte, c.meta.pageSize)
	at := int64(id) * c.meta.pageSize
	if _, err := c.file.ReadAt(p, at); err != nil {
		return nil, fmt.Errorf("reading page %d: %w", id, err)
	}
	if is := order.Uint64(p); is != id {
		return nil, damaged("page %d says it is %d", id, is)
	}
	more := uint64(order.Uint32(p[12:]))
	for next := range more {
		if err := c.see(id + 1 + next); err != nil { // which bounds how many there are
			return nil, err
		}
	}
	if more > 0 {
		p = append(p, make([]byte, int64(more)*c.meta.pageSize)...)
		if _, err := c.file.ReadAt(p[c.meta.pageSize:], at+c.meta.pageSize); err != nil {
			return nil, fmt.Errorf("reading after page %d: %w", id, err)
		}
	}
	return p, nil
}

// free notes the free pages, and those that say which they are.
func (c *census) free() error {
	p, err := c.page(c.meta.freelist)
	if err != nil {
		return err
	}
	if kind := order.Uint16(p[8:]); kind != boltFreelist {
		return damaged("the list of free pages is of kind %#x", kind)
	}
	count, ids := uint64(order.Uint16(p[10:])), p[boltPageHead:]
	if count == boltManyFree {
		count, ids = order.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return damaged("a list of %d free pages", count)
	}
	for i := range count {
		if err := c.see(order.Uint64(ids[8*i:])); err != nil {
			return fmt.Errorf("the list of free pages: %w", err)
		}
	}
	return nil
}

// buckets looks at the two that raft-boltdb has: one more or less, and it would
// begin anew.
func (c *census) buckets() error {
	visits := map[string]func(element) error{"conf": c.value, "logs": c.entry}
	found := 0
	err := c.tree(c.meta.root, nil, func(e element) error {
		visit := visits[string(e.key)]
		if visit == nil || !e.bucket || len(e.value) < boltBucketHead {
			return damaged("a bucket %q", e.key)
		}
		found++
		if root := order.Uint64(e.value); root != 0 {
			return c.tree(root, nil, visit)
		}
		if len(e.value) < boltBucketHead+boltPageHead {
			return damaged("the bucket %s has %d bytes", e.key, len(e.value))
		}
		return c.leaf(e.value[boltBucketHead:], visit)
	})
	switch {
	case err != nil:
		return err
	case found != len(visits):
		return damaged("%d buckets", found)
	case !slices.Equal(c.keys, ownKeys(c.keys)):
		return damaged("raft's values are %q", c.keys)
	}
	return nil
}

// tree goes through what is below a page, in order. first is its first key, as
// the page above says; nil: there is none above.
func (c *census) tree(id uint64, first []byte, visit func(element) error) error {
	p, err := c.page(id)
	if err != nil {
		return err
	}
	all, leaf, err := elements(p)
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	if (first != nil || !leaf) && (len(all) == 0 || first != nil && !bytes.Equal(first, all[0].key)) {
		return damaged("page %d does not begin with the key %x", id, first)
	}
	for _, e := range all {
		if leaf {
			err = visit(e)
		} else {
			err = c.tree(e.child, e.key, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leaf goes through a bucket that is small enough to have no page of its own.
func (c *census) leaf(p []byte, visit func(element) error) error {
	all, leaf, err := elements(p)
	if err == nil && !leaf {
		err = damaged("a branch within a page")
	}
	for _, e := range all {
		if err == nil {
			err = visit(e)
		}
	}
	return err
}

// entry notes an entry of the log, or the seal, which is the last.
func (c *census) entry(e element) error {
	if e.bucket || len(e.key) != 8 {
		return damaged("an entry of the log with the key %x", e.key)
	}
	switch index := binary.BigEndian.Uint64(e.key); {
	case index == sealIndex:
	case c.found.last == 0 && index > 0:
		c.found.first, c.found.last = index, index
	case index == c.found.last+1:
		c.found.last = index
	default:
		return damaged("entry %d after %d", index, c.found.last)
	}
	return nil
}

// value notes one of raft's values.
func (c *census) value(e element) error {
	if e.bucket {
		return damaged("a bucket %q among raft's values", e.key)
	}
	c.keys = append(c.keys, string(e.key))
	return nil
}
