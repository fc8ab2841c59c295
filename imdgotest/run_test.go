package imdgotest

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inelpandzic/imdgo"
)

func TestEveryVerbDoesSomething(t *testing.T) {
	for name := range verbs {
		if steps[name] == nil {
			t.Errorf("nothing is done for %s", name)
		}
	}
	for _, name := range sentinels {
		if sentinelErrors[name] == nil {
			t.Errorf("no error is meant by %s", name)
		}
	}
}

// What a script gets wrong is said with what came and what was expected.
func TestJudge(t *testing.T) {
	unknown := fmt.Errorf("setting: %w", imdgo.ErrUnknownOutcome)
	for _, c := range []struct {
		text string
		got  any
		err  error
		want string
	}{
		{text: "get n1 a", got: int64(1)},
		{text: "get n1 a -> 1", got: int64(1)},
		{text: "get n1 a -> 1", got: "1", want: " got \"1\"\nwant 1"},
		{text: "get n1 a -> miss", got: int64(1), want: " got 1\nwant miss"},
		{text: "get n1 a -> 1", got: missing{}, want: " got miss\nwant 1"},
		{text: `get n1 a -> "miss"`, got: missing{}, want: " got miss\nwant \"miss\""},
		{text: "set n1 a=1", err: unknown, want: "setting: imdgo: unknown outcome"},
		{text: "set n1 a=1 -> error", err: unknown},
		{text: "set n1 a=1 -> error UnknownOutcome", err: unknown},
		{text: "set n1 a=1 -> error Timeout", err: unknown, want: " got error setting: imdgo: unknown outcome\nwant error Timeout"},
		{text: "set n1 a=1 -> error", want: " got success\nwant error "},
		{text: "add n1 a=1 -> yes", got: true},
		{text: "add n1 a=1 -> yes", got: false, want: " got no\nwant yes"},
		{text: "add n1 a=1 -> yes", got: false, err: errors.New("no"), want: " got error no\nwant yes"},
		{text: "count n1 -> 3", got: 3},
		{text: "ttl n1 a -> 5s", got: 4100 * time.Millisecond},
		{text: "ttl n1 a -> 5s", got: 3900 * time.Millisecond, want: " got 3.9s\nwant 5s"},
		{text: "ttl n1 a within=2s -> 5s", got: 3900 * time.Millisecond},
		{text: "ttl n1 a -> 1s", got: time.Duration(0), want: " got 0s\nwant 1s"},
		{text: "ttl n1 a -> 0s", got: time.Duration(1), want: " got 1ns\nwant 0s"},
		{text: "role n1 -> leader", got: "leader"},
	} {
		s, err := parseScript(c.text)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := s.statements[0].judge(c.got, c.err); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.text, got, c.want)
		}
	}
}

// The statements that look at a cluster see what there is.
func TestSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &runner{t: t, bubble: true, names: map[string]string{}}
		for _, c := range []struct{ text, want string }{
			{"cluster 3", "success"},
			{"cluster 3", "error there is one already"},
			{"name leader @a", "success"},
			{"role @a", `"leader"`},
			{"set n1 a=1 b=x", "success"},
			{"read n2 a level=linearizable", "1"},
			{"get n2 b", `"x"`},
			{"get n2 c", "miss"},
			{"read n2 c", "miss"},
			{"count n2", "2"},
			{"ttl n2 b", "0s"},
			{"ttl n2 c", "miss"},
			{"cas n1 a=2 was=3", "no"},
			{"cas n1 a=2 was=1", "yes"},
			{"cad n1 a was=2", "yes"},
			{"add n1 a=1", "yes"},
			{"add n1 a=1", "no"},
			{"expire n1 a 5s", "yes"},
			{"set n1 a=1 map=other", "success"},
			{"count n1 map=other", "1"},
			{"clear n1", "success"},
			{"count n1", "0"},
			{"count n1 map=other", "1"},
			{"wait converged", "success"},
			{"hash equal", "success"},
		} {
			s, err := parseScript(c.text)
			if err != nil {
				t.Fatal(err)
			}
			st := &s.statements[0]
			if got := outcome(steps[st.verb](r, st)); got != c.want {
				t.Errorf("%s: got %s; want %s", c.text, got, c.want)
			}
		}
	})
}
