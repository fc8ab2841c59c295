package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/inelpandzic/imdgo"
)

// Product is what the catalog holds. Its fields are exported, so that the cache
// can encode them.
type Product struct {
	Name  string `json:"name"`
	Cents int    `json:"cents"`
	// FreshSeconds is how long a copy may be served before the store is asked
	// again. It is the TTL of the product's entry.
	FreshSeconds int `json:"fresh_seconds"`
	// Revision counts the product's changes, from 1.
	Revision int `json:"revision"`
}

func (p Product) ttl() imdgo.TTL {
	return imdgo.TTL(time.Duration(p.FreshSeconds) * time.Second)
}

// errPrice is returned when a change would make a price negative.
var errPrice = errors.New("a price cannot be negative")

// catalog is the store with the cache in front. All instances have the same
// cached products. The store has the last word: where a write to the cache
// fails or comes late, instances serve the former product until it is no longer
// fresh, and never for longer.
type catalog struct {
	products *imdgo.Map[string, Product]
	store    *store
}

func newCatalog(cache *imdgo.Cache, s *store) (*catalog, error) {
	products, err := imdgo.OpenMap[string, Product](cache, "products")
	if err != nil {
		return nil, err
	}
	return &catalog{products, s}, nil
}

// get returns a product from this instance's memory, or else from the store,
// which is asked once however many requests want it.
func (c *catalog) get(ctx context.Context, id string) (Product, error) {
	p, err := c.products.GetOrLoad(ctx, id, c.load)
	if err != nil && p.Revision > 0 {
		// Loaded, and not stored for want of a leader, say: it is good all the same.
		slog.Warn("a product was not cached", "id", id, "error", err)
		return p, nil
	}
	return p, err
}

// load reads a product from the store, and caches it for as long as it is fresh.
// An option of GetOrLoad would be the same for all products; it finds that there
// is an entry by now, and leaves it.
func (c *catalog) load(ctx context.Context, id string) (Product, error) {
	p, err := c.store.read(ctx, id)
	if err != nil {
		return Product{}, err
	}
	_, _, err = c.products.SetIfAbsent(ctx, id, p, p.ttl())
	return p, err
}

// put writes a product, to the store and then to all instances.
func (c *catalog) put(ctx context.Context, id string, p Product) (Product, error) {
	if cached, ok := c.products.Get(id); ok {
		p.Revision = cached.Revision // a change of it may be on its way to the store
	}
	p, err := c.store.put(ctx, id, p)
	if err != nil {
		return Product{}, err
	}
	return p, c.products.Set(ctx, id, p, p.ttl())
}

// changePrice adds to a price. Any number of instances may do so at a time, and
// none of the changes is lost: CompareAndSwap stores the sum only if the entry
// is still the one that was read, and whoever was slower reads again. After an
// imdgo.ErrUnknownOutcome the cache may have a price that the store has not, for
// as long as the product is fresh.
func (c *catalog) changePrice(ctx context.Context, id string, by int) (Product, error) {
	for {
		e, err := c.products.Read(ctx, id) // absent: version 0
		if errors.Is(err, imdgo.ErrNotFound) {
			e.Value, err = c.store.read(ctx, id)
		}
		if err != nil {
			return Product{}, err
		}
		next := e.Value
		next.Cents += by
		next.Revision++
		if next.Cents < 0 {
			return Product{}, errPrice
		}
		now, swapped, err := c.products.CompareAndSwap(ctx, id, e.Version, next, next.ttl())
		if err != nil {
			return Product{}, err
		}
		if !swapped {
			continue
		}
		err = c.store.update(ctx, id, next)
		if err == nil {
			return next, nil
		}
		// The store did not take it, so nobody is to see it, unless somebody has
		// replaced it already. errOutdated: the cache was behind the store.
		_, undone := c.products.CompareAndDelete(context.WithoutCancel(ctx), id, now)
		if undone != nil || !errors.Is(err, errOutdated) {
			return Product{}, errors.Join(err, undone)
		}
	}
}

// delete removes a product, from the store and then from all instances.
func (c *catalog) delete(ctx context.Context, id string) error {
	if err := c.store.delete(ctx, id); err != nil {
		return err
	}
	return c.products.Delete(ctx, id)
}
