package main

import (
	"context"
	"fmt"
	"sync"
)

// What is set before the kill, to have a state that is worth sending, and while
// the node is dead.
const (
	cargoCount  = 50_000
	missedCount = 1_000
	cargoName   = "cargo-"
	missedName  = "missed-"
)

// fill sets what makes the state large.
func (d *demo) fill(ctx context.Context) error {
	var mu sync.Mutex // guards done
	done := 0
	var took span
	err := d.while(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		d.scr.draw(fmt.Sprintf("   %s %s entries", gauge(float64(done)/cargoCount, 40), thousands(done)))
	}, func(ctx context.Context) (err error) {
		took, err = follow[int, span](ctx, d.nodes[d.leader], opFill, cargoArgs{cargoName, cargoCount}, func(n int) {
			mu.Lock()
			defer mu.Unlock()
			done = n
		})
		return err
	})
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%s entries by SetMany", thousands(cargoCount))
	d.scr.say(fmt.Sprintf("   %s, %d+%d bytes each, %s at once: %s", what, cargoKeySize, cargoValueSize, thousands(cargoBatch), short(took.took())))
	d.figures.single(what, short(took.took()))
	return nil
}
