package value_test

import (
	"context"
	"errors"
	"log/slog"
	"math/big"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/inelpandzic/imdgo/internal/value"
)

func refuseType[V any](t *testing.T, want string) {
	t.Helper()
	_, err := value.NewCodec[V]()
	expectRefusal(t, err, want)
}

func expectRefusal(t *testing.T, err error, want string) {
	t.Helper()
	if !errors.Is(err, value.ErrUnsupported) {
		t.Errorf("got %v, want a refusal with %q", err, want)
	} else if !strings.HasPrefix(err.Error(), "value: unsupported type: "+want) {
		t.Errorf("got  %v\nwant %q", err, want)
	}
}

func TestRefusedTypes(t *testing.T) {
	refuseType[order](t, "order.Items[].ch: channels cannot be stored (chan int)")
	refuseType[*order](t, "order.Items[].ch: channels")
	refuseType[[]order](t, "[].Items[].ch: channels")
	refuseType[map[string]*order](t, "[].Items[].ch: channels")
	refuseType[secretive](t, `secretive.name: unexported fields would be lost; tag it msgpack:"-" to leave it out (string)`)
	refuseType[chan int](t, "chan int: channels cannot be stored")
	refuseType[struct{ F func() }](t, ".F: functions cannot be stored")
	refuseType[struct{ P unsafe.Pointer }](t, ".P: addresses cannot be stored")
	refuseType[[]uintptr](t, "[]: addresses cannot be stored (uintptr)")
	refuseType[[2]complex64](t, "[]: complex numbers cannot be stored")
	refuseType[error](t, "error: an interface with methods")
	refuseType[map[string]context.Context](t, "[]: an interface with methods")
	refuseType[struct{ sync.Mutex }](t, ".Mutex")
	refuseType[struct{ L *slog.Logger }](t, ".L.handler: unexported fields")
	refuseType[loop](t, "loop: a pointer to itself")
}

func TestRefusedMapKeys(t *testing.T) {
	refuseType[map[*int]int](t, "[key]: a ptr is not the same map key after decoding (*int)")
	refuseType[map[time.Time]int](t, "[key]: a time.Time is not the same map key")
	refuseType[map[timeKeyed]int](t, "[key]: a time.Time is not")
	refuseType[map[partKey]int](t, "[key]: map keys that differ only in b would become one")
	refuseType[map[textKey]int](t, "[key]: an interface inside a map key")
	refuseType[map[chan int]int](t, "[key]: channels")
	refuseType[map[octets]int](t, "[key]: an array of a named byte type")
}

func TestRefusedSelfEncoders(t *testing.T) {
	refuseType[encodeOnly](t, "encodeOnly: encodes itself but cannot decode itself")
	refuseType[struct{ X decodeOnly }](t, ".X: decodes itself but does not encode itself")
	refuseType[[]twoWays](t, "[]: encodes itself in one way and decodes itself in another")
	refuseType[decodesACopy](t, "decodesACopy: decodes itself into a copy")
	refuseType[event](t, "event: the methods of its embedded Time would store only that")
	refuseType[embedsIface](t, "embedsIface")
	refuseType[struct{ *big.Int }](t, "struct { *big.Int }: the methods of its embedded Int")
	refuseType[big.Float](t, "Float: its text form does not keep the precision")
	refuseType[map[string]big.Int](t, "[]: its encoder has a pointer receiver")
	refuseType[map[string]struct{ U url.URL }](t, "[].U: its encoder has a pointer receiver")
	refuseType[map[string]octets](t, "[]: an array of a named byte type")
}

func TestRefusedFields(t *testing.T) {
	refuseType[embedsPtr](t, "embedsPtr.Base: an embedded pointer cannot be inlined")
	refuseType[embedsNumber](t, "embedsNumber.label: unexported fields")
	refuseType[clash](t, "clash.B: another field is stored under the name x")
	refuseType[shadow](t, "shadow.ID: another field is stored under the name ID")
	refuseType[aliasClash](t, "aliasClash.B: another field is stored under the name B")
	refuseType[dropped](t, "dropped.A: omitempty would always drop it")
	refuseType[interned](t, "interned.S: interned strings")
	refuseType[quoted](t, "quoted.S: quotes")
}

func refuseValue[V any](t *testing.T, v V, want string) {
	t.Helper()
	before := []byte("before")
	b, err := mustCodec[V](t).Append(before, v)
	expectRefusal(t, err, want)
	if string(b) != "before" {
		t.Errorf("%q was returned with an error", b)
	}
}

// Inside an any the rules are the same, and are applied to each value.
func TestRefusedValues(t *testing.T) {
	refuseValue[any](t, order{}, "order.Items[].ch: channels cannot be stored")
	refuseValue[any](t, &order{}, "order.Items[].ch: channels")
	refuseValue[any](t, errors.New("x"), "errorString.s: unexported fields")
	refuseValue(t, holder{make(chan int)}, "holder.X: channels cannot be stored (chan int)")
	refuseValue(t, holder{order{}}, "holder.X: order.Items[].ch: channels")
	refuseValue(t, holder{[]any{holder{order{}}}}, "holder.X[]: holder.X: order.Items[].ch: channels")
	refuseValue(t, []any{1, 2i}, "[]: complex numbers cannot be stored (complex128)")
	refuseValue(t, map[string]any{"k": secretive{}}, "[]: secretive.name: unexported")
	refuseValue[any](t, *big.NewInt(1), "Int: its encoder has a pointer receiver, which is out of reach here; store a pointer (big.Int)")
	refuseValue(t, maybe{netip.Addr{}}, "maybe.X: omitempty would always drop it")
}

func TestRefusedKeysInsideAny(t *testing.T) {
	refuseValue[any](t, map[netip.Addr]int{}, "[key]: only strings, numbers and booleans")
	refuseValue[any](t, map[[2]int]int{}, "[key]: only strings")
	refuseValue[any](t, map[Base]int{}, "[key]: only strings")
	refuseValue(t, map[any]int{[1]byte{}: 1}, "[key]: only strings")
	refuseValue(t, map[any]int{ptr(1): 1}, "[key]: only strings")
	refuseValue(t, map[any]int{when: 1}, "[key]: a time.Time")
	refuseValue(t, map[any]int{1: 1, int8(1): 2}, "[key]: two keys of the map would become one")
	refuseValue(t, map[any]int{"a": 1, label("a"): 2}, "[key]: two keys")
}

// Each of these would end the process by exhausting its stack.
func TestCyclesAreErrors(t *testing.T) {
	self := &node{}
	self.Next = self
	kids := &node{}
	kids.Kids = []*node{{}, kids}
	throughAny := &node{}
	throughAny.Any = map[string]any{"up": throughAny}
	slice := make([]any, 1)
	slice[0] = slice
	self2 := list{nil}
	self2[0] = self2
	mapped := tree{}
	mapped["x"] = mapped
	var pointer any
	pointer = &pointer
	for _, v := range []*node{self, kids, throughAny} {
		refuseValue(t, v, "*value_test.node: the value is cyclic, or nested too deep")
		refuseValue(t, *v, "*value_test.node: the value is cyclic")
		refuseValue[any](t, v, "*value_test.node: the value is cyclic")
	}
	refuseValue(t, slice, "")
	refuseValue[any](t, slice, "")
	refuseValue(t, self2, "value_test.list: the value is cyclic")
	refuseValue(t, mapped, "value_test.tree: the value is cyclic")
	refuseValue(t, pointer, "")
}

func chain(n int) *node {
	var first *node
	for range n {
		first = &node{Next: first}
	}
	return first
}

func TestDepthIsBounded(t *testing.T) {
	comesBack(t, chain(value.MaxDepth))
	refuseValue(t, chain(value.MaxDepth+1), "*value_test.node: the value is cyclic, or nested too deep")
	refuseValue(t, chain(1000), "*value_test.node: the value is cyclic, or nested too deep")
	deep := any(1)
	for range value.MaxDepth {
		deep = &[]any{ptr(deep)}
	}
	if _, err := mustCodec[any](t).Append(nil, deep); err != nil {
		t.Error(err)
	}
	refuseValue[any](t, []any{deep}, "interface {}: the value is cyclic, or nested too deep")
	ints := any([]int{1})
	for range value.MaxDepth {
		ints = []any{ints}
	}
	refuseValue[any](t, ints, "interface {}: its encoding is refused: value: malformed msgpack at byte 32: nested too deep")
}

func TestGarbageIsNotReplicated(t *testing.T) {
	for _, g := range []garbage{"", "\xc1", "\x01\x02", "\xdb\x40\x00\x00\x00", garbage(nested(40))} {
		refuseValue(t, g, "value_test.garbage: its encoding is refused: value: malformed msgpack")
		refuseValue(t, []garbage{g}, "[]value_test.garbage: its encoding")
		refuseValue[any](t, g, "interface {}")
	}
	// Well-formed, but nothing that decodes without the type.
	refuseValue[any](t, garbage("\xd4\x05\x01"), "interface {} cannot be decoded again")
	refuseValue(t, holder{garbage("\x81\x90\x01")}, "value_test.holder cannot be decoded again")
}
