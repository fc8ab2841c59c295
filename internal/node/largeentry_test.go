package node

import (
	"bufio"
	"bytes"
	"runtime"
	"testing"

	"github.com/hashicorp/go-msgpack/v2/codec"
	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/command"
)

// An entry as large as there may be is not copied over and over while it is read.
func TestALargeEntryIsReadInFewSteps(t *testing.T) {
	rpc := new(bytes.Buffer)
	q := raft.AppendEntriesRequest{Term: 1, Entries: []*raft.Log{{Index: 1, Term: 1, Data: make([]byte, command.MaxOp)}}}
	if err := codec.NewEncoder(rpc, new(codec.MsgpackHandle)).Encode(&q); err != nil {
		t.Fatal(err)
	}
	r := &bounded{Reader: bufio.NewReader(rpc)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := newInbound(nil, nil, nil).read(kindAppendEntries, r, newDecoder(r))
	runtime.ReadMemStats(&after)
	if err != nil || len(got.Command.(*raft.AppendEntriesRequest).Entries[0].Data) != command.MaxOp {
		t.Fatalf("read %T, %v", got.Command, err)
	}
	if took := (after.TotalAlloc - before.TotalAlloc) / command.MaxOp; took > 12 {
		t.Errorf("reading it took %d times its size", took)
	}
}
