package system

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
)

var etcdSystem = System{
	Name: "etcd", Title: "etcd", Ports: 2, Open: openEtcd, Module: "go.etcd.io/etcd/server/v3", Missing: present, FailsOver: true,
	Told: "embedded, its in-process client, no fsync, data on a file system in memory where there is one; a TTL is a lease per entry " +
		"(two proposals); a local read is a serializable one; 100 at a time are one transaction",
}

type etcdNode struct {
	inside
	etcd   *embed.Etcd
	client *clientv3.Client
}

func openEtcd(p Place) (Node, error) {
	cfg := embed.NewConfig()
	cfg.Name = etcdName(p.Index)
	cfg.Dir = p.Dir
	cfg.UnsafeNoFsync = true
	cfg.LogLevel = "panic"
	cfg.LogOutputs = []string{"stderr"}
	cfg.QuotaBackendBytes = 16 << 30
	peer, client := url.URL{Scheme: "http", Host: p.Own()[0]}, url.URL{Scheme: "http", Host: p.Own()[1]}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	var members []string
	for i, addrs := range p.Addrs {
		members = append(members, fmt.Sprintf("%s=http://%s", etcdName(i), addrs[0]))
	}
	cfg.InitialCluster = strings.Join(members, ",")
	e, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, err
	}
	return &etcdNode{etcd: e, client: v3client.New(e.Server)}, nil
}

func etcdName(i int) string { return fmt.Sprintf("n%d", i) }

func (n *etcdNode) Ready(ctx context.Context) error {
	select {
	case <-n.etcd.Server.ReadyNotify():
	case err := <-n.etcd.Err():
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return retry(ctx, func(ctx context.Context) error { return n.Set(ctx, 0, "ready", nil, 0) })
}

func (n *etcdNode) Leads(context.Context) (bool, error) {
	leader := n.etcd.Server.Leader()
	if leader == 0 {
		return false, errors.New("there is no leader")
	}
	return leader == n.etcd.Server.MemberID(), nil
}

func (n *etcdNode) Set(ctx context.Context, _ int, key string, value []byte, ttl time.Duration) error {
	opts, err := n.lease(ctx, ttl)
	if err != nil {
		return err
	}
	_, err = n.client.Put(ctx, key, string(value), opts...)
	return err
}

// lease grants one of its own to an entry, for entries live as long as their lease.
func (n *etcdNode) lease(ctx context.Context, ttl time.Duration) ([]clientv3.OpOption, error) {
	if ttl == 0 {
		return nil, nil
	}
	lease, err := n.client.Grant(ctx, int64(ttl/time.Second))
	if err != nil {
		return nil, err
	}
	return []clientv3.OpOption{clientv3.WithLease(lease.ID)}, nil
}

func (n *etcdNode) SetMany(ctx context.Context, _ int, keys []string, value []byte, ttl time.Duration) error {
	opts, err := n.lease(ctx, ttl)
	if err != nil {
		return err
	}
	puts := make([]clientv3.Op, len(keys))
	for i, key := range keys {
		puts[i] = clientv3.OpPut(key, string(value), opts...)
	}
	_, err = n.client.Txn(ctx).Then(puts...).Commit()
	return err
}

func (n *etcdNode) Get(ctx context.Context, _ int, key string) ([]byte, error) {
	return n.get(ctx, key, clientv3.WithSerializable())
}

func (n *etcdNode) Read(ctx context.Context, _ int, key string) ([]byte, error) {
	return n.get(ctx, key)
}

func (n *etcdNode) get(ctx context.Context, key string, opts ...clientv3.OpOption) ([]byte, error) {
	r, err := n.client.Get(ctx, key, opts...)
	if err != nil || len(r.Kvs) == 0 {
		return nil, err
	}
	return r.Kvs[0].Value, nil
}

func (n *etcdNode) Close() error {
	err := n.client.Close()
	n.etcd.Close()
	return err
}
