package imdgo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/inelpandzic/imdgo/internal/command"
	"github.com/inelpandzic/imdgo/internal/node"
	"github.com/inelpandzic/imdgo/internal/value"
)

// opOverhead is what an operation may take beside keys and values.
const opOverhead = 1024

// Set stores value under key on all nodes, replacing what was there, its
// deadline included. It returns when a majority of the nodes and this one have
// it. Until then value must not be changed; afterwards it is the caller's alone.
func (m *Map[K, V]) Set(ctx context.Context, key K, value V, opts ...WriteOption) error {
	_, err := m.write(ctx, "setting", command.Set, key, 0, value, opts)
	return err
}

// SetIfAbsent stores value under key if there is no entry. It returns the
// version that stands after the call, and whether it is this value's.
func (m *Map[K, V]) SetIfAbsent(ctx context.Context, key K, value V, opts ...WriteOption) (now Version, stored bool, err error) {
	r, err := m.write(ctx, "setting if absent", command.SetIfAbsent, key, 0, value, opts)
	return Version(r.Version), r.Code == command.Applied, err
}

// CompareAndSwap stores value under key if the entry's version is old; old 0
// means if there is no entry. It replaces the deadline as Set does. It returns
// the version that stands after the call, 0 for none, and whether it is this
// value's.
func (m *Map[K, V]) CompareAndSwap(ctx context.Context, key K, old Version, value V, opts ...WriteOption) (now Version, swapped bool, err error) {
	r, err := m.write(ctx, "comparing and swapping", command.CompareAndSwap, key, old, value, opts)
	return Version(r.Version), r.Code == command.Applied, err
}

// write has one of the operations that store a value applied.
func (m *Map[K, V]) write(ctx context.Context, what string, kind command.Kind, key K, old Version, v V, opts []WriteOption) (command.Result, error) {
	ttl, err := m.ttl(opts)
	if err != nil {
		return command.Result{}, doing(what, m.name, err)
	}
	k, data, err := m.encode(key, v)
	if err != nil {
		return command.Result{}, doing(what, m.name, err)
	}
	return m.do(ctx, what, len(k)+len(data), func(dst []byte, patience uint64) []byte {
		if kind == command.CompareAndSwap {
			return command.AppendCompareAndSwap(dst, patience, m.target, k, uint64(old), ttl, data)
		}
		return command.AppendSet(dst, kind, patience, m.target, k, ttl, data)
	})
}

// SetMany stores all values, or none, in one step: nobody sees some of them
// without the others having been written. Together they may have up to 32 MiB,
// or what WithLogLimit allows.
func (m *Map[K, V]) SetMany(ctx context.Context, values map[K]V, opts ...WriteOption) error {
	const what = "setting many"
	ttl, err := m.ttl(opts)
	if err != nil {
		return doing(what, m.name, err)
	}
	var pairs []byte
	for key, v := range values {
		k, data, err := m.encode(key, v)
		if err != nil {
			return doing(what, m.name, err)
		}
		if pairs = command.AppendPair(pairs, k, data); len(pairs) > m.cache.settings.mostOp {
			return doing(what, m.name, m.cache.tooMuch(len(pairs)))
		}
	}
	if len(values) == 0 {
		return m.nothing(ctx, what)
	}
	_, err = m.do(ctx, what, len(pairs), func(dst []byte, patience uint64) []byte {
		return append(command.AppendSetMany(dst, patience, m.target, ttl, len(values)), pairs...)
	})
	return err
}

// Delete removes the entries under keys, in one step. That there is none is no
// error.
func (m *Map[K, V]) Delete(ctx context.Context, keys ...K) error {
	const what = "deleting"
	encoded, size := make([]string, len(keys)), 0
	for i, key := range keys {
		k, err := encodeKey(key)
		if err != nil {
			return doing(what, m.name, err)
		}
		encoded[i] = k
		size += len(k) + 3
	}
	if len(keys) == 0 {
		return m.nothing(ctx, what)
	}
	_, err := m.do(ctx, what, size, func(dst []byte, patience uint64) []byte {
		return command.AppendDelete(dst, patience, m.target, encoded)
	})
	return err
}

// CompareAndDelete removes the entry under key if its version is old, and says
// whether it did.
func (m *Map[K, V]) CompareAndDelete(ctx context.Context, key K, old Version) (deleted bool, err error) {
	const what = "comparing and deleting"
	k, err := encodeKey(key)
	if err != nil {
		return false, doing(what, m.name, err)
	}
	r, err := m.do(ctx, what, len(k), func(dst []byte, patience uint64) []byte {
		return command.AppendCompareAndDelete(dst, patience, m.target, k, uint64(old))
	})
	return r.Code == command.Applied, err
}

// Expire gives the entry under key a new TTL from now on; 0 takes its deadline
// away. The version stays as it is. It says whether there was an entry.
func (m *Map[K, V]) Expire(ctx context.Context, key K, ttl time.Duration) (found bool, err error) {
	const what = "changing a deadline"
	k, err := encodeKey(key)
	if err == nil {
		err = TTL(ttl).check()
	}
	if err != nil {
		return false, doing(what, m.name, err)
	}
	r, err := m.do(ctx, what, len(k), func(dst []byte, patience uint64) []byte {
		return command.AppendTouch(dst, patience, m.target, k, int64(ttl))
	})
	return r.Code == command.Applied, err
}

// Clear removes all entries of the map, in one step that takes no longer for
// many than for few.
func (m *Map[K, V]) Clear(ctx context.Context) error {
	_, err := m.do(ctx, "clearing", 0, func(dst []byte, patience uint64) []byte {
		return command.AppendClear(dst, patience, m.target)
	})
	return err
}

// do has one operation applied, the map's options before the first.
func (m *Map[K, V]) do(ctx context.Context, what string, size int, encode node.Encode) (command.Result, error) {
	if size > m.cache.settings.mostOp {
		return command.Result{}, doing(what, m.name, m.cache.tooMuch(size))
	}
	if !m.isDeclared() {
		bounded, cancel := m.bound(ctx) // both together
		defer cancel()
		if err := m.declareOptions(bounded); err != nil {
			return command.Result{}, doing(what, m.name, err)
		}
		ctx = bounded
	}
	r, err := m.perform(ctx, size, encode)
	return r, doing(what, m.name, err)
}

func (m *Map[K, V]) perform(ctx context.Context, size int, encode node.Encode) (command.Result, error) {
	outcome, err := m.cache.node.Do(ctx, size, encode)
	if err != nil {
		return command.Result{}, err
	}
	switch outcome.Code {
	case command.Mismatch:
		known, _ := m.table.Kind()
		return command.Result{}, mismatch(known, m.target.Type)
	case command.NoRoom:
		return command.Result{}, fmt.Errorf("%w: what takes the room may not be evicted", ErrFull)
	case command.TooLarge:
		return command.Result{}, fmt.Errorf("%w: the memory budget or the map's limits cannot hold an operation of %d bytes", ErrTooLarge, size)
	}
	return outcome.Result, nil
}

// declareOptions has the map's options applied, once. Others who write at the
// same time wait for it: what they write must have the TTL that they opened
// the map with.
//
// Whoever has lost its cluster, and is in another one, declares again: the map
// begins anew there, and without its TTL entries would stay for ever.
func (m *Map[K, V]) declareOptions(ctx context.Context) error {
	select {
	case m.declaring <- struct{}{}:
		defer func() { <-m.declaring }()
	case <-ctx.Done():
		return ended(ctx, ErrTimeout)
	}
	if m.isDeclared() {
		return nil
	}
	cluster := m.cache.node.Cluster()
	_, err := m.perform(ctx, 0, func(dst []byte, patience uint64) []byte {
		return command.AppendDeclare(dst, patience, m.target, m.declare)
	})
	if err != nil {
		return fmt.Errorf("declaring the map's options: %w", notSent(err))
	}
	if m.cache.node.Cluster() == cluster {
		m.declared.Store(cluster)
	}
	return nil
}

// isDeclared reports whether there is nothing to declare, or it has been in the
// cluster that this node is in.
func (m *Map[K, V]) isDeclared() bool {
	if len(m.declare) == 0 {
		return true
	}
	cluster := m.declared.Load()
	return cluster != 0 && cluster == m.cache.node.Cluster()
}

// notSent is what is said of a write that was not sent because of err, which
// may be an unknown outcome of something else.
func notSent(err error) error {
	switch {
	case !errors.Is(err, ErrUnknownOutcome):
		return err
	case errors.Is(err, ErrClosed):
		return ErrClosed
	}
	return fmt.Errorf("%w: %v", ErrTimeout, err)
}

// largest is the largest operation where the log is trimmed at so many bytes. In
// memory three of them must have room in what the budget sets aside for the log:
// raft keeps the last one, the present one is not known to be committed
// everywhere, and the next one comes.
func largest(logLimit int64, durable bool) int {
	const most = command.MaxOp - opOverhead
	if durable {
		return most
	}
	return int(min(most, logLimit-opOverhead))
}

func (c *Cache) tooMuch(size int) error {
	return fmt.Errorf("%w: %d bytes or more in one operation, the most is %d (32 MiB, or what WithLogLimit says)", ErrTooLarge, size, c.settings.mostOp)
}

// nothing is the answer to a write of nothing.
func (m *Map[K, V]) nothing(ctx context.Context, what string) error {
	if m.cache.closed.Load() {
		return doing(what, m.name, ErrClosed)
	}
	if ctx.Err() != nil {
		return doing(what, m.name, ended(ctx, ErrTimeout))
	}
	return nil
}

// ttl is the TTL of a write: the caller's, or this node's default, which comes
// after the map's.
func (m *Map[K, V]) ttl(opts []WriteOption) (command.TTL, error) {
	ttl := command.TTL{Nanoseconds: int64(m.cache.settings.defaultTTL)}
	if len(opts) == 0 {
		return ttl, nil
	}
	s := writeSettings{ttl: ttl}
	for _, o := range opts {
		if o == nil {
			return s.ttl, invalid("a nil WriteOption")
		}
		if err := o.applyWrite(&s); err != nil {
			return s.ttl, err
		}
	}
	return s.ttl, nil
}

// encode makes bytes of a key and a value, and checks their size. They may be the
// caller's own, so they are good for as long as its call lasts.
func (m *Map[K, V]) encode(key K, v V) (k string, data []byte, err error) {
	if k, err = encodeKey(key); err != nil {
		return "", nil, err
	}
	if data, err = m.codec.View(nil, v); err != nil {
		return "", nil, invalid("%w", err)
	}
	if most := m.cache.settings.maxValue; len(data) > most {
		return "", nil, fmt.Errorf("%w: value of %d bytes, the most is %d (WithMaxValueSize)", ErrTooLarge, len(data), most)
	}
	return k, data, nil
}

func encodeKey[K Key](key K) (string, error) {
	k := value.EncodeKey(key)
	if len(k) > MaxKeySize {
		return "", fmt.Errorf("%w: key of %d bytes, the most is %d", ErrTooLarge, len(k), MaxKeySize)
	}
	return k, nil
}
