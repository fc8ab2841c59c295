package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

const (
	cargoKeySize   = 16
	cargoValueSize = 100
	// cargoBatch is how many entries one SetMany stores.
	cargoBatch = 1000
)

// cargo returns an entry with a value of the given size. Each has a value of its own, so that one in the
// place of another is noticed.
func cargo(prefix string, i, size int) (key, value string) {
	key = prefix + fmt.Sprintf("%0*d", cargoKeySize-len(prefix), i)
	return key, strings.Repeat(key, size/cargoKeySize+1)[:size]
}

// fill stores cargo and says now and then how much there is.
func (n *node) fill(ctx context.Context, raw json.RawMessage, emit func(any)) (any, error) {
	var args cargoArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, err
	}
	return timed(func() error {
		for from := 0; from < args.Count; from += cargoBatch {
			batch := make(map[string]string, cargoBatch)
			for i := from; i < min(from+cargoBatch, args.Count); i++ {
				key, value := cargo(args.Prefix, i, cargoValueSize)
				batch[key] = value
			}
			if err := n.cargo.SetMany(ctx, batch); err != nil {
				return err
			}
			emit(from + len(batch))
		}
		return nil
	})
}

// recall counts the cargo that this replica has, asking nobody else.
func (n *node) recall(_ context.Context, raw json.RawMessage, _ func(any)) (any, error) {
	var args cargoArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, err
	}
	found := 0
	for i := range args.Count {
		key, want := cargo(args.Prefix, i, cargoValueSize)
		if got, ok := n.cargo.Get(key); ok && got == want {
			found++
		}
	}
	return found, nil
}
