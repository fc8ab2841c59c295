package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var natsSystem = System{
	Name: "nats", Title: "NATS KV", Ports: 1, Open: openNATS, Module: "github.com/nats-io/nats-server/v2", Missing: present, FailsOver: true,
	Unsupported: map[Op]string{OpRead: "JetStream's reads are not linearizable"},
	Told: "embedded servers, JetStream KV bucket, R3, memory storage, history 1, in-process connections (one for 64 callers), direct gets; " +
		"a TTL is the message's; 100 at a time are published asynchronously",
}

// natsBucket is the KV bucket of the run.
const natsBucket = "bench"

// callersPerConnection: NATS' clients are meant to share connections.
const callersPerConnection = 64

type natsNode struct {
	inside
	server *server.Server
	conns  []*nats.Conn
	js     []jetstream.JetStream
	kv     []jetstream.KeyValue
	first  bool // it makes the bucket
	size   int
}

func openNATS(p Place) (Node, error) {
	host, port, err := splitPort(p.Own()[0])
	if err != nil {
		return nil, err
	}
	opts := &server.Options{
		ServerName: fmt.Sprintf("n%d", p.Index), Host: host, Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: p.Dir, JetStreamMaxMemory: 16 << 30, JetStreamMaxStore: 1 << 30,
		Cluster: server.ClusterOpts{Name: "bench", Host: host, Port: port},
	}
	for i, addrs := range p.Addrs {
		if i != p.Index {
			opts.Routes = append(opts.Routes, &url.URL{Scheme: "nats-route", Host: addrs[0]})
		}
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, err
	}
	s.Start()
	return &natsNode{server: s, first: p.Index == 0, size: len(p.Addrs)}, nil
}

func splitPort(addr string) (string, int, error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.Atoi(text)
	return host, port, err
}

// Ready connects, and makes the bucket on the first node; the others wait until
// it is there.
func (n *natsNode) Ready(ctx context.Context) error {
	if err := n.connect(); err != nil {
		return err
	}
	return retry(ctx, func(ctx context.Context) error {
		for i, js := range n.js {
			kv, err := n.bucket(ctx, js)
			if err != nil {
				return err
			}
			n.kv[i] = kv
		}
		if _, err := n.leader(ctx); err != nil {
			return err
		}
		_, err := n.kv[0].Put(ctx, "ready", nil)
		return err
	})
}

func (n *natsNode) connect() error {
	const connections = 8
	if !n.server.ReadyForConnections(10 * time.Second) {
		return errors.New("the server is not ready for connections")
	}
	for range connections {
		c, err := nats.Connect("", nats.InProcessServer(n.server))
		if err != nil {
			return err
		}
		js, err := jetstream.New(c, jetstream.WithPublishAsyncMaxPending(16<<10))
		if err != nil {
			return errors.Join(err, c.Drain())
		}
		n.conns, n.js, n.kv = append(n.conns, c), append(n.js, js), append(n.kv, nil)
	}
	return nil
}

func (n *natsNode) bucket(ctx context.Context, js jetstream.JetStream) (jetstream.KeyValue, error) {
	kv, err := js.KeyValue(ctx, natsBucket)
	if err == nil || !n.first {
		return kv, err
	}
	return js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: natsBucket, Storage: jetstream.MemoryStorage, Replicas: n.size, History: 1, LimitMarkerTTL: time.Second,
	})
}

// retry does it again until it succeeds or ctx ends.
func retry(ctx context.Context, do func(context.Context) error) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, time.Second)
		err := do(attempt)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (n *natsNode) leader(ctx context.Context) (string, error) {
	stream, err := n.js[0].Stream(ctx, "KV_"+natsBucket)
	if err != nil {
		return "", err
	}
	cluster := stream.CachedInfo().Cluster
	if cluster == nil || cluster.Leader == "" {
		return "", errors.New("the stream has no leader")
	}
	return cluster.Leader, nil
}

func (n *natsNode) Leads(ctx context.Context) (bool, error) {
	leader, err := n.leader(ctx)
	return leader == n.server.Name(), err
}

func (n *natsNode) connection(caller int) int { return caller / callersPerConnection % len(n.js) }

func (n *natsNode) Set(ctx context.Context, caller int, key string, value []byte, ttl time.Duration) error {
	i := n.connection(caller)
	if ttl == 0 {
		_, err := n.kv[i].Put(ctx, key, value)
		return err
	}
	// KV's Put takes no TTL; this is what its Create does, without the check.
	_, err := n.js[i].Publish(ctx, natsSubject(key), value, jetstream.WithMsgTTL(ttl))
	return err
}

func natsSubject(key string) string { return "$KV." + natsBucket + "." + key }

func (n *natsNode) SetMany(ctx context.Context, caller int, keys []string, value []byte, ttl time.Duration) error {
	js := n.js[n.connection(caller)]
	var opts []jetstream.PublishOpt
	if ttl != 0 {
		opts = append(opts, jetstream.WithMsgTTL(ttl))
	}
	acks := make([]jetstream.PubAckFuture, 0, len(keys))
	for _, key := range keys {
		ack, err := js.PublishAsync(natsSubject(key), value, opts...)
		if err != nil {
			return err
		}
		acks = append(acks, ack)
	}
	for _, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (n *natsNode) Get(ctx context.Context, caller int, key string) ([]byte, error) {
	e, err := n.kv[n.connection(caller)].Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return e.Value(), nil
}

func (n *natsNode) Read(context.Context, int, string) ([]byte, error) { return nil, ErrNotOffered }

func (n *natsNode) Close() error {
	for _, c := range n.conns {
		c.Close()
	}
	n.server.Shutdown()
	n.server.WaitForShutdown()
	return nil
}
