package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/inelpandzic/imdgo/eviction"
)

// cache answers requests. A request for what is not there puts it there, if the
// cache wants it.
type cache interface {
	request(key uint32) (hit bool)
	close()
}

// kind is a sort of cache.
type kind struct {
	name string
	ours bool
	open func(entries, unique int) (cache, error)
}

var kinds = []kind{
	{"imdgo", true, policy(func() eviction.Policy[*entry] { return eviction.NewS3FIFO[*entry](eviction.Config{}) })},
	{"imdgo LRU", true, policy(func() eviction.Policy[*entry] { return eviction.NewLRU[*entry](eviction.Config{}) })},
	{"imdgo 2Q", true, policy(func() eviction.Policy[*entry] { return eviction.NewTwoQueue[*entry](eviction.Config{}) })},
	{"LRU", false, openLRU},
	{"2Q", false, openTwoQueue},
	{"ARC", false, openARC},
	{"otter", false, openOtter},
	{"theine", false, openTheine},
	{"ristretto", false, openRistretto},
}

func policy(build func() eviction.Policy[*entry]) func(entries, unique int) (cache, error) {
	return func(entries, unique int) (cache, error) { return openOurs(build(), entries, unique), nil }
}

// chooseKinds returns the kinds named, all for none.
func chooseKinds(names string) ([]kind, error) {
	if names == "" {
		return kinds, nil
	}
	var chosen []kind
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
		if i < 0 {
			var known []string
			for _, k := range kinds {
				known = append(known, k.name)
			}
			return nil, fmt.Errorf("there is no policy %q, there are %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, kinds[i])
	}
	return chosen, nil
}
