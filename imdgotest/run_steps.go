package imdgotest

import (
	"context"
	"errors"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo"
)

// steps is what the verbs do, in the order of verbs.
var steps = map[string]step{
	"cluster": beginCluster,
	"name": func(r *runner, s *statement) (any, error) {
		r.names[s.word] = r.node(s.nodes[0])
		return nil, nil
	},

	"set":    onMap(set),
	"add":    onMap(add),
	"cas":    onMap(compareAndSwap),
	"delete": onMap(func(m table, s *statement) (any, error) { return nil, m.Delete(context.Background(), s.keys...) }),
	"cad":    onMap(compareAndDelete),
	"expire": onMap(func(m table, s *statement) (any, error) {
		return m.Expire(context.Background(), s.keys[0], s.duration)
	}),
	"clear": onMap(func(m table, _ *statement) (any, error) { return nil, m.Clear(context.Background()) }),
	"get":   onMap(get),
	"read":  onMap(read),
	"ttl":   onMap(timeToLive),
	"count": onMap(func(m table, _ *statement) (any, error) { return m.Len(), nil }),
	"role": func(r *runner, s *statement) (any, error) {
		return r.cluster.Node(r.node(s.nodes[0])).Cache.Stats().Role.String(), nil
	},
	"hash": func(r *runner, _ *statement) (any, error) { return nil, r.cluster.equal() },
	"wait": wait,

	"tick": tick,
	"pause": func(_ *runner, s *statement) (any, error) {
		return nil, sleepUntil(context.Background(), time.Now().Add(s.duration))
	},
	"jump":  onNode(func(c *Cluster, name string, s *statement) { c.Jump(name, s.duration) }),
	"skew":  onNode(func(c *Cluster, name string, s *statement) { c.Skew(name, s.duration) }),
	"step":  onNode(func(c *Cluster, name string, s *statement) { c.clock.Step(name, s.duration) }),
	"drift": onNode(func(c *Cluster, name string, s *statement) { c.Drift(name, s.rate) }),

	"cut":         onLink(func(c *Cluster, a, b string, _ *statement) { c.Cut(a, b) }),
	"cut-one-way": onLink(func(c *Cluster, from, to string, _ *statement) { c.CutOneWay(from, to) }),
	"isolate":     onNode(func(c *Cluster, name string, _ *statement) { c.Isolate(name) }),
	"partition":   partition,
	"heal":        onCluster(func(c *Cluster, _ *statement) { c.Heal() }),
	"delay":       onLink(func(c *Cluster, a, b string, s *statement) { c.Delay(a, b, s.duration) }),
	"start":       onNode(func(c *Cluster, name string, _ *statement) { c.Start(name) }),
	"kill":        onNode(func(c *Cluster, name string, _ *statement) { c.Kill(name) }),
	"restart":     onNode(func(c *Cluster, name string, _ *statement) { c.Restart(name) }),
	"stop":        onNode(func(c *Cluster, name string, _ *statement) { c.Stop(name) }),
	"leave":       onNode(func(c *Cluster, name string, _ *statement) { c.Leave(name) }),
}

// table is a map as scripts see it.
type table = *imdgo.Map[string, any]

func onMap(do func(m table, s *statement) (any, error)) step {
	return func(r *runner, s *statement) (any, error) {
		name, _ := s.options["map"].(string)
		m, err := imdgo.OpenMap[string, any](r.cluster.Node(r.node(s.nodes[0])).Cache, name)
		if err != nil {
			return nil, err
		}
		return do(m, s)
	}
}

func onCluster(do func(c *Cluster, s *statement)) step {
	return func(r *runner, s *statement) (any, error) {
		do(r.cluster, s)
		return nil, nil
	}
}

func onNode(do func(c *Cluster, name string, s *statement)) step {
	return func(r *runner, s *statement) (any, error) {
		do(r.cluster, r.node(s.nodes[0]), s)
		return nil, nil
	}
}

func onLink(do func(c *Cluster, a, b string, s *statement)) step {
	return func(r *runner, s *statement) (any, error) {
		do(r.cluster, r.node(s.nodes[0]), r.node(s.nodes[1]), s)
		return nil, nil
	}
}

// node returns the name of the node that a word of the script stands for now.
func (r *runner) node(word string) string {
	switch {
	case word == "leader":
		return r.cluster.Leader().Name
	case word == "follower":
		return r.cluster.follower().Name
	case word[0] != '@':
		return word
	}
	name, ok := r.names[word]
	if !ok {
		r.t.Fatalf("%s: no node has been given that name", word)
	}
	return name
}

// follower waits until some node follows the leader.
func (c *Cluster) follower() (n *Node) {
	c.t.Helper()
	Eventually(c.t, patience, func() error {
		followers := c.Followers()
		if len(followers) == 0 {
			return errors.New("nobody follows the leader")
		}
		n = followers[0]
		return nil
	})
	return n
}

func beginCluster(r *runner, s *statement) (any, error) {
	if r.cluster != nil {
		return nil, errors.New("there is one already")
	}
	if s.options["disk"] == true {
		return nil, errors.New("this release keeps nothing on disk")
	}
	var opts []Option
	if s.options["net"] == "tcp" {
		opts = append(opts, Loopback())
	}
	if s.options["start"] == false {
		opts = append(opts, Unstarted())
	}
	r.cluster = NewCluster(r.t, s.count, opts...)
	return nil, nil
}

// tick lets what is under way arrive first, where it can be known that it has: an entry of the log that
// is on its way while a minute passes counts as one that took a minute.
func tick(r *runner, s *statement) (any, error) {
	if r.bubble {
		time.Sleep(time.Millisecond) // followers hear of the last commit
		synctest.Wait()
	}
	r.cluster.Tick(s.duration)
	return nil, nil
}

func partition(r *runner, s *statement) (any, error) {
	groups := make([][]string, len(s.groups))
	for i, group := range s.groups {
		for _, word := range group {
			groups[i] = append(groups[i], r.node(word))
		}
	}
	r.cluster.Partition(groups...)
	return nil, nil
}

func wait(r *runner, s *statement) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	switch s.word {
	case "converged":
		return nil, r.cluster.Converged(ctx)
	case "ready":
		r.cluster.WaitReady()
	default:
		r.cluster.Leader()
	}
	return nil, nil
}

// writeOptions are those of the statement.
func writeOptions(s *statement) []imdgo.WriteOption {
	if ttl, ok := s.options["ttl"].(time.Duration); ok {
		return []imdgo.WriteOption{imdgo.TTL(ttl)}
	}
	return nil
}

func set(m table, s *statement) (any, error) {
	ctx := context.Background()
	if len(s.pairs) == 1 {
		return nil, m.Set(ctx, s.pairs[0].key, s.pairs[0].value, writeOptions(s)...)
	}
	values := make(map[string]any)
	for _, p := range s.pairs {
		values[p.key] = p.value
	}
	return nil, m.SetMany(ctx, values, writeOptions(s)...)
}

func add(m table, s *statement) (any, error) {
	_, stored, err := m.SetIfAbsent(context.Background(), s.pairs[0].key, s.pairs[0].value, writeOptions(s)...)
	return stored, err
}

func compareAndSwap(m table, s *statement) (any, error) {
	key, ctx := s.pairs[0].key, context.Background()
	old, ok, err := versionOf(m, key, s.options["was"])
	if !ok || err != nil {
		return false, err
	}
	_, swapped, err := m.CompareAndSwap(ctx, key, old, s.pairs[0].value, writeOptions(s)...)
	return swapped, err
}

func compareAndDelete(m table, s *statement) (any, error) {
	old, ok, err := versionOf(m, s.keys[0], s.options["was"])
	if !ok || err != nil {
		return false, err
	}
	return m.CompareAndDelete(context.Background(), s.keys[0], old)
}

// versionOf returns the version of the value that is expected under key, as this replica has it; false if
// it has something else there. Whether an expected absence is one is left to the cluster to say.
func versionOf(m table, key string, was any) (imdgo.Version, bool, error) {
	if was == (missing{}) {
		return 0, true, nil
	}
	e, err := m.Read(context.Background(), key, imdgo.Local)
	if errors.Is(err, imdgo.ErrNotFound) {
		return 0, false, nil
	}
	return e.Version, e.Value == was, err
}

func get(m table, s *statement) (any, error) {
	value, ok := m.Get(s.keys[0])
	if !ok {
		return missing{}, nil
	}
	return value, nil
}

func read(m table, s *statement) (any, error) {
	var opts []imdgo.ReadOption
	switch s.options["level"] {
	case "local":
		opts = append(opts, imdgo.Local)
	case "linearizable":
		opts = append(opts, imdgo.Linearizable)
	}
	if d, ok := s.options["staleness"].(time.Duration); ok {
		opts = append(opts, imdgo.MaxStaleness(d))
	}
	e, err := m.Read(context.Background(), s.keys[0], opts...)
	if errors.Is(err, imdgo.ErrNotFound) && !(s.want != nil && s.want.fails) {
		return missing{}, nil
	}
	return e.Value, err
}

func timeToLive(m table, s *statement) (any, error) {
	d, ok := m.TTL(s.keys[0])
	if !ok {
		return missing{}, nil
	}
	return d, nil
}
