package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/inelpandzic/imdgo"
)

// node is one process of the demo's cluster.
type node struct {
	cache   *imdgo.Cache
	series  *imdgo.Map[string, int]
	samples *imdgo.Map[string, session]
	expiry  *imdgo.Map[string, string]
	ledger  *imdgo.Map[string, int]
	counter *imdgo.Map[string, int]
	cargo   *imdgo.Map[string, string]
	kept    *imdgo.Map[string, string]

	halt chan struct{} // ends the load, or the watch over the budget

	mu  sync.Mutex // guards out
	out *json.Encoder
}

// handler answers one request; emit sends a reply that is not the last.
type handler func(ctx context.Context, args json.RawMessage, emit func(any)) (any, error)

// serveChild is a node's main: it answers requests until its standard input
// ends, which is also when its parent dies, and then ends at once.
func serveChild(in io.Reader, out io.Writer) int {
	n := &node{out: json.NewEncoder(out), halt: make(chan struct{}, 1)}
	handlers := map[string]handler{
		opStart: n.start, opReady: n.ready, opStats: n.stats, opSeries: n.runSeries, opWatch: n.watch, opReads: n.reads,
		opOffer: n.offer, opCompare: n.compare, opExpire: n.expire, opHolds: n.holds, opLoad: n.load, opHalt: n.haltLoad,
		opMark: n.mark, opVerify: n.verify, opSample: n.sample, opFill: n.fill, opRecall: n.recall,
		opPlant: n.plant, opFlood: n.flood, opObserve: n.observe, opCram: n.cram,
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var q request
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return exitFailed
		}
		if h, ok := handlers[q.Op]; ok && (n.cache != nil || q.Op == opStart) {
			if q.Op == opStart { // everything else needs what it makes
				n.answer(q, h)
			} else {
				go n.answer(q, h)
			}
			continue
		}
		n.send(reply{ID: q.ID, Last: true, Error: fmt.Sprintf("request %q makes no sense here", q.Op)})
	}
	return exitFine
}

func (n *node) answer(q request, h handler) {
	emit := func(body any) { n.send(reply{ID: q.ID, Body: encoded(body)}) }
	body, err := h(context.Background(), q.Args, emit)
	r := reply{ID: q.ID, Last: true, Body: encoded(body)}
	if err != nil {
		r.Error = err.Error()
	}
	n.send(r)
}

// send writes one reply. If the parent is gone, standard input ends too.
func (n *node) send(r reply) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_ = n.out.Encode(r)
}

func encoded(body any) json.RawMessage {
	if body == nil {
		return nil
	}
	data, err := json.Marshal(body)
	if err != nil {
		panic(err) // the protocol's types can all be encoded
	}
	return data
}

// logLimit is so small that a node which comes back cannot be told the whole
// history, and has to be sent the state.
const logLimit = 1 << 20

func (n *node) start(_ context.Context, raw json.RawMessage, _ func(any)) (any, error) {
	var args startArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, err
	}
	opts := []imdgo.Option{&imdgo.Config{Members: args.Members, LogLevel: "error"},
		imdgo.WithBindAddr(args.Bind), imdgo.WithLogLimit(logLimit)}
	if args.Limit != 0 {
		opts = append(opts, imdgo.WithMemoryLimit(args.Limit))
	}
	cache, err := imdgo.New(opts...)
	if err != nil {
		return nil, err
	}
	open := opener{cache: cache}
	n.series = openMap[int](&open, "series")
	n.samples = openMap[session](&open, "samples")
	n.expiry = openMap[string](&open, "expiry")
	n.ledger = openMap[int](&open, "ledger")
	n.counter = openMap[int](&open, "counter")
	n.cargo = openMap[string](&open, "cargo")
	n.kept = openMap[string](&open, "kept", imdgo.NoEviction)
	n.cache = cache
	return nil, open.err
}

// opener opens maps and keeps the first error.
type opener struct {
	cache *imdgo.Cache
	err   error
}

func openMap[V any](o *opener, name string, opts ...imdgo.MapOption) *imdgo.Map[string, V] {
	m, err := imdgo.OpenMap[string, V](o.cache, name, opts...)
	if err != nil && o.err == nil {
		o.err = err
	}
	return m
}

func (n *node) ready(ctx context.Context, _ json.RawMessage, _ func(any)) (any, error) {
	return nil, n.cache.Ready(ctx)
}

func (n *node) stats(context.Context, json.RawMessage, func(any)) (any, error) {
	return n.cache.Stats(), nil
}
