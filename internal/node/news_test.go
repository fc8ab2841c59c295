package node

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"
)

// told is what has been said of commits since this was last asked: the entry that a
// request follows, and how far it says that everything is committed.
func (f *follower) told() (told [][3]uint64) {
	synctest.Wait()
	for _, q := range f.requests() {
		told = append(told, [3]uint64{q.PrevLogEntry, q.PrevLogTerm, q.LeaderCommitIndex})
	}
	return told
}

// appendOne plays that raft appends one entry, of term 2, in term 3.
func appendOne(t *testing.T, p raft.AppendPipeline, index, commit uint64) {
	t.Helper()
	q := &raft.AppendEntriesRequest{Term: 3, PrevLogEntry: index - 1, PrevLogTerm: 2, LeaderCommitIndex: commit,
		Entries: []*raft.Log{{Index: index, Term: 2}}}
	if _, err := p.AppendEntries(q, new(raft.AppendEntriesResponse)); err != nil {
		t.Fatal(err)
	}
}

func TestFollowersAreToldOfACommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNews()
		p, s := pipelineTo(t, t.Context(), n)
		expect := func(what string, want ...[3]uint64) {
			t.Helper()
			if got := s.told(); !slices.Equal(got, want) {
				t.Errorf("%s: told %v, want %v", what, got, want)
			}
		}
		n.tell(place{4, 2})
		expect("nothing is known of what the follower has")
		appendOne(t, p, 4, 3)
		expect("committed after the request had been made", [3]uint64{3, 2, 3}, [3]uint64{4, 2, 4})
		n.tell(place{4, 2})
		expect("told already")
		appendOne(t, p, 5, 4)
		n.tell(place{5, 2})
		expect("sent and committed", [3]uint64{4, 2, 4}, [3]uint64{5, 2, 5})
		n.tell(place{6, 2})
		expect("not sent yet")
		appendOne(t, p, 6, 6)
		expect("told with the entry", [3]uint64{5, 2, 6})
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		n.tell(place{7, 2})
		expect("closed")
	})
}

func TestWhatIsToldIsOfTheLeadersTermAndAppendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNews()
		p, s := pipelineTo(t, t.Context(), n)
		appendOne(t, p, 1, 0)
		n.tell(place{1, 2})
		synctest.Wait()
		all := s.requests()
		if q := all[len(all)-1]; q.LeaderCommitIndex != 1 || q.Term != 3 || len(q.Entries) != 0 {
			t.Errorf("told %+v", q)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}
