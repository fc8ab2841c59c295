package system

import (
	"context"
	"errors"
	"time"

	"github.com/inelpandzic/imdgo"
)

var imdgoSystem = System{
	Name: "imdgo", Title: "imdgo", Ports: 1, Open: openImdgo, Module: "github.com/inelpandzic/imdgo", Missing: present, FailsOver: true,
	Told: "in memory; a Set returns when a majority has it and the node it was called on has applied it",
}

type imdgoNode struct {
	inside
	cache   *imdgo.Cache
	entries *imdgo.Map[string, []byte]
}

func openImdgo(p Place) (Node, error) {
	var members []string
	for _, addrs := range p.Addrs {
		members = append(members, addrs[0])
	}
	cache, err := imdgo.New(&imdgo.Config{Members: members, LogLevel: "error"}, imdgo.WithBindAddr(p.Own()[0]))
	if err != nil {
		return nil, err
	}
	entries, err := imdgo.OpenMap[string, []byte](cache, "bench")
	if err != nil {
		return nil, errors.Join(err, cache.Close())
	}
	return &imdgoNode{cache: cache, entries: entries}, nil
}

func (n *imdgoNode) Ready(ctx context.Context) error { return n.cache.Ready(ctx) }

func (n *imdgoNode) Leads(context.Context) (bool, error) {
	return n.cache.Stats().Role == imdgo.Leader, nil
}

func (n *imdgoNode) Set(ctx context.Context, _ int, key string, value []byte, ttl time.Duration) error {
	if ttl == 0 {
		return n.entries.Set(ctx, key, value)
	}
	return n.entries.Set(ctx, key, value, imdgo.TTL(ttl))
}

func (n *imdgoNode) SetMany(ctx context.Context, _ int, keys []string, value []byte, ttl time.Duration) error {
	many := make(map[string][]byte, len(keys))
	for _, key := range keys {
		many[key] = value
	}
	return n.entries.SetMany(ctx, many, imdgo.TTL(ttl))
}

func (n *imdgoNode) Get(_ context.Context, _ int, key string) ([]byte, error) {
	value, _ := n.entries.Get(key)
	return value, nil
}

func (n *imdgoNode) Read(ctx context.Context, _ int, key string) ([]byte, error) {
	e, err := n.entries.Read(ctx, key, imdgo.Linearizable)
	if errors.Is(err, imdgo.ErrNotFound) {
		return nil, nil
	}
	return e.Value, err
}

func (n *imdgoNode) Close() error { return n.cache.Close() }
