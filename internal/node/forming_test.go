package node

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/inelpandzic/imdgo/internal/wire"
)

var five = []string{"a:1", "b:1", "c:1", "d:1", "e:1"}

func lifeOf(name string, inc wire.Incarnation, members ...string) *life {
	return &life{node: &Node{cfg: Config{Name: name, Members: members}, log: hclog.NewNullLogger()}, name: name, inc: inc}
}

func asks(name string, inc wire.Incarnation, round uint64, members ...string) *question {
	return &question{Name: name, Incarnation: inc, Round: round, Members: members}
}

func TestAPromiseIsExclusive(t *testing.T) {
	l := lifeOf("b:1", 2, five...)
	if err := l.givePromise(asks("a:1", 1, 1, five...)); err != nil {
		t.Fatal(err)
	}
	if err := l.givePromise(asks("c:1", 3, 1, five...)); err == nil || !strings.Contains(err.Error(), "a:1") {
		t.Errorf("promised twice: %v", err)
	}
	if err := l.givePromise(asks("a:1", 11, 1, five...)); err == nil {
		t.Error("promised to another life of the same node as well")
	}
	if l.beginAttempt() {
		t.Error("asks for promises while it is promised to somebody else")
	}
	l.releasePromise(asks("a:1", 1, 1))
	if err := l.givePromise(asks("c:1", 3, 1, five...)); err != nil {
		t.Errorf("after the release: %v", err)
	}
}

func TestOnlyEqualMembersFormACluster(t *testing.T) {
	l := lifeOf("b:1", 2, five...)
	if err := l.givePromise(asks("a:1", 1, 1, five[:3]...)); err == nil {
		t.Error("promised to a node with other members")
	}
}

func TestWhoAsksForPromisesGivesNone(t *testing.T) {
	l := lifeOf("b:1", 2, five...)
	if !l.beginAttempt() {
		t.Fatal("could not begin")
	}
	if err := l.givePromise(asks("a:1", 1, 1, five...)); err == nil {
		t.Error("promised while it was collecting promises")
	}
	l.endAttempt()
	if err := l.givePromise(asks("a:1", 1, 1, five...)); err != nil {
		t.Error(err)
	}
}

// The schedule: A asks in round 1 and fails; its release is held up; it asks
// again in round 2 and B promises; the release arrives.
func TestALateReleaseDoesNotEndALaterPromise(t *testing.T) {
	l := lifeOf("b:1", 2, five...)
	for round := range uint64(2) {
		if err := l.givePromise(asks("a:1", 1, round+1, five...)); err != nil {
			t.Fatal(err)
		}
	}
	l.releasePromise(asks("a:1", 1, 1))
	if l.promised().to != 1 {
		t.Error("the promise of round 2 has ended with the release of round 1")
	}
}

// The same with an answer to a look, which may be as old.
func TestAnOldAnswerDoesNotEndALaterPromise(t *testing.T) {
	l := lifeOf("b:1", 2, five...)
	if err := l.givePromise(asks("a:1", 1, 1, five...)); err != nil {
		t.Fatal(err)
	}
	seen := l.promised()
	s := &seeker{life: l}
	idle := survey{answers: map[string]answer{"a:1": {Incarnation: 1, Round: 1}}}
	if !s.promiseOver(seen, idle) {
		t.Fatal("a holder that gave round 1 up still holds it")
	}
	if err := l.givePromise(asks("a:1", 1, 2, five...)); err != nil {
		t.Fatal(err)
	}
	l.endPromise(seen)
	if l.promised().to != 1 {
		t.Error("the promise of round 2 has ended with an answer of round 1")
	}
}

func TestWhenAPromiseIsOver(t *testing.T) {
	held := promise{to: 1, name: "a:1", round: 3}
	for name, c := range map[string]struct {
		answer answer
		over   bool
	}{
		"the attempt is under way":           {answer{Incarnation: 1, Round: 3, Forming: true}, false},
		"it has founded a cluster":           {answer{Incarnation: 1, Round: 3, Cluster: 7}, false},
		"it gave up and the release is lost": {answer{Incarnation: 1, Round: 3}, true},
		"it is at a later attempt":           {answer{Incarnation: 1, Round: 4, Forming: true}, true},
		"it has not begun, by an old answer": {answer{Incarnation: 1, Round: 2}, false},
		"it has begun another life":          {answer{Incarnation: 9}, true},
	} {
		s := &seeker{life: lifeOf("b:1", 2, five...)}
		seen := survey{answers: map[string]answer{"a:1": c.answer}}
		if over := s.promiseOver(held, seen); over != c.over {
			t.Errorf("%s: over is %v", name, over)
		}
	}
}

func TestASilentHolderKeepsThePromise(t *testing.T) {
	held := promise{to: 1, name: "a:1", round: 3}
	s := &seeker{life: lifeOf("b:1", 2, five...), holder: 1, silent: time.Now().Add(-time.Hour)}
	if s.promiseOver(held, survey{}) {
		t.Error("among five, a silent holder may lead a cluster of three without this node")
	}
	s = &seeker{life: lifeOf("b:1", 2, five[:3]...), holder: 1, silent: time.Now().Add(-time.Hour)}
	if !s.promiseOver(held, survey{}) {
		t.Error("among three, a holder can found nothing that works without this node and the third")
	}
	s = &seeker{life: lifeOf("b:1", 2, five...), holder: 1, refusing: time.Now().Add(-time.Hour)}
	if !s.promiseOver(held, survey{refused: map[string]bool{"a:1": true}}) {
		t.Error("nobody has listened there for an hour")
	}
}

func TestABlankNodeTalksRaftOnlyToWhomItIsPromised(t *testing.T) {
	l := lifeOf("b:1", 2, five...)
	calls := func(origin, target wire.Incarnation, cluster wire.ClusterID) wire.Refusal {
		return l.admitRaft(wire.Preamble{Purpose: wire.Raft, Cluster: cluster, Origin: origin, Target: target})
	}
	if got := calls(1, 2, 7); got != wire.WrongCluster {
		t.Errorf("a stranger: %v", got)
	}
	if err := l.givePromise(asks("a:1", 1, 1, five...)); err != nil {
		t.Fatal(err)
	}
	if got := calls(3, 2, 7); got != wire.WrongCluster {
		t.Errorf("somebody else: %v", got)
	}
	if got := calls(1, 22, 7); got != wire.WrongIncarnation {
		t.Errorf("a call for a former life: %v", got)
	}
	if got := calls(1, 2, 7); got != wire.Admitted || l.cluster() != 7 {
		t.Errorf("the holder of the promise: %v, cluster %v", got, l.cluster())
	}
	if got := calls(3, 2, 7); got != wire.Admitted {
		t.Errorf("another member of the cluster: %v", got)
	}
	if got := calls(1, 2, 8); got != wire.WrongCluster {
		t.Errorf("another cluster: %v", got)
	}
}

func id(name string, inc wire.Incarnation) string { return string(wire.Address(name, inc)) }

// The schedule: A and B commit with C cut off, B restarts blank, A dies. C has a
// vote, so the cluster may have a leader again when A comes back, and B must
// not found another one meanwhile.
func TestABlankNodeWaitsForAClusterThatMayLive(t *testing.T) {
	s := &seeker{life: lifeOf("b:1", 22, five[:3]...)}
	voters := []string{id("a:1", 1), id("b:1", 2), id("c:1", 3)}
	seen := survey{answers: map[string]answer{"c:1": {Name: "c:1", Incarnation: 3, Cluster: 7, Members: five[:3], Voters: voters}}}
	if _, ok := s.candidates(seen); ok {
		t.Error("it would form a cluster with C's still there")
	}
	// When A has lost its memory, too, two of three voters are gone for good.
	seen.answers["a:1"] = answer{Name: "a:1", Incarnation: 11, Members: five[:3]}
	if blank, ok := s.candidates(seen); !ok || len(blank) != 1 {
		t.Errorf("it waits for a cluster that cannot live: %v, %v", blank, ok)
	}
}

func TestAClusterIsHopelessWhenAMajorityIsGone(t *testing.T) {
	self := lifeOf("a:1", 1, five...)
	voters := []string{id("a:1", 1), id("b:1", 2), id("c:1", 3)}
	for name, c := range map[string]struct {
		seen     survey
		voters   []string
		hopeless bool
	}{
		"all are silent":             {survey{}, voters, false},
		"one has begun another life": {survey{answers: map[string]answer{"b:1": {Incarnation: 9}}}, voters, false},
		"two have":                   {survey{answers: map[string]answer{"b:1": {Incarnation: 9}, "c:1": {Incarnation: 9}}}, voters, true},
		"this node is one of them": {survey{answers: map[string]answer{"b:1": {Incarnation: 9}}},
			[]string{id("a:1", 5), id("b:1", 2), id("c:1", 3)}, true},
		"nobody knows its voters": {survey{}, nil, false},
	} {
		if got := c.seen.hopeless(c.voters, self); got != c.hopeless {
			t.Errorf("%s: hopeless is %v", name, got)
		}
	}
}

func TestMajority(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 2, 3: 2, 4: 3, 5: 3} {
		if got := majority(n); got != want {
			t.Errorf("majority of %d is %d", n, got)
		}
	}
}

var _ raft.FSM = (*replica)(nil)

// The schedule: A founds a cluster with B's promise, reaches others only, and
// dies. B's promise is over, but the cluster counts on B's vote.
func TestANodeThatIsCountedOnKnowsIt(t *testing.T) {
	s := &seeker{life: lifeOf("b:1", 2, five[:3]...)}
	seen := survey{answers: map[string]answer{"c:1": {Name: "c:1", Incarnation: 3, Cluster: 7, Members: five[:3],
		Voters: []string{id("a:1", 1), id("b:1", 2), id("c:1", 3)}}}}
	if _, ok := s.countedOn(seen); !ok {
		t.Error("it would wait for ever, and be waited for")
	}
	s.life.promise = promise{to: 3, name: "c:1"}
	if _, ok := s.countedOn(seen); ok {
		t.Error("the founder, which has its promise, is about to call")
	}
}

func TestOneNodeIsOneCandidate(t *testing.T) {
	s := &seeker{life: lifeOf("b:1", 2, five...)}
	twice := answer{Name: "a:1", Incarnation: 1, Members: five}
	seen := survey{answers: map[string]answer{"a:1": twice, "c:1": twice, "d:1": {Name: "b:1", Incarnation: 2, Members: five}}}
	if blank, ok := s.candidates(seen); !ok || len(blank) != 1 {
		t.Errorf("%d candidates, %v", len(blank), ok)
	}
}

func TestAPromisedNodeDoesNotSayThatItCouldAsk(t *testing.T) {
	l := lifeOf("b:1", 2, five...)
	l.setAble(true)
	if err := l.givePromise(asks("a:1", 1, 1, five...)); err != nil {
		t.Fatal(err)
	}
	if l.mayAsk() {
		t.Error("others would wait for it to ask")
	}
}
