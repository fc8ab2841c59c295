package forward

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/inelpandzic/imdgo/internal/command"
)

// markers is a part of n operations, whose first sequence tells it from others.
func markers(first uint64, n int) command.Part {
	p := command.Part{Low: 1, First: first, Base: 17e9, Count: n}
	for range n {
		p.Ops = command.AppendMarker(p.Ops, 5000)
	}
	return p
}

// large is a valid part of about so many bytes.
func large(first uint64, size int) command.Part {
	p := command.Part{Low: 1, First: first, Count: 1}
	p.Ops = command.AppendSet(nil, command.Set, 1, command.Target{}, "k", command.TTL{}, make([]byte, size))
	return p
}

func frameOf(p command.Part) []byte { return append(appendPartHead(nil, &p), p.Ops...) }

func readOne(frame []byte) (command.Part, error) {
	in := newRoom().stay()
	defer in.leave()
	return readPart(context.Background(), bufio.NewReader(bytes.NewReader(frame)), in)
}

func (r *room) stay() *stay { return &stay{room: r, until: time.Now().Add(time.Minute)} }

func samePart(a, b command.Part) bool {
	return a.Low == b.Low && a.First == b.First && a.Base == b.Base && a.Count == b.Count && bytes.Equal(a.Ops, b.Ops)
}

func TestPartsComeBackAsTheyWereWritten(t *testing.T) {
	widest := markers(command.MaxWindow, 1)
	last := markers(math.MaxUint64-1, 1)
	last.Low, last.Base = last.First, 1<<62
	parts := []command.Part{markers(1, 0), markers(1, 1), markers(7, 1000), widest, last,
		large(3, 0), large(4, 256<<10), large(5, 1<<20), large(6, command.MaxOp-64)}
	var stream []byte
	for _, p := range parts {
		stream = append(stream, frameOf(p)...)
	}
	r := bufio.NewReader(bytes.NewReader(stream))
	for i, want := range parts {
		got, err := readPart(context.Background(), r, newRoom().stay())
		if err != nil || !samePart(got, want) {
			t.Fatalf("part %d: %d operations in %d bytes, error %v", i, got.Count, len(got.Ops), err)
		}
	}
	if _, err := readPart(context.Background(), r, newRoom().stay()); err != io.EOF {
		t.Errorf("after the last frame: %v", err)
	}
}

// Other tools can read the frames.
func TestFramesAreMessagePack(t *testing.T) {
	p := markers(7, 3)
	p.Low = 5
	var got []any
	if err := msgpack.Unmarshal(frameOf(p), &got); err != nil {
		t.Fatal(err)
	}
	if want := []any{int8(1), uint64(5), uint64(7), uint64(17e9), uint64(3), p.Ops}; !reflect.DeepEqual(got, want) {
		t.Errorf("a part is %#v, want %#v", got, want)
	}
	got = nil
	if err := msgpack.Unmarshal(appendOrigin(nil, 7), &got); err != nil {
		t.Fatal(err)
	}
	if want := []any{int8(3), uint64(7)}; !reflect.DeepEqual(got, want) {
		t.Errorf("an origin is %#v, want %#v", got, want)
	}
	got = nil
	if err := msgpack.Unmarshal(appendRefusal(nil, 7, command.Full), &got); err != nil {
		t.Fatal(err)
	}
	if want := []any{int8(2), uint64(7), uint8(command.Full)}; !reflect.DeepEqual(got, want) {
		t.Errorf("a refusal is %#v, want %#v", got, want)
	}
}

func TestRefusalsComeBackAsTheyWereWritten(t *testing.T) {
	for _, first := range []uint64{0, 1, math.MaxUint64} {
		for _, why := range []command.Refusal{command.NotLeader, command.Lost, command.Full, command.Invalid, 255} {
			gotFirst, gotWhy, err := readRefusal(bytes.NewReader(appendRefusal(nil, first, why)))
			if err != nil || gotFirst != first || gotWhy != why {
				t.Errorf("%d %v became %d %v, error %v", first, why, gotFirst, gotWhy, err)
			}
		}
	}
}

// Half a frame is not the end of a conversation, wherever it was cut.
func TestHalfAFrameIsAnError(t *testing.T) {
	for _, p := range []command.Part{markers(1, 3), large(1, 600<<10)} {
		frame := frameOf(p)
		for n := 0; n < len(frame); n += 1 + n/100*40 {
			want := io.ErrUnexpectedEOF
			if n == 0 {
				want = io.EOF
			}
			if _, err := readOne(frame[:n]); !errors.Is(err, want) || n > 0 && errors.Is(err, io.EOF) {
				t.Fatalf("cut at byte %d of %d: %v", n, len(frame), err)
			}
		}
		for _, n := range []int{partHead, partHead + 256<<10, partHead + 512<<10} { // between two reads
			if n < len(frame) {
				if _, err := readOne(frame[:n]); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("cut at byte %d of %d: %v", n, len(frame), err)
				}
			}
		}
	}
	refusal := appendRefusal(nil, 1, command.Full)
	for n := 1; n < len(refusal); n++ {
		if _, _, err := readRefusal(bytes.NewReader(refusal[:n])); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("refusal cut at byte %d: %v", n, err)
		}
	}
}

func TestWhatIsNoFrameIsRefused(t *testing.T) {
	valid := frameOf(markers(2, 3))
	with := func(at int, b ...byte) []byte {
		frame := bytes.Clone(valid)
		copy(frame[at:], b)
		return frame
	}
	number := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
	for name, frame := range map[string][]byte{
		"another array":            with(0, array3),
		"another kind":             with(1, kindRefusal),
		"low of another type":      with(2, 0xce),
		"first of another type":    with(11, 0xce),
		"base of another type":     with(20, 0xd3),
		"count of another type":    with(29, 0xce),
		"operations as a string":   with(38, 0xdb),
		"low after first":          with(3, number(3)...),
		"first 0":                  with(12, number(0)...),
		"base beyond its limit":    with(21, number(1<<62+1)...),
		"base negative":            with(21, number(math.MaxUint64)...),
		"count beyond its limit":   with(30, number(command.MaxWindow+1)...),
		"count beyond int":         with(30, number(math.MaxUint64)...),
		"count of what is not":     with(30, number(4)...),
		"size beyond its limit":    with(39, binary.BigEndian.AppendUint32(nil, command.MaxPart+1)...),
		"an operation that is not": with(partHead, 99),
		"HTTP":                     []byte("GET / HTTP/1.1\r\nHost: localhost:6701\r\nAccept: text/html\r\n\r\n"),
	} {
		if _, err := readOne(frame); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	refusal := appendRefusal(nil, 1, command.Full)
	for _, at := range []int{0, 1, 2, 11} {
		frame := bytes.Clone(refusal)
		frame[at] ^= 0x40
		if _, _, err := readRefusal(bytes.NewReader(frame)); !errors.Is(err, ErrFrame) {
			t.Errorf("refusal with another byte %d: error %v", at, err)
		}
	}
}

// A peer that announces the most there may be and sends nothing costs little.
func TestALengthIsNotBelievedBeforeTheBytesAreThere(t *testing.T) {
	p := command.Part{Low: 1, First: 1, Count: 1}
	head := appendPartHead(nil, &p)
	binary.BigEndian.PutUint32(head[39:], command.MaxPart)
	allocated := func(frame []byte) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := readOne(frame); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("error %v", err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	if n := allocated(head); n > 1<<20 {
		t.Errorf("%d bytes allocated for nothing", n)
	}
	if n := allocated(append(head, make([]byte, 1<<20)...)); n > 8<<20 {
		t.Errorf("%d bytes allocated for one MiB", n)
	}
}

func FuzzReadPart(f *testing.F) {
	f.Add(frameOf(markers(1, 3)))
	f.Add(append(frameOf(markers(1, 0)), frameOf(large(2, 1000))...))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := bufio.NewReader(bytes.NewReader(stream))
		for rest := stream; ; {
			in := newRoom().stay()
			p, err := readPart(context.Background(), r, in)
			in.leave()
			if err != nil {
				if !errors.Is(err, ErrFrame) && !errors.Is(err, io.ErrUnexpectedEOF) && (err != io.EOF || len(rest) > 0) {
					t.Fatalf("%d bytes are left: %v", len(rest), err)
				}
				return
			}
			if err := p.Check(); err != nil {
				t.Fatal(err)
			}
			frame := frameOf(p)
			if !bytes.HasPrefix(rest, frame) {
				t.Fatalf("% x was read as % x", rest, frame)
			}
			rest = rest[len(frame):]
		}
	})
}

func FuzzReadRefusal(f *testing.F) {
	f.Add(appendRefusal(nil, 5, command.Lost))
	f.Fuzz(func(t *testing.T, frame []byte) {
		first, why, err := readRefusal(bytes.NewReader(frame))
		switch {
		case err == nil:
			if !bytes.HasPrefix(frame, appendRefusal(nil, first, why)) {
				t.Fatalf("% x was read as %d %v", frame, first, why)
			}
		case !errors.Is(err, ErrFrame) && err != io.ErrUnexpectedEOF && (err != io.EOF || len(frame) > 0):
			t.Fatal(err)
		}
	})
}
