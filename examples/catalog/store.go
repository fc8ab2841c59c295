package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// errNoProduct is returned when the store has no such product.
	errNoProduct = errors.New("no such product")
	// errOutdated is returned when the store has the same revision, or a later one.
	errOutdated = errors.New("outdated")
)

// store stands in for a database: slow to read, and the truth about products.
// A database is one for all instances, while each has its own stand-in, which
// begins with the same products and learns only what is written through it.
type store struct {
	delay time.Duration
	reads atomic.Int64

	mu       sync.Mutex // guards products
	products map[string]Product
}

func newStore(delay time.Duration) *store {
	return &store{delay: delay, products: map[string]Product{
		"tea":    {Name: "Darjeeling, 100 g", Cents: 1290, FreshSeconds: 60, Revision: 1},
		"coffee": {Name: "Sidamo, 250 g", Cents: 1450, FreshSeconds: 60, Revision: 1},
		"cake":   {Name: "Cake of the day", Cents: 420, FreshSeconds: 5, Revision: 1},
	}}
}

// read returns a product, slowly.
func (s *store) read(ctx context.Context, id string) (Product, error) {
	s.reads.Add(1)
	select {
	case <-time.After(s.delay):
	case <-ctx.Done():
		return Product{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.products[id]
	if !ok {
		return Product{}, errNoProduct
	}
	return p, nil
}

// put stores a product as a later revision than p's and its own, and returns it.
//
//	INSERT … ON CONFLICT … SET …, revision = GREATEST(revision, $revision) + 1 RETURNING *
func (s *store) put(ctx context.Context, id string, p Product) (Product, error) {
	if err := ctx.Err(); err != nil {
		return Product{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Revision = max(p.Revision, s.products[id].Revision) + 1
	s.products[id] = p
	return p, nil
}

// update stores a product if it is of a later revision, or else is errOutdated.
//
//	INSERT … ON CONFLICT … SET … WHERE revision < $revision
func (s *store) update(ctx context.Context, id string, p Product) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.products[id].Revision >= p.Revision {
		return errOutdated
	}
	s.products[id] = p
	return nil
}

// delete removes a product.
func (s *store) delete(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.products, id)
	return nil
}
