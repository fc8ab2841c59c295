package snapshot_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/snapshot"
)

// records collects what comes, and is an Incoming.
type records struct {
	*snapshot.Decoder
	got       [][]byte
	cancelled int
}

func (r *records) Cancel() { r.cancelled++ }

func receive(*raft.SnapshotMeta) snapshot.Incoming {
	r := &records{}
	r.Decoder = snapshot.NewDecoder(func(b []byte) error {
		r.got = append(r.got, bytes.Clone(b))
		return nil
	})
	return r
}

func filesConfig(dir string) snapshot.FilesConfig {
	return snapshot.FilesConfig{Dir: dir, Cluster: func() uint64 { return 7 }, Receive: receive,
		Reached: func(uint64) error { return nil }, Stalled: func() {}, Patient: time.Minute, Log: hclog.NewNullLogger()}
}

func filesIn(t *testing.T, dir string) *snapshot.Files {
	t.Helper()
	f, err := snapshot.NewFiles(filesConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// streamOf is a whole stream of one record.
func streamOf(t *testing.T, record string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := snapshot.NewWriter(&b, snapshot.RecordSize(len(record)))
	if err == nil {
		err = errors.Join(w.Record([]byte(record)), w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func create(t *testing.T, f *snapshot.Files, index uint64) raft.SnapshotSink {
	t.Helper()
	sink, err := f.Create(1, index, 1, raft.Configuration{}, 1, &raft.InmemTransport{})
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

// opening is what raft does to restore a snapshot.
func opening(t *testing.T, f *snapshot.Files, id, want string) {
	t.Helper()
	_, from, err := f.Open(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := from.Close(); err != nil {
		t.Error(err)
	}
	in, ok := f.Received()
	if !ok || string(bytes.Join(in.(*records).got, nil)) != want {
		t.Errorf("%v has been received, %v", in, ok)
	}
}

// What is received is restored as it came, and again from the file.
func TestFilesReceive(t *testing.T) {
	dir := t.TempDir()
	f := filesIn(t, dir)
	if n, err := f.Load(snapshot.Log{}); err != nil || n.Index != 0 {
		t.Fatal(n, err)
	}
	f.Started()
	sink := create(t, f, 7)
	if _, err := io.Copy(sink, bytes.NewReader(streamOf(t, "the state"))); err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	opening(t, f, sink.ID(), "the state")
	if _, ok := f.Received(); ok {
		t.Error("it is received twice")
	}
	f = filesIn(t, dir)
	if n, err := f.Load(snapshot.Log{}); err != nil || n.Index != 7 || n.Term != 1 {
		t.Fatal(n, err)
	}
	opening(t, f, sink.ID(), "the state")
}

// A stream that is damaged, cut off or foreign leaves no snapshot.
func TestFilesRefuse(t *testing.T) {
	dir := t.TempDir()
	cfg := filesConfig(dir)
	came, begin := []*records(nil), cfg.Receive
	cfg.Receive = func(m *raft.SnapshotMeta) snapshot.Incoming {
		in := begin(m)
		came = append(came, in.(*records))
		return in
	}
	f, err := snapshot.NewFiles(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.Started()
	whole := streamOf(t, "the state")
	damaged := bytes.Clone(whole)
	damaged[len(damaged)/2] ^= 1
	for name, b := range map[string][]byte{"damaged": damaged, "cut off": whole[:len(whole)-1], "foreign": []byte("something else altogether"), "empty": nil} {
		sink := create(t, f, 7)
		_, err := sink.Write(b)
		if err == nil {
			err = sink.Close()
		}
		if !errors.Is(err, snapshot.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if err := sink.Cancel(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := came[len(came)-1].cancelled; n != 1 {
			t.Errorf("%s: what came was cancelled %d times", name, n)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, "snapshots")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// failing is a cut that cannot be written.
type failing struct{}

func (failing) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write([]byte("half"))
	return int64(n), errors.Join(err, io.ErrShortWrite)
}

// A state that could not be written leaves none either, and one that is being
// sent is known.
func TestFilesPersistAndSend(t *testing.T) {
	dir := t.TempDir()
	f := filesIn(t, dir)
	f.Started()
	if err := snapshot.Persist(create(t, f, 7), failing{}); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
	if list, err := f.List(); err != nil || len(list) != 0 {
		t.Error(list, err)
	}
	whole := streamOf(t, "the state")
	sink := create(t, f, 8)
	if err := snapshot.Persist(sink, bytes.NewBuffer(bytes.Clone(whole))); err != nil {
		t.Fatal(err)
	}
	if n := f.Newest(); n.Index != 8 || n.Size != int64(len(whole)) {
		t.Errorf("the newest is %+v", n)
	}
	_, from, err := f.Open(sink.ID())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(from); err != nil || !bytes.Equal(b, whole) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if index, ok := f.Sending(0); !ok || index != 8 {
		t.Errorf("sending %d, %v", index, ok)
	}
	if err := from.Close(); err != nil {
		t.Error(err)
	}
	if index, ok := f.Sending(time.Minute); !ok || index != 8 {
		t.Errorf("a moment later %d, %v", index, ok)
	}
	if _, ok := f.Sending(-1); ok {
		t.Error("it is being sent for ever")
	}
	if _, from, err = f.Open(sink.ID()); err != nil {
		t.Fatal(err)
	}
	f.GiveUp()
	if _, err := from.Read(make([]byte, 1)); err == nil {
		t.Error("what was given up goes on")
	}
	if err := from.Close(); err != nil {
		t.Error(err)
	}
}
