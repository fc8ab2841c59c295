package imdgo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo"
	"github.com/inelpandzic/imdgo/imdgotest"
)

var ctx = context.Background()

// alone is a cache of one node that is closed with the test.
func alone(t testing.TB, opts ...imdgo.Option) *imdgo.Cache {
	t.Helper()
	c, err := imdgo.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func open[K imdgo.Key, V any](t testing.TB, c *imdgo.Cache, name string, opts ...imdgo.MapOption) *imdgo.Map[K, V] {
	t.Helper()
	m, err := imdgo.OpenMap[K, V](c, name, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wants(t testing.TB, err error, wanted ...error) {
	t.Helper()
	for _, w := range wanted {
		if !errors.Is(err, w) {
			t.Fatalf("got error %v, want %v", err, w)
		}
	}
}

// eventually waits until what is described comes true.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	imdgotest.Eventually(t, 10*time.Second, func() error {
		if !done() {
			return errors.New("it is not so that " + what)
		}
		return nil
	})
}

func TestACacheAloneIsReadyAtOnce(t *testing.T) {
	c := alone(t)
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond) // raft's own election would take longer
	defer cancel()
	ok(t, c.Ready(ctx))
	if role := c.Stats().Role; role != imdgo.Leader {
		t.Errorf("it is %v", role)
	}
}

type person struct {
	Name  string
	Born  time.Time
	Tags  []string `msgpack:"t"`
	Boss  *person
	Extra map[string]any
}

func TestValuesWithoutATypeComeBackAsTheyWere(t *testing.T) {
	c := alone(t)
	now := time.Now()
	for i, v := range []struct{ set, get any }{
		{"text", "text"}, {"", ""}, {[]byte{0, 255}, []byte{0, 255}}, {nil, nil}, {true, true}, {false, false},
		{1, int64(1)}, {int8(-128), int64(-128)}, {int16(300), int64(300)}, {uint8(200), int64(200)},
		{int64(1<<53 + 1), int64(1<<53 + 1)}, {int64(math.MinInt64), int64(math.MinInt64)},
		{int64(math.MaxInt64), int64(math.MaxInt64)}, {uint64(math.MaxUint64), uint64(math.MaxUint64)}, {uint64(7), int64(7)},
		{1.5, 1.5}, {float32(0.1), float32(0.1)}, {math.Inf(-1), math.Inf(-1)}, {time.Minute, int64(time.Minute)},
		{[]int{1, 2}, []any{int64(1), int64(2)}}, {[]any{"a", nil}, []any{"a", nil}}, {[]string{}, []any{}},
		{map[string]int{"a": 1}, map[string]any{"a": int64(1)}}, {map[int]string{1: "a"}, map[any]any{int64(1): "a"}},
		{map[string]any{"a": []any{map[string]any{"b": int64(300)}}}, map[string]any{"a": []any{map[string]any{"b": int64(300)}}}},
		{person{Name: "A"}, map[string]any{"Name": "A", "Born": time.Time{}, "t": nil, "Boss": nil, "Extra": nil}},
		{now, now},
	} {
		key := fmt.Sprint("key", i)
		ok(t, c.Set(key, v.set))
		for range 2 { // decoded, and as it was kept
			got, found := c.Get(key)
			if !found {
				t.Fatalf("%T %v is not there", v.set, v.set)
			}
			if at, isTime := got.(time.Time); isTime {
				if !at.Equal(v.get.(time.Time)) {
					t.Errorf("%v came back as %v", v.get, at)
				}
			} else if m, isMap := got.(map[string]any); isMap && m["Born"] != nil {
				m = maps.Clone(m)
				if born := m["Born"].(time.Time); !born.IsZero() {
					t.Errorf("born %v", born)
				}
				m["Born"] = time.Time{}
				if !reflect.DeepEqual(m, v.get) {
					t.Errorf("%v came back as %#v", v.set, m)
				}
			} else if !reflect.DeepEqual(got, v.get) {
				t.Errorf("%T %v came back as %#v, want %#v", v.set, v.set, got, v.get)
			}
		}
	}
	if _, found := c.Get("nowhere"); found {
		t.Error("found what was never set")
	}
}

func TestATypedMapKeepsItsTypes(t *testing.T) {
	c := alone(t)
	m := open[int32, person](t, c, "people")
	boss := person{Name: "B", Born: time.Now(), Tags: []string{"x"}, Extra: map[string]any{"n": int64(5)}}
	ok(t, m.Set(ctx, -7, person{Name: "A", Boss: &boss}))
	got, found := m.Get(-7)
	if !found || got.Name != "A" || !got.Boss.Born.Equal(boss.Born) || got.Boss.Extra["n"] != int64(5) || got.Tags != nil {
		t.Errorf("%+v, %v", got, found)
	}
	again, _ := m.Get(-7)
	if again.Boss != got.Boss {
		t.Error("decoded twice")
	}
	type id [16]byte
	ids := open[id, string](t, c, "ids")
	ok(t, ids.Set(ctx, id{1, 2}, "text"))
	if v, found := ids.Get(id{1, 2}); v != "text" || !found {
		t.Errorf("%q, %v", v, found)
	}
}

func TestNobodyReachesTheReplicatedBytes(t *testing.T) {
	c := alone(t)
	m := open[string, []byte](t, c, "bytes")
	mine := []byte("value")
	ok(t, m.Set(ctx, "k", mine))
	ok(t, c.Set("k", mine))
	mine[0] = 'X'
	for range 2 {
		typed, _ := m.Get("k")
		loose, _ := c.Get("k")
		if string(typed) != "value" || !bytes.Equal(loose.([]byte), typed) {
			t.Fatalf("%q, %q", typed, loose)
		}
		typed[0], loose.([]byte)[0] = 'Y', 'Y'
	}
}

func TestLimits(t *testing.T) {
	c := alone(t, imdgo.WithMaxValueSize(1000))
	m := open[string, []byte](t, c, "m")
	longest := strings.Repeat("k", imdgo.MaxKeySize)
	ok(t, m.Set(ctx, longest, make([]byte, 1000)))
	if v, found := m.Get(longest); !found || len(v) != 1000 {
		t.Errorf("%d bytes, %v", len(v), found)
	}
	wants(t, m.Set(ctx, longest+"k", nil), imdgo.ErrTooLarge)
	wants(t, m.Set(ctx, "k", make([]byte, 1001)), imdgo.ErrTooLarge)
	wants(t, m.SetMany(ctx, map[string][]byte{"a": nil, "b": make([]byte, 1001)}), imdgo.ErrTooLarge)
	wants(t, m.Delete(ctx, "a", longest+"k"), imdgo.ErrTooLarge)
	wants(t, c.Set("k", strings.Repeat("v", 1000)), imdgo.ErrTooLarge) // with the head that msgpack adds
	if m.Len() != 1 || c.Count() != 0 {
		t.Errorf("%d and %d entries", m.Len(), c.Count())
	}
	ok(t, m.Set(ctx, "", []byte("an empty key is a key")))
	if v, found := m.Get(""); !found || string(v) != "an empty key is a key" {
		t.Errorf("%q, %v", v, found)
	}
	many := make(map[string][]byte)
	for i := range 40_000 {
		many[fmt.Sprint(i)] = make([]byte, 1000)
	}
	wants(t, m.SetMany(ctx, many), imdgo.ErrTooLarge)
	if m.Len() != 2 {
		t.Errorf("%d entries", m.Len())
	}
}

func TestVersionsDecideConditionalWrites(t *testing.T) {
	m := open[string, int](t, alone(t), "m")
	first, stored, err := m.SetIfAbsent(ctx, "k", 1)
	if err != nil || !stored || first == 0 {
		t.Fatal(first, stored, err)
	}
	if now, stored, err := m.SetIfAbsent(ctx, "k", 2); err != nil || stored || now != first {
		t.Error(now, stored, err)
	}
	if now, swapped, err := m.CompareAndSwap(ctx, "k", first+1, 2); err != nil || swapped || now != first {
		t.Error(now, swapped, err)
	}
	if now, swapped, err := m.CompareAndSwap(ctx, "k", 0, 2); err != nil || swapped || now != first {
		t.Error(now, swapped, err)
	}
	second, swapped, err := m.CompareAndSwap(ctx, "k", first, 2)
	if err != nil || !swapped || second <= first {
		t.Error(second, swapped, err)
	}
	if e, err := m.Read(ctx, "k"); err != nil || e.Value != 2 || e.Version != second || !e.ExpiresAt.IsZero() {
		t.Error(e, err)
	}
	if deleted, err := m.CompareAndDelete(ctx, "k", first); err != nil || deleted {
		t.Error(deleted, err)
	}
	if deleted, err := m.CompareAndDelete(ctx, "k", second); err != nil || !deleted {
		t.Error(deleted, err)
	}
	if now, swapped, err := m.CompareAndSwap(ctx, "k", second, 3); err != nil || swapped || now != 0 {
		t.Error(now, swapped, err)
	}
	if now, swapped, err := m.CompareAndSwap(ctx, "k", 0, 3); err != nil || !swapped || now <= second {
		t.Error(now, swapped, err)
	}
}

func TestManyKeysInOneStep(t *testing.T) {
	m := open[int, string](t, alone(t), "m")
	ok(t, m.SetMany(ctx, map[int]string{1: "a", 2: "b", 3: "c"}))
	ok(t, m.SetMany(ctx, nil))
	one, _ := m.Read(ctx, 1)
	if two, err := m.Read(ctx, 2); err != nil || two.Version != one.Version {
		t.Error(one, two, err)
	}
	if got := maps.Collect(m.All()); !maps.Equal(got, map[int]string{1: "a", 2: "b", 3: "c"}) {
		t.Error(got)
	}
	ok(t, m.Delete(ctx, 1, 3, 99))
	ok(t, m.Delete(ctx))
	if keys := slices.Collect(maps.Keys(maps.Collect(m.All()))); !slices.Equal(keys, []int{2}) || m.Len() != 1 {
		t.Error(keys, m.Len())
	}
	ok(t, m.Clear(ctx))
	if _, found := m.Get(2); found || m.Len() != 0 {
		t.Error("there after Clear")
	}
	ok(t, m.Set(ctx, 2, "again"))
	if v, _ := m.Get(2); v != "again" {
		t.Error(v)
	}
}

func TestAllMayWriteAndStop(t *testing.T) {
	m := open[int, int](t, alone(t), "m")
	for i := range 100 {
		ok(t, m.Set(ctx, i, i))
	}
	n := 0
	for k := range m.All() {
		ok(t, m.Set(ctx, k, -1)) // a lock held here would never end
		if n++; n == 10 {
			break
		}
	}
	if n != 10 {
		t.Error(n)
	}
}

func TestWhoseTTLCounts(t *testing.T) {
	clock := imdgotest.NewClock()
	c := alone(t, imdgo.WithClock(clock.Node("n")), imdgo.WithDefaultTTL(time.Hour))
	plain := open[string, int](t, c, "plain")
	short := open[string, int](t, c, "short", imdgo.TTL(time.Minute))
	for _, x := range []struct {
		m    *imdgo.Map[string, int]
		opts []imdgo.WriteOption
		want time.Duration
	}{
		{plain, nil, time.Hour},
		{short, nil, time.Minute},
		{short, []imdgo.WriteOption{imdgo.TTL(time.Second)}, time.Second},
		{short, []imdgo.WriteOption{imdgo.TTL(0)}, 0},
		{plain, []imdgo.WriteOption{imdgo.TTL(0)}, 0},
		{plain, []imdgo.WriteOption{imdgo.TTL(math.MaxInt64)}, math.MaxInt64},
	} {
		ok(t, x.m.Set(ctx, "k", 1, x.opts...))
		if ttl, found := x.m.TTL("k"); !found || ttl > x.want || ttl < x.want-x.want/10 {
			t.Errorf("TTL %v, %v, want %v", ttl, found, x.want)
		}
	}
	// A later declaration wins, for what is written from then on.
	long := open[string, int](t, c, "short", imdgo.TTL(24*time.Hour))
	ok(t, long.Set(ctx, "l", 1))
	ok(t, short.Set(ctx, "s", 1))
	for _, k := range []string{"l", "s"} {
		if ttl, _ := short.TTL(k); ttl < 23*time.Hour {
			t.Errorf("%s: TTL %v", k, ttl)
		}
	}
	e, err := long.Read(ctx, "l")
	if at := clock.Node("n").Now().Add(24 * time.Hour).Sub(e.ExpiresAt); err != nil || at < 0 || at > time.Minute {
		t.Errorf("expires at %v, %v", e.ExpiresAt, err)
	}
}

func TestWhatHasExpiredIsAbsent(t *testing.T) {
	clock := imdgotest.NewClock()
	c := alone(t, imdgo.WithClock(clock.Node("n")))
	m := open[string, int](t, c, "m")
	ok(t, m.Set(ctx, "k", 1, imdgo.TTL(time.Minute)))
	was, _ := m.Read(ctx, "k")
	clock.Advance(time.Minute)
	if _, found := m.Get("k"); found {
		t.Error("Get")
	}
	if _, found := m.TTL("k"); found {
		t.Error("TTL")
	}
	for range m.All() {
		t.Error("All")
	}
	for _, level := range []imdgo.Consistency{imdgo.Local, imdgo.Linearizable} {
		_, err := m.Read(ctx, "k", level)
		wants(t, err, imdgo.ErrNotFound)
	}
	if found, err := m.Expire(ctx, "k", time.Hour); found || err != nil {
		t.Error("Expire", found, err)
	}
	if now, swapped, err := m.CompareAndSwap(ctx, "k", was.Version, 2); swapped || now != 0 || err != nil {
		t.Error("CompareAndSwap", now, swapped, err)
	}
	if deleted, err := m.CompareAndDelete(ctx, "k", was.Version); deleted || err != nil {
		t.Error("CompareAndDelete", deleted, err)
	}
	eventually(t, "it leaves memory", func() bool { return m.Len() == 0 })
	if n := c.Stats().Expirations; n != 1 {
		t.Errorf("%d expirations", n)
	}
	if _, stored, err := m.SetIfAbsent(ctx, "k", 3); !stored || err != nil {
		t.Error("SetIfAbsent", stored, err)
	}
}

func TestExpireMovesADeadlineAndLeavesTheVersion(t *testing.T) {
	clock := imdgotest.NewClock()
	m := open[string, int](t, alone(t, imdgo.WithClock(clock.Node("n"))), "m")
	ok(t, m.Set(ctx, "k", 1, imdgo.TTL(time.Minute)))
	was, _ := m.Read(ctx, "k")
	if found, err := m.Expire(ctx, "k", time.Hour); !found || err != nil {
		t.Fatal(found, err)
	}
	clock.Advance(2 * time.Minute)
	if e, err := m.Read(ctx, "k", imdgo.Linearizable); err != nil || e.Version != was.Version || e.Value != 1 {
		t.Error(e, err)
	}
	if found, err := m.Expire(ctx, "k", 0); !found || err != nil {
		t.Fatal(found, err)
	}
	if ttl, found := m.TTL("k"); ttl != 0 || !found {
		t.Error(ttl, found)
	}
	_, err := m.Expire(ctx, "k", -1)
	wants(t, err, imdgo.ErrInvalid)
	wants(t, m.Set(ctx, "k", 1, imdgo.TTL(-1)), imdgo.ErrInvalid)
}

func TestAMapIsOfOneKind(t *testing.T) {
	c := alone(t)
	ok(t, open[string, string](t, c, "m").Set(ctx, "k", "v"))
	if _, err := imdgo.OpenMap[int, string](c, "m"); !errors.Is(err, imdgo.ErrMapMismatch) {
		t.Errorf("other keys: %v", err)
	}
	if _, err := imdgo.OpenMap[string, int](c, "m"); !errors.Is(err, imdgo.ErrMapMismatch) {
		t.Errorf("another encoding: %v", err)
	}
	if v, found := open[string, []byte](t, c, "m").Get("k"); !found || string(v) != "v" {
		t.Errorf("as bytes: %q, %v", v, found)
	}
	_, err := imdgo.OpenMap[string, struct{ Items []struct{ C chan int } }](c, "n")
	wants(t, err, imdgo.ErrInvalid)
	if !strings.Contains(err.Error(), "Items[].C") {
		t.Errorf("%v does not name the field", err)
	}
	_, err = imdgo.OpenMap[string, int](c, strings.Repeat("n", 256))
	wants(t, err, imdgo.ErrInvalid)
}

func TestAfterCloseNothingIsThere(t *testing.T) {
	c, err := imdgo.New()
	ok(t, err)
	m := open[string, int](t, c, "m")
	ok(t, m.Set(ctx, "k", 1))
	ok(t, c.Close())
	ok(t, c.Close())
	if _, found := m.Get("k"); found || m.Len() != 0 || c.Count() != 0 {
		t.Error("there after Close")
	}
	for range m.All() {
		t.Error("there after Close")
	}
	_, readErr := m.Read(ctx, "k")
	_, loadErr := m.GetOrLoad(ctx, "k", func(context.Context, string) (int, error) { t.Error("loaded"); return 0, nil })
	for _, err := range []error{m.Set(ctx, "k", 1), c.Set("k", 1), m.Delete(ctx, "k"), m.Clear(ctx), readErr, loadErr,
		c.Ready(ctx), c.Leave(ctx), m.SetMany(ctx, map[string]int{"k": 1})} {
		wants(t, err, imdgo.ErrClosed)
	}
	if s := c.Stats(); s.Role != imdgo.Closed || s.Entries != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAContextThatHasEndedSendsNothing(t *testing.T) {
	m := open[string, int](t, alone(t), "m")
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, readErr := m.Read(ended, "k", imdgo.Linearizable)
	for _, err := range []error{m.Set(ended, "k", 1), m.Delete(ended, "k"), readErr} {
		wants(t, err, imdgo.ErrTimeout, context.Canceled)
	}
	if m.Len() != 0 {
		t.Error("it was set")
	}
}

func TestStatsCount(t *testing.T) {
	c := alone(t)
	ok(t, c.Set("k", "four"))
	c.Get("k")
	c.Get("nowhere")
	s := c.Stats()
	if s.Hits != 1 || s.Misses != 1 || s.Entries != 1 || s.AccountedBytes <= s.LogBytes || s.BudgetOf != s.NodeID || s.AccountedBytes > s.BudgetBytes ||
		s.LogBytes <= 0 || s.Term == 0 || s.AppliedIndex == 0 || s.Leader != s.NodeID {
		t.Errorf("%+v", s)
	}
	index, hash := c.StateHash()
	if i, h := c.StateHash(); i == index && h != hash {
		t.Errorf("two hashes at index %d", i)
	}
}
