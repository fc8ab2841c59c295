package main

import (
	"errors"

	"github.com/Yiling-J/theine-go"
	"github.com/dgraph-io/ristretto/v2"
	"github.com/hashicorp/golang-lru/arc/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/maypok86/otter/v2"
)

// golang is the face that the caches of golang-lru share.
type golang struct {
	get func(uint32) (struct{}, bool)
	add func(uint32)
}

func (c golang) request(key uint32) bool {
	_, ok := c.get(key)
	if !ok {
		c.add(key)
	}
	return ok
}

func (golang) close() {}

func openLRU(entries, _ int) (cache, error) {
	c, err := lru.New[uint32, struct{}](entries)
	if err != nil {
		return nil, err
	}
	return golang{c.Get, func(k uint32) { c.Add(k, struct{}{}) }}, nil
}

func openTwoQueue(entries, _ int) (cache, error) {
	c, err := lru.New2Q[uint32, struct{}](max(entries, 4)) // under 4 a share of it is nothing, and refused
	if err != nil {
		return nil, err
	}
	return golang{c.Get, func(k uint32) { c.Add(k, struct{}{}) }}, nil
}

func openARC(entries, _ int) (cache, error) {
	c, err := arc.NewARC[uint32, struct{}](entries)
	if err != nil {
		return nil, err
	}
	return golang{c.Get, func(k uint32) { c.Add(k, struct{}{}) }}, nil
}

type otterCache struct{ *otter.Cache[uint32, struct{}] }

// openOtter has its maintenance on the caller's goroutine, and done after every
// request, so that it neither loses reads nor exceeds its bound.
func openOtter(entries, _ int) (cache, error) {
	c, err := otter.New(&otter.Options[uint32, struct{}]{
		MaximumSize: entries,
		Executor:    func(f func()) { f() },
	})
	if err != nil {
		return nil, err
	}
	return otterCache{c}, nil
}

func (c otterCache) request(key uint32) bool {
	_, ok := c.GetIfPresent(key)
	if !ok {
		c.Set(key, struct{}{})
	}
	c.CleanUp()
	return ok
}

func (c otterCache) close() { c.StopAllGoroutines() }

type theineCache struct {
	*theine.Cache[uint32, struct{}]
}

// openTheine waits for each write to be applied. Reads it applies by sixteen,
// there is no asking it to do so earlier.
func openTheine(entries, _ int) (cache, error) {
	c, err := theine.NewBuilder[uint32, struct{}](int64(entries)).Build()
	if err != nil {
		return nil, err
	}
	return theineCache{c}, nil
}

func (c theineCache) request(key uint32) bool {
	_, ok := c.Get(key)
	if !ok && c.Set(key, struct{}{}, 1) {
		c.Wait()
	}
	return ok
}

func (c theineCache) close() { c.Close() }

type ristrettoCache struct {
	*ristretto.Cache[uint32, struct{}]
}

// openRistretto takes the settings that its documentation recommends, and waits
// for each write to be applied.
func openRistretto(entries, _ int) (cache, error) {
	c, err := ristretto.NewCache(&ristretto.Config[uint32, struct{}]{
		NumCounters:        int64(entries) * 10,
		MaxCost:            int64(entries),
		BufferItems:        64,
		IgnoreInternalCost: true,
	})
	if err != nil {
		return nil, errors.Join(errors.New("ristretto refuses its settings"), err)
	}
	return ristrettoCache{c}, nil
}

func (c ristrettoCache) request(key uint32) bool {
	_, ok := c.Get(key)
	if !ok && c.Set(key, struct{}{}, 1) {
		c.Wait()
	}
	return ok
}

func (c ristrettoCache) close() { c.Close() }
