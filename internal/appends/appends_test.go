package appends

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

var limits = Limits{Entries: 64, Bytes: 4 << 20}

var leader = raft.RPCHeader{ProtocolVersion: 3, ID: []byte("a:1/01"), Addr: []byte("a:1/02")}

// requests are some of all kinds, of one leader.
func requests() []*raft.AppendEntriesRequest {
	r := rand.New(rand.NewPCG(1, 2))
	bytesOf := func(n int) []byte {
		if n == 0 {
			return nil
		}
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	sizes := [][]int{nil, {0}, {1}, {100, 0, 70_000}, {believed - 1}, {believed}, {believed + 1}, {3 * believed, 1}, make([]int, 64)}
	var all []*raft.AppendEntriesRequest
	for _, entries := range sizes {
		q := &raft.AppendEntriesRequest{RPCHeader: leader, Term: r.Uint64(), PrevLogEntry: r.Uint64() >> 1,
			PrevLogTerm: r.Uint64(), LeaderCommitIndex: r.Uint64()}
		for i, n := range entries {
			e := &raft.Log{Index: q.PrevLogEntry + 1 + uint64(i), Term: r.Uint64(), Type: raft.LogType(r.UintN(256)),
				Data: bytesOf(n), Extensions: bytesOf(n % 7)}
			if i%2 == 0 {
				e.AppendedAt = time.Unix(r.Int64N(1<<32), r.Int64N(1e9))
			}
			q.Entries = append(q.Entries, e)
		}
		all = append(all, q)
	}
	return all
}

// stream is a connection on which requests have come.
func stream(t testing.TB, requests ...*raft.AppendEntriesRequest) []byte {
	t.Helper()
	var b bytes.Buffer
	w := bufio.NewWriterSize(&b, 100)
	if err := WriteHello(w, leader); err != nil {
		t.Fatal(err)
	}
	for _, q := range requests {
		if err := WriteRequest(w, q); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// readAll reads a connection to its end, and returns why that is one.
func readAll(b []byte, limits Limits) (all []*raft.AppendEntriesRequest, err error) {
	r, err := NewReader(bufio.NewReaderSize(bytes.NewReader(b), 64), limits)
	for err == nil {
		var q *raft.AppendEntriesRequest
		if q, err = r.Read(); err == nil {
			all = append(all, q)
		}
	}
	return all, err
}

func TestRequestsComeAsTheyWere(t *testing.T) {
	sent := requests()
	got, err := readAll(stream(t, sent...), limits)
	if err != io.EOF {
		t.Fatal(err)
	}
	if len(got) != len(sent) {
		t.Fatalf("%d requests of %d have come", len(got), len(sent))
	}
	for i := range sent {
		if !reflect.DeepEqual(got[i], sent[i]) {
			t.Errorf("request %d: sent %+v, came %+v", i, sent[i], got[i])
		}
	}
}

func TestAnswersComeAsTheyWere(t *testing.T) {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	var sent []Answer
	for i := range 8 {
		a := Answer{AppendEntriesResponse: raft.AppendEntriesResponse{Term: 1 << 60, LastLog: uint64(i), Success: i&1 > 0, NoRetryBackoff: i&2 > 0}}
		if i&4 > 0 {
			a.Failure = "there is no more room"
		}
		sent = append(sent, a)
		if err := WriteAnswer(w, &a); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	from := bufio.NewReader(&b)
	for _, want := range sent {
		got := Answer{Failure: "a former one"}
		if err := ReadAnswer(from, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("sent %+v, came %+v, %v", want, got, err)
		}
	}
	if err := ReadAnswer(from, new(Answer)); err != io.EOF {
		t.Errorf("the end: %v", err)
	}
}

func TestALongFailureIsCut(t *testing.T) {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	var a Answer
	if err := errors.Join(WriteAnswer(w, &Answer{Failure: string(make([]byte, 2*nameMost))}), w.Flush()); err != nil {
		t.Fatal(err)
	}
	if err := ReadAnswer(bufio.NewReader(&b), &a); err != nil || len(a.Failure) != nameMost {
		t.Errorf("%d bytes, %v", len(a.Failure), err)
	}
}

// Wherever a connection ends, what is incomplete is not returned, and it is said.
func TestAConnectionThatEnds(t *testing.T) {
	sent := []*raft.AppendEntriesRequest{requests()[3], requests()[0]}
	whole := stream(t, sent...)
	between := map[int]int{len(stream(t)): 0, len(stream(t, sent[0])): 1, len(whole): 2} // so many requests end here
	for n := 0; n <= len(whole); n += 1 + n/50 {
		got, err := readAll(whole[:n], limits)
		if complete, ok := between[n]; ok {
			if err != io.EOF || len(got) != complete {
				t.Errorf("%d bytes: %d requests, %v", n, len(got), err)
			}
		} else if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: %d requests, %v", n, len(got), err)
		}
	}
}

func TestLimits(t *testing.T) {
	two := &raft.AppendEntriesRequest{Entries: []*raft.Log{{Index: 1, Data: make([]byte, 60)}, {Index: 2, Data: make([]byte, 30), Extensions: make([]byte, 10)}}}
	for name, c := range map[string]struct {
		limits Limits
		fits   bool
	}{
		"as much as there may be": {Limits{2, 100}, true},
		"an entry too many":       {Limits{1, 100}, false},
		"a byte too many":         {Limits{2, 99}, false},
		"far too many":            {Limits{2, 10}, false},
	} {
		got, err := readAll(stream(t, two), c.limits)
		if c.fits != (len(got) == 1) || c.fits == errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %d requests, %v", name, len(got), err)
		}
	}
}

func TestWhatCannotBeWritten(t *testing.T) {
	w := bufio.NewWriter(io.Discard)
	if WriteHello(w, raft.RPCHeader{ID: make([]byte, nameMost+1)}) == nil {
		t.Error("a long name")
	}
	if WriteRequest(w, &raft.AppendEntriesRequest{Entries: []*raft.Log{{Index: 2}}}) == nil {
		t.Error("a gap")
	}
}

// Who announces much and sends little costs little.
func TestRoomIsNotMadeBeforeItIsNeeded(t *testing.T) {
	limits := Limits{Entries: 1, Bytes: 1 << 30}
	b := stream(t, &raft.AppendEntriesRequest{Entries: []*raft.Log{{Index: 1, Data: make([]byte, 10)}}})
	copy(b[len(b)-14:], []byte{0x20, 0, 0, 0}) // of 512 MiB
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readAll(b, limits)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) || after.TotalAlloc-before.TotalAlloc > 2*believed {
		t.Errorf("%d bytes were allocated, %v", after.TotalAlloc-before.TotalAlloc, err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(stream(f, requests()[:4]...))
	f.Add(stream(f, requests()[8]))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readAll(b, Limits{Entries: 8, Bytes: 1 << 16})
		if err == nil {
			t.Fatal("there is no end")
		}
		for _, q := range got {
			bytes := 0
			for i, e := range q.Entries {
				if bytes += len(e.Data) + len(e.Extensions); e.Index != q.PrevLogEntry+1+uint64(i) {
					t.Fatalf("entry %d at place %d after %d", e.Index, i, q.PrevLogEntry)
				}
			}
			if len(q.Entries) > 8 || bytes > 1<<16 {
				t.Fatalf("%d entries of %d bytes", len(q.Entries), bytes)
			}
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte{flagSuccess, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2})
	f.Add([]byte{flagFailed, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 'x'})
	f.Fuzz(func(t *testing.T, b []byte) {
		var a Answer
		if err := ReadAnswer(bufio.NewReader(bytes.NewReader(b)), &a); err != nil {
			return
		}
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		if err := errors.Join(WriteAnswer(w, &a), w.Flush()); err != nil {
			t.Fatal(err)
		}
		// A failure of no bytes is none.
		if a.Failure != "" && !bytes.HasPrefix(b, out.Bytes()) {
			t.Fatalf("% x was written again as % x", b, out.Bytes())
		}
	})
}

// BenchmarkRoundTrip is a request of a lone write and its answer, encoded and decoded.
func BenchmarkRoundTrip(b *testing.B) {
	var there, back bytes.Buffer
	to, answers := bufio.NewWriter(&there), bufio.NewWriter(&back)
	from, heard := bufio.NewReader(&there), bufio.NewReader(&back)
	if err := errors.Join(WriteHello(to, leader), to.Flush()); err != nil {
		b.Fatal(err)
	}
	r, err := NewReader(from, limits)
	if err != nil {
		b.Fatal(err)
	}
	q := &raft.AppendEntriesRequest{RPCHeader: leader, Term: 1, Entries: []*raft.Log{{Index: 1, Term: 1, Data: make([]byte, 200), AppendedAt: time.Now()}}}
	a := Answer{AppendEntriesResponse: raft.AppendEntriesResponse{Term: 1, LastLog: 1, Success: true}}
	b.ReportAllocs()
	for b.Loop() {
		if err := errors.Join(WriteRequest(to, q), to.Flush()); err != nil {
			b.Fatal(err)
		}
		if _, err := r.Read(); err != nil {
			b.Fatal(err)
		}
		if err := errors.Join(WriteAnswer(answers, &a), answers.Flush(), ReadAnswer(heard, &a)); err != nil {
			b.Fatal(err)
		}
	}
}
