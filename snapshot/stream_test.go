package snapshot_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/inelpandzic/imdgo/snapshot"
)

// stream writes records, each in two parts.
func stream(t testing.TB, records [][]byte) []byte {
	t.Helper()
	payload := int64(0)
	for _, r := range records {
		payload += snapshot.RecordSize(len(r))
	}
	var b bytes.Buffer
	w, err := snapshot.NewWriter(&b, payload)
	for _, r := range records {
		err = errors.Join(err, w.Record(r[:len(r)/2], r[len(r)/2:]))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != snapshot.Size(payload) {
		t.Fatalf("%d bytes, Size said %d", b.Len(), snapshot.Size(payload))
	}
	return b.Bytes()
}

// decode takes a stream apart, read through from.
func decode(b []byte, from func(io.Reader) io.Reader) (records [][]byte, err error) {
	d := snapshot.NewDecoder(func(r []byte) error {
		records = append(records, slices.Clone(r))
		return nil
	})
	_, err = io.Copy(struct{ io.Writer }{d}, from(bytes.NewReader(b)))
	return records, errors.Join(err, d.Close())
}

func whole(r io.Reader) io.Reader { return struct{ io.Reader }{r} }

func some(sizes ...int) (records [][]byte) {
	random := rand.NewChaCha8([32]byte{})
	for _, n := range sizes {
		r := make([]byte, n)
		_, _ = random.Read(r)
		records = append(records, r)
	}
	return records
}

func TestAStreamComesBack(t *testing.T) {
	for name, records := range map[string][][]byte{
		"nothing":             nil,
		"an empty record":     some(0),
		"small ones":          some(1, 2, 3, 1000),
		"exactly one chunk":   some(64<<10 - 4),
		"a byte more":         some(64<<10 - 3),
		"chunks and a record": some(64<<10-4, 64<<10-4, 5),
		"one over many":       some(1_000_000),
		"a length divided":    some(64<<10-6, 10),
	} {
		b := stream(t, records)
		for how, from := range map[string]func(io.Reader) io.Reader{
			"whole": whole, "by halves": iotest.HalfReader, "by bytes": iotest.OneByteReader} {
			got, err := decode(b, from)
			if err != nil || !slices.EqualFunc(got, records, bytes.Equal) {
				t.Errorf("%s, %s: %d records of %d, %v", name, how, len(got), len(records), err)
			}
		}
	}
}

func TestADamagedStreamIsRefused(t *testing.T) {
	b := stream(t, some(10, 70_000, 3))
	for n := range b {
		if n > 100 && n < len(b)-100 && n%977 != 0 {
			continue // every byte of a stream this long takes seconds
		}
		if _, err := decode(b[:n], whole); !errors.Is(err, snapshot.ErrDamaged) {
			t.Fatalf("cut off after %d bytes: %v", n, err)
		}
		changed := slices.Clone(b)
		changed[n] ^= 0x10
		if _, err := decode(changed, whole); !errors.Is(err, snapshot.ErrDamaged) {
			t.Fatalf("byte %d changed: %v", n, err)
		}
	}
	if _, err := decode(append(slices.Clone(b), 0), whole); !errors.Is(err, snapshot.ErrDamaged) {
		t.Errorf("with a byte more: %v", err)
	}
	if _, err := decode([]byte("HTTP/1.1 400 Bad Request"), whole); !errors.Is(err, snapshot.ErrDamaged) {
		t.Errorf("something else: %v", err)
	}
}

func TestAWriterHoldsWhatItDeclared(t *testing.T) {
	w, err := snapshot.NewWriter(io.Discard, snapshot.RecordSize(10))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err == nil {
		t.Error("closed with less than was declared")
	}
	if err := w.Record(make([]byte, 11)); err == nil {
		t.Error("took more than was declared")
	}
}

func TestWhoTakesRecordsMayRefuse(t *testing.T) {
	refused := errors.New("no room")
	d := snapshot.NewDecoder(func([]byte) error { return refused })
	_, err := d.Write(stream(t, some(10)))
	if !errors.Is(err, refused) || !errors.Is(d.Close(), refused) {
		t.Errorf("%v, %v", err, d.Close())
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add(stream(f, some(1, 2, 3)))
	f.Add(stream(f, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := decode(b, whole)
		if err != nil {
			if !errors.Is(err, snapshot.ErrDamaged) {
				t.Errorf("an error of another kind: %v", err)
			}
			return
		}
		if again := stream(t, records); !bytes.Equal(again, b) {
			t.Error("another stream has the same records")
		}
	})
}

func ExampleWriter() {
	record := []byte("a record")
	var file bytes.Buffer
	w, _ := snapshot.NewWriter(&file, snapshot.RecordSize(len(record)))
	_ = w.Record(record)
	_ = w.Close()

	d := snapshot.NewDecoder(func(r []byte) error {
		fmt.Printf("%s\n", r)
		return nil
	})
	_, _ = file.WriteTo(d)
	fmt.Println(d.Close())
	// Output:
	// a record
	// <nil>
}
