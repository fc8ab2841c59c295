package node

import (
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/fsm"
	"github.com/inelpandzic/imdgo/snapshot"
)

// accountStep is how many bytes of a state that is being built may go unsaid.
const accountStep = 64 << 10

// incoming builds a state beside the one in use, or in the room that this has made.
type incoming struct {
	*snapshot.Decoder
	replica *replica
	builder *fsm.Builder
	at      position
	begun   bool        // the first record has come
	account fsm.Account // of what has been built; guarded by the replica's mu, and it may be a step behind
}

// receive implements what the stores of snapshots begin with when one comes. Raft
// receives one at a time.
func (r *replica) receive(meta *raft.SnapshotMeta) snapshot.Incoming {
	in := &incoming{replica: r, builder: fsm.NewBuilder(), at: position{index: meta.Index, term: meta.Term,
		configuration: meta.Configuration.Clone(), configurationIndex: meta.ConfigurationIndex}}
	in.Decoder = snapshot.NewDecoder(in.record)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.coming = in
	return in
}

// record builds one record. The first is the head, which comes when the size of all
// of them is known.
func (in *incoming) record(b []byte) error {
	declared := int64(0)
	if !in.begun {
		declared, _ = in.Payload() // less the first chunk, which has come
	}
	if err := in.builder.Record(b); err != nil {
		return err
	}
	if built := in.builder.Account(); !in.begun || built.Used-in.account.Used >= accountStep {
		in.begun = true
		return in.replica.grown(in, built, declared)
	}
	return nil
}

// Close implements snapshot.Incoming.
func (in *incoming) Close() error {
	if err := in.Decoder.Close(); err != nil {
		return err
	}
	return in.replica.grown(in, in.builder.Account(), 0)
}

// Cancel implements snapshot.Incoming.
func (in *incoming) Cancel() {
	in.replica.mu.Lock()
	defer in.replica.mu.Unlock()
	if in.replica.coming == in {
		in.replica.coming = nil
	}
}

// grown is told what a state that comes takes by now, and that it will take so much
// at least.
func (r *replica) grown(in *incoming, account fsm.Account, atLeast int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.ctx.Err(); err != nil {
		return err // the machine is another life's, or will be
	}
	if r.emptied.Load() && in.at.before(r.last()) {
		return fmt.Errorf("%w: this one is of index %d in term %d, and this node has promised more", errEmptied, in.at.index, in.at.term)
	}
	in.account = account
	r.fit(atLeast)
	return nil
}

// account is what the entries take, with what an open transfer keeps of others, and
// those of a state that is being built. All of it is of one moment: what leaves the
// entries may be what the transfer keeps from then on.
func (r *replica) account() (used, coming fsm.Account, receiving bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	used = r.machine.Account()
	if r.open != nil {
		used.Used += r.open.Undo()
	}
	if r.coming == nil {
		return used, fsm.Account{}, false
	}
	return used, r.coming.account, true
}
