package value

import (
	"errors"
	"reflect"
)

var (
	// ErrUnsupported is returned when a type, or a value held in an any, could not be stored and read back unchanged.
	ErrUnsupported = errors.New("value: unsupported type")
	// ErrMalformed is returned when bytes are not exactly one well-formed msgpack value within the limits of Check.
	ErrMalformed = errors.New("value: malformed msgpack")
)

// refusal says which part of a type cannot be stored. It is immutable: verdicts are cached and shared.
type refusal struct {
	path   string // Go path from the root: Order.Items[].ch
	typ    reflect.Type
	reason string
	deep   bool // the path of a cycle would only repeat itself
}

func refuse(t reflect.Type, reason string) *refusal {
	return &refusal{typ: t, reason: reason}
}

// under returns r as seen from one step further out. A path that begins with a name is that of a type found in an any,
// and is set apart.
func (r *refusal) under(step string) *refusal {
	if r == nil || r.deep || step == "" {
		return r
	}
	outer := *r
	if r.path != "" && r.path[0] != '.' && r.path[0] != '[' {
		step += ": "
	}
	outer.path = step + r.path
	return &outer
}

func (r *refusal) Error() string {
	if r.path == "" {
		return ErrUnsupported.Error() + ": " + r.typ.String() + ": " + r.reason
	}
	return ErrUnsupported.Error() + ": " + r.path + ": " + r.reason + " (" + r.typ.String() + ")"
}

func (r *refusal) Unwrap() error { return ErrUnsupported }
