package value

import "fmt"

// MaxDepth is how deep arrays and maps may nest in a stored value: a scalar has depth 0, [1] has depth 1.
const MaxDepth = 32

// Check reports whether b is exactly one well-formed msgpack value: every length within the input, no container that
// claims more elements than bytes remain, at most MaxDepth levels, nothing after the value. Only bytes that passed may
// be handed to the msgpack library. It allocates nothing unless it fails; the error wraps ErrMalformed and names the
// offset.
func Check(b []byte) error {
	var left [MaxDepth + 1]int // elements still to come, per level
	left[0] = 1
	depth, off := 0, 0
	for depth >= 0 {
		if left[depth] == 0 {
			depth--
			continue
		}
		left[depth]--
		t, reason := scan(b[off:])
		if reason != "" {
			return malformed(off, reason)
		}
		off += t.size
		if !t.container {
			continue
		}
		if depth == MaxDepth {
			return malformed(off-t.size, "nested too deep")
		}
		depth++
		left[depth] = t.items
	}
	if off != len(b) {
		return malformed(off, "bytes after the value")
	}
	return nil
}

func malformed(off int, reason string) error {
	return fmt.Errorf("%w at byte %d: %s", ErrMalformed, off, reason)
}

// token is one step through encoded bytes: a whole scalar, or the head of a container.
type token struct {
	size      int // bytes up to the next token
	items     int // tokens that follow as elements, a map's keys counted too
	ext       int // where an extension's payload begins within the token; 0: not an extension
	container bool
}

// layout says how the codes from 0xc0 to 0xdf go on.
type layout struct {
	length  int // bytes of a length or count field
	fixed   int // bytes of payload when there is no such field
	perItem int // what the count counts: 1 elements, 2 pairs; 0: it is a length in bytes
	ext     bool
	unused  bool
}

var layouts = [32]layout{
	0xc1 - 0xc0: {unused: true},
	0xc4 - 0xc0: {length: 1}, {length: 2}, {length: 4}, // bin
	0xc7 - 0xc0: {length: 1, ext: true}, {length: 2, ext: true}, {length: 4, ext: true},
	0xca - 0xc0: {fixed: 4}, {fixed: 8}, // float
	0xcc - 0xc0: {fixed: 1}, {fixed: 2}, {fixed: 4}, {fixed: 8}, // uint
	0xd0 - 0xc0: {fixed: 1}, {fixed: 2}, {fixed: 4}, {fixed: 8}, // int
	0xd4 - 0xc0: {fixed: 1, ext: true}, {fixed: 2, ext: true}, {fixed: 4, ext: true}, {fixed: 8, ext: true},
	0xd8 - 0xc0: {fixed: 16, ext: true},
	0xd9 - 0xc0: {length: 1}, {length: 2}, {length: 4}, // str
	0xdc - 0xc0: {length: 2, perItem: 1}, {length: 4, perItem: 1}, // array
	0xde - 0xc0: {length: 2, perItem: 2}, {length: 4, perItem: 2}, // map
}

// scan reads the token at the start of b. A reason other than "" says why there is none.
func scan(b []byte) (token, string) {
	if len(b) == 0 {
		return token{}, "the input ends early"
	}
	switch c := b[0]; {
	case c < 0x80 || c >= 0xe0:
		return token{size: 1}, "" // a small integer is its own code
	case c < 0x90:
		return fit(b, 1, 0, 2*uint64(c&0x0f), true)
	case c < 0xa0:
		return fit(b, 1, 0, uint64(c&0x0f), true)
	case c < 0xc0:
		return fit(b, 1, uint64(c&0x1f), 0, false)
	default:
		return scanLayout(b, layouts[c-0xc0])
	}
}

func scanLayout(b []byte, l layout) (token, string) {
	if l.unused {
		return token{}, "code 0xc1 is not in use"
	}
	head := 1 + l.length
	if len(b) < head {
		return token{}, "the input ends early"
	}
	n := uint64(l.fixed)
	for _, c := range b[1:head] {
		n = n<<8 | uint64(c)
	}
	if l.perItem > 0 {
		return fit(b, head, 0, n*uint64(l.perItem), true)
	}
	if !l.ext {
		return fit(b, head, n, 0, false)
	}
	t, reason := fit(b, head+1, n, 0, false)
	t.ext = head + 1
	return t, reason
}

// fit makes a token of what its head claims, if the input can hold it. The claims are uint64 so that nothing
// overflows where int has 32 bits.
func fit(b []byte, head int, payload, items uint64, container bool) (token, string) {
	size := uint64(head) + payload
	if size > uint64(len(b)) {
		return token{}, "a length beyond the end of the input"
	}
	if items > uint64(len(b))-size {
		return token{}, "more elements claimed than bytes remain"
	}
	return token{size: int(size), items: int(items), container: container}, ""
}
