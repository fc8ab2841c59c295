package value_test

import (
	"encoding"
	"errors"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// The types that the tests store, or are refused.

type (
	label    string
	blob     []byte
	octet    uint8
	octets   [4]octet
	celsius  float32
	anything any
)

type base struct{ ID int }

// Base is embedded where the name must be exported.
type Base struct{ ID int }

type everything struct {
	base      // unexported, but its fields are not
	Bool      bool
	Int       int
	Int8      int8
	Int16     int16
	Int32     int32
	Int64     int64
	Uint      uint
	Uint8     uint8
	Uint16    uint16
	Uint32    uint32
	Uint64    uint64
	Float32   float32
	Float64   float64
	String    string `msgpack:"s"`
	Label     label
	Bytes     []byte
	Blob      blob
	UUID      [16]byte
	Octets    octets
	OctetList []octet
	Duration  time.Duration
	Time      time.Time
	TimePtr   *time.Time
	Addr      netip.Addr
	Prefix    *netip.Prefix
	Strings   []string
	Ints      [3]int
	Matrix    [][]int64
	Map       map[string]int
	ByInt     map[int32]string
	ByID      map[[2]int8]*Base
	ByAddr    map[netip.Addr]bool
	Tags      map[label]map[string]string
	Ptr       *everything
	Kids      []*everything
	Omitted   string `msgpack:",omitempty"`
	Any       any
	Anys      []any
	Named     map[string]any
	secret    int `msgpack:"-"`
}

type node struct {
	Name string
	Next *node
	Kids []*node
	Any  any
}

type (
	list []list
	tree map[string]tree
	loop *loop
)

// custom writes msgpack by itself: an array of two.
type custom struct{ a, b int }

func (c custom) EncodeMsgpack(e *msgpack.Encoder) error { return e.EncodeMulti([]int{c.a, c.b}) }
func (c *custom) DecodeMsgpack(d *msgpack.Decoder) error {
	var s []int
	if err := d.Decode(&s); err != nil {
		return err
	}
	if len(s) != 2 {
		return errors.New("not two")
	}
	c.a, c.b = s[0], s[1]
	return nil
}

// garbage writes what it is told.
type garbage string

func (g garbage) MarshalMsgpack() ([]byte, error)  { return []byte(g), nil }
func (g *garbage) UnmarshalMsgpack(b []byte) error { *g = garbage(b); return nil }

type encodeOnly struct{ A int }

func (encodeOnly) MarshalText() ([]byte, error) { return nil, nil }

type decodeOnly struct{ A int }

func (*decodeOnly) UnmarshalBinary([]byte) error { return nil }

// twoWays is encoded as text when it is met by value, as bytes when by pointer, and always decoded as bytes.
type twoWays struct{ A int }

func (twoWays) MarshalText() ([]byte, error)    { return []byte("text"), nil }
func (*twoWays) UnmarshalText([]byte) error     { return nil }
func (*twoWays) MarshalBinary() ([]byte, error) { return []byte("binary"), nil }
func (*twoWays) UnmarshalBinary([]byte) error   { return nil }

type decodesACopy struct{ A int }

func (decodesACopy) MarshalText() ([]byte, error) { return nil, nil }
func (decodesACopy) UnmarshalText([]byte) error   { return nil }

type event struct {
	time.Time
	What string
}

type stamp struct{ time.Time }

type textKey struct{ X any }

type order struct {
	ID    int
	Items []item
}

type item struct {
	Name string
	ch   chan int
}

type (
	secretive struct{ name string }
	embedsPtr struct{ *Base }
	nestsPtr  struct {
		*Base `msgpack:",noinline"`
	}
	embedsNumber struct{ label }
	clash        struct {
		A int `msgpack:"x"`
		B int `msgpack:"x"`
	}
	shadow struct {
		Base
		ID string
	}
	shadowed struct {
		ID string
		Base
	}
	aliasClash struct {
		A int `msgpack:"a,alias:B"`
		B int
	}
	dropped struct {
		A netip.Addr `msgpack:",omitempty"`
	}
	kept struct {
		A time.Time `msgpack:",omitempty"`
	}
	maybe struct {
		X any `msgpack:",omitempty"`
	}
	interned struct {
		S string `msgpack:",intern"`
	}
	quoted struct {
		S string `msgpack:"'a,b'"`
	}
	inlined struct {
		Base `msgpack:",inline"`
	}
	asArray struct {
		_msgpack struct{} `msgpack:",as_array"` //nolint:unused // msgpack reads its tag
		A, B     int
	}
	partKey struct {
		A int
		b int `msgpack:"-"`
	}
	holder    struct{ X any }
	timeKeyed struct{ At time.Time }
	bigFields struct {
		N *big.Int
		V big.Int
		R *big.Rat
		U *url.URL
		I net.IP
	}
	embedsIface struct {
		encoding.TextMarshaler
		A int
	}
)

var _ = []any{everything{}.secret, item{}.ch, secretive{}.name, partKey{}.b, asArray{}._msgpack, embedsNumber{}.label}
