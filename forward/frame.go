package forward

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/inelpandzic/imdgo/internal/command"
)

// ErrFrame is returned when what arrives is not a frame of this package, or one
// beyond its limits. The connection cannot be used any further.
var ErrFrame = errors.New("malformed frame")

// MessagePack's type bytes.
const (
	array2   = 0x92
	array3   = 0x93
	array6   = 0x96
	uint8At  = 0xcc
	uint64At = 0xcf
	bin32At  = 0xc6

	kindPart    = 1
	kindRefusal = 2
	kindOrigin  = 3

	partHead    = 2 + 4*9 + 5
	refusalSize = 2 + 9 + 2
	originSize  = 2 + 9
)

// appendPartHead adds all of a part's frame but its operations.
func appendPartHead(dst []byte, p *command.Part) []byte {
	dst = append(dst, array6, kindPart)
	for _, n := range [4]uint64{p.Low, p.First, uint64(p.Base), uint64(p.Count)} {
		dst = appendUint64(dst, n)
	}
	dst = append(dst, bin32At)
	return binary.BigEndian.AppendUint32(dst, uint32(len(p.Ops)))
}

func appendOrigin(dst []byte, origin uint64) []byte {
	return appendUint64(append(dst, array2, kindOrigin), origin)
}

func appendRefusal(dst []byte, first uint64, r command.Refusal) []byte {
	dst = appendUint64(append(dst, array3, kindRefusal), first)
	return append(dst, uint8At, byte(r))
}

func appendUint64(dst []byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, uint64At), n)
}

// readOrigin reads what a connection begins with.
func readOrigin(r io.Reader) (uint64, error) {
	var b [originSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0, err
	}
	origin := binary.BigEndian.Uint64(b[3:])
	if b[0] != array2 || b[1] != kindOrigin || b[2] != uint64At || origin == 0 {
		return 0, fmt.Errorf("%w: origin % x", ErrFrame, b)
	}
	return origin, nil
}

// readPart reads a frame and checks all of it: whatever it returns may be put
// into the log. io.EOF means that the connection ended between two frames.
func readPart(ctx context.Context, r *bufio.Reader, in *stay) (command.Part, error) {
	var head [partHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return command.Part{}, err
	}
	if head[0] != array6 || head[1] != kindPart || head[38] != bin32At {
		return command.Part{}, fmt.Errorf("%w: head % x", ErrFrame, head[:2])
	}
	var numbers [4]uint64
	for i := range numbers {
		at := head[2+9*i:]
		if at[0] != uint64At {
			return command.Part{}, fmt.Errorf("%w: number of type %x", ErrFrame, at[0])
		}
		numbers[i] = binary.BigEndian.Uint64(at[1:])
	}
	size := binary.BigEndian.Uint32(head[39:])
	if size > command.MaxPart || numbers[3] > command.MaxWindow || numbers[2] > 1<<62 {
		return command.Part{}, fmt.Errorf("%w: %d operations in %d bytes", ErrFrame, numbers[3], size)
	}
	ops, err := readBytes(ctx, r, int(size), in)
	if err != nil {
		return command.Part{}, err
	}
	p := command.Part{Low: numbers[0], First: numbers[1], Base: int64(numbers[2]), Count: int(numbers[3]), Ops: ops}
	if err := p.Check(); err != nil {
		return command.Part{}, fmt.Errorf("%w: %w", ErrFrame, err)
	}
	return p, nil
}

// readBytes reads n bytes without believing n before they are there: a peer
// that announces the most there may be and sends nothing costs a small buffer.
// What is larger than that also needs room.
func readBytes(ctx context.Context, r io.Reader, n int, in *stay) ([]byte, error) {
	b := make([]byte, 0, min(n, smallPart))
	for len(b) < n {
		have := len(b)
		if have == smallPart {
			if err := in.enter(ctx, n); err != nil {
				return nil, fmt.Errorf("reading a frame of %d bytes: %w", n, err)
			}
		}
		take := min(n-have, max(smallPart, have))
		more := make([]byte, have+take) // append would take a quarter beyond
		copy(more, b)
		b = more
		if _, err := io.ReadFull(r, b[have:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF // the frame has begun
			}
			return nil, fmt.Errorf("reading a frame of %d bytes: %w", n, err)
		}
		in.came(take)
	}
	return b, nil
}

func readRefusal(r io.Reader) (first uint64, why command.Refusal, err error) {
	var b [refusalSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0, 0, err
	}
	if b[0] != array3 || b[1] != kindRefusal || b[2] != uint64At || b[11] != uint8At {
		return 0, 0, fmt.Errorf("%w: refusal % x", ErrFrame, b)
	}
	return binary.BigEndian.Uint64(b[3:]), command.Refusal(b[12]), nil
}
