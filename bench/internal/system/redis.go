package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/inelpandzic/imdgo/bench/internal/process"
)

const redisServer = "redis-server"

var redisSystem = System{
	Name: "redis", Title: "Redis", Ports: 1, Open: openRedis(false), Module: "github.com/redis/go-redis/v9", Missing: redisMissing, Beside: true,
	Unsupported: map[Op]string{OpRead: "Redis has no linearizable reads"},
	Told: "a primary and two replicas, nothing on disk, go-redis over loopback, a connection per caller; SET returns when the primary has it; " +
		"writes beside a replica go to the primary, local reads to the server beside the caller; 100 at a time are one pipeline",
}

var redisWaitSystem = System{
	Name: "redis-wait", Title: "Redis WAIT 1", Ports: 1, Open: openRedis(true), Module: "github.com/redis/go-redis/v9", Missing: redisMissing, Beside: true,
	Unsupported: map[Op]string{OpRead: "Redis has no linearizable reads", OpGet: "as redis", OpMixed: "as redis"},
	Told:        "as redis, with SET and WAIT 1 in one round trip: it returns when one replica has it, too",
}

func redisMissing() string {
	if _, err := exec.LookPath(redisServer); err != nil {
		return "there is no " + redisServer + " here: it is in the package of that name"
	}
	return ""
}

// redisNode is a redis-server that this process has started, and clients of it
// and of the primary.
type redisNode struct {
	cmd     *exec.Cmd
	said    bytes.Buffer // read when it has ended
	ended   chan struct{}
	own     *redis.Client
	primary *redis.Client
	wait    bool
	leads   bool
	size    int
}

func openRedis(wait bool) func(Place) (Node, error) {
	return func(p Place) (Node, error) { return startRedis(p, wait) }
}

func startRedis(p Place, wait bool) (Node, error) {
	host, port, err := splitPort(p.Own()[0])
	if err != nil {
		return nil, err
	}
	args := []string{"--bind", host, "--port", strconv.Itoa(port), "--dir", p.Dir, "--save", "", "--appendonly", "no",
		"--daemonize", "no", "--repl-diskless-sync-delay", "0", "--loglevel", "warning"}
	if p.Index != 0 {
		args = append(args, "--replicaof", strings.Replace(p.Addrs[0][0], ":", " ", 1))
	}
	n := &redisNode{cmd: exec.Command(redisServer, args...), ended: make(chan struct{}), wait: wait, leads: p.Index == 0, size: len(p.Addrs)}
	n.cmd.Stdout, n.cmd.Stderr = &n.said, &n.said
	if err := n.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", redisServer, err)
	}
	go func() {
		_ = n.cmd.Wait() // how it ended does not matter
		close(n.ended)
	}()
	n.own, n.primary = redisClient(p.Own()[0]), redisClient(p.Addrs[0][0])
	return n, nil
}

func redisClient(addr string) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: addr, PoolSize: 520, MinIdleConns: 1, Protocol: 2, DisableIdentity: true})
}

// Ready returns when all replicas follow.
func (n *redisNode) Ready(ctx context.Context) error {
	return retry(ctx, func(ctx context.Context) error {
		select {
		case <-n.ended:
			return fmt.Errorf("%s has ended: %s", redisServer, n.said.String())
		default:
		}
		if err := n.own.Ping(ctx).Err(); err != nil {
			return err
		}
		if err := n.primary.Set(ctx, "ready", "", 0).Err(); err != nil {
			return err
		}
		replicas, err := n.primary.Wait(ctx, n.size-1, time.Second).Result()
		if err == nil && replicas < int64(n.size-1) {
			err = fmt.Errorf("%d replicas follow", replicas)
		}
		return err
	})
}

func (n *redisNode) Leads(context.Context) (bool, error) { return n.leads, nil }

func (n *redisNode) Set(ctx context.Context, _ int, key string, value []byte, ttl time.Duration) error {
	if !n.wait {
		return n.primary.Set(ctx, key, value, ttl).Err()
	}
	return n.pipeline(ctx, []string{key}, value, ttl)
}

// pipeline sends all in one round trip, and a WAIT behind them where it is asked for.
func (n *redisNode) pipeline(ctx context.Context, keys []string, value []byte, ttl time.Duration) error {
	pipe := n.primary.Pipeline()
	for _, key := range keys {
		pipe.Set(ctx, key, value, ttl)
	}
	var waited *redis.IntCmd
	if n.wait {
		waited = redis.NewIntCmd(ctx, "wait", 1, 2000)
		_ = pipe.Process(ctx, waited) // Exec tells
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	if waited != nil && waited.Val() < 1 {
		return errors.New("no replica has it after 2 s")
	}
	return nil
}

func (n *redisNode) SetMany(ctx context.Context, _ int, keys []string, value []byte, ttl time.Duration) error {
	return n.pipeline(ctx, keys, value, ttl)
}

func (n *redisNode) Get(ctx context.Context, _ int, key string) ([]byte, error) {
	value, err := n.own.Get(ctx, key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return value, err
}

func (n *redisNode) Read(context.Context, int, string) ([]byte, error) { return nil, ErrNotOffered }

// Outside is what the server says of itself: its processor time is getrusage's.
func (n *redisNode) Outside(ctx context.Context) (process.Usage, error) {
	info, err := n.own.Info(ctx, "cpu", "memory").Result()
	if err != nil {
		return process.Usage{}, err
	}
	var u process.Usage
	for line := range strings.Lines(info) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch value, _ := strconv.ParseFloat(text, 64); name {
		case "used_cpu_sys", "used_cpu_user":
			u.CPU += time.Duration(value * float64(time.Second))
		case "used_memory":
			u.Heap = int64(value)
		case "used_memory_rss":
			u.RSS = int64(value)
		}
	}
	return u, nil
}

func (n *redisNode) Close() error {
	err := errors.Join(n.own.Close(), n.primary.Close())
	_ = n.cmd.Process.Kill() // it may have ended by itself
	<-n.ended
	return err
}
