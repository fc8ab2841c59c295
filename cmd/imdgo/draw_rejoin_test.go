package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/inelpandzic/imdgo"
)

// cameBack is a node that came back between 240 and 360 ms, and then wrote.
func cameBack() (*demo, *comeback) {
	d := newDemo(new(screen), nil)
	d.nodes, d.dead[2], d.leader = []*process{{name: "a"}, {name: "b"}, {name: "c"}}, true, 0
	b := &comeback{victim: 2, begun: 240 * ms, ready: 360 * ms, entries: [size]int{51_000, 51_000, 51_000}, stages: []stage{
		{imdgo.Joining, 240 * ms}, {imdgo.NonVoter, 285 * ms}, {imdgo.Follower, 320 * ms},
	}}
	b.writes.calls[2] = []span{{370 * ms, 390 * ms}}
	b.writes.calls[0] = []span{{0, 1 * ms}, {300 * ms, 399 * ms}}
	return d, b
}

func TestReturnIsDrawn(t *testing.T) {
	d, b := cameBack()
	text := strings.Join(d.returnLines(b, []int{0, 1}, 440*ms), "\n")
	for _, want := range []string{"c         ············░░▒▒▓▓▓█··\n", "started ↓     ↓ ready", "│ follower ", "51,000 entries", "ready after 120 ms"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if utf8.RuneCountInString(line) > leastWidth {
			t.Errorf("too wide: %s", line)
		}
	}
	if got, want := b.story("c"), "c: ░ joining, ▒ non-voter +45.0 ms, ▓ follower +80.0 ms, ready +120 ms"; got != want {
		t.Errorf("story %q, want %q", got, want)
	}
}

func TestDeadNodeIsDrawn(t *testing.T) {
	d, b := cameBack()
	b.begun, b.ready, b.stages, b.entries[2] = 0, 0, nil, 0
	b.writes.calls[2] = nil
	text := strings.Join(d.returnLines(b, []int{0, 1}, 100*ms), "\n")
	for _, want := range []string{"✝ killed", "0 entries", "c         ·····\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
