package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/inelpandzic/imdgo"
)

const (
	// maxBody is the largest body of a request, far below what the cache takes.
	maxBody = 64 << 10
	// readyTimeout is how long a readiness probe may wait.
	readyTimeout = 250 * time.Millisecond
)

// handler is the service's HTTP face.
type handler struct {
	cache   *imdgo.Cache
	catalog *catalog
	store   *store
}

func newHandler(cache *imdgo.Cache, c *catalog, s *store) http.Handler {
	h := &handler{cache, c, s}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /products/{id}", h.get)
	mux.HandleFunc("PUT /products/{id}", h.put)
	mux.HandleFunc("DELETE /products/{id}", h.delete)
	mux.HandleFunc("POST /products/{id}/price", h.changePrice)
	mux.HandleFunc("GET /healthz", h.health)
	mux.HandleFunc("GET /stats", h.stats)
	return mux
}

func (h *handler) get(w http.ResponseWriter, r *http.Request) {
	p, err := h.catalog.get(r.Context(), r.PathValue("id"))
	answer(w, p, err)
}

func (h *handler) put(w http.ResponseWriter, r *http.Request) {
	p := Product{FreshSeconds: 60}
	if err := decode(w, r, &p); err != nil {
		fail(w, err)
		return
	}
	if p.Name == "" || p.Cents < 0 || p.FreshSeconds < 1 {
		fail(w, fmt.Errorf("%w: a product has a name, a price and some time to be fresh", errRequest))
		return
	}
	p.Revision = 0 // not the client's to say
	p, err := h.catalog.put(r.Context(), r.PathValue("id"), p)
	answer(w, p, err)
}

func (h *handler) delete(w http.ResponseWriter, r *http.Request) {
	if err := h.catalog.delete(r.Context(), r.PathValue("id")); err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *handler) changePrice(w http.ResponseWriter, r *http.Request) {
	var change struct {
		By int `json:"by"` // cents
	}
	if err := decode(w, r, &change); err != nil {
		fail(w, err)
		return
	}
	p, err := h.catalog.changePrice(r.Context(), r.PathValue("id"), change.By)
	answer(w, p, err)
}

// health is for a load balancer: requests go elsewhere until this instance has
// everything that the others have.
func (h *handler) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := h.cache.Ready(ctx); err != nil {
		fail(w, err)
		return
	}
	fmt.Fprintln(w, "ready")
}

// stats are the cache's, with more to compare instances by: at the same
// StateIndex all have the same StateHash. Hashing holds writes up for 0.2 µs
// per entry; with millions of them it is not for every scrape.
type stats struct {
	imdgo.Stats
	Role       string // hides the number in Stats
	StateIndex uint64
	StateHash  string // in hexadecimal, as JSON's numbers end at 2^53
	StoreReads int64
}

func (h *handler) stats(w http.ResponseWriter, _ *http.Request) {
	s := stats{Stats: h.cache.Stats(), StoreReads: h.store.reads.Load()}
	s.Role = s.Stats.Role.String()
	index, hash := h.cache.StateHash()
	s.StateIndex, s.StateHash = index, fmt.Sprintf("%016x", hash)
	answer(w, s, nil)
}

func decode(w http.ResponseWriter, r *http.Request, v any) error {
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	in.DisallowUnknownFields()
	if err := in.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	return nil
}

func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		slog.Debug("an answer was not taken", "error", err)
	}
}
