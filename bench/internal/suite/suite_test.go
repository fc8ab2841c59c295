package suite

import (
	"slices"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo/bench/internal/node"
	"github.com/inelpandzic/imdgo/bench/internal/system"
)

func TestTakeoverEndsTheLongestPause(t *testing.T) {
	ms := func(at ...int64) (ends []int64) {
		for _, a := range at {
			ends = append(ends, a*int64(time.Millisecond))
		}
		return ends
	}
	killed := ms(100)[0]
	for name, c := range map[string]struct {
		ends []int64
		want time.Duration
	}{
		"what was committed before the kill does not count": {ms(90, 99, 101, 102, 900, 901, 905), 800 * time.Millisecond},
		"the ends of two nodes come in any order":           {ms(900, 99, 901, 102), 800 * time.Millisecond},
		"a first try that does not last":                    {ms(99, 300, 1400, 1401), 1300 * time.Millisecond},
	} {
		got, err := takeover(c.ends, killed)
		if err != nil || got != c.want {
			t.Errorf("%s: %v, %v, want %v", name, got, err, c.want)
		}
	}
	for name, ends := range map[string][]int64{"none before": ms(150), "none after": ms(50), "none": nil} {
		if got, err := takeover(ends, killed); err == nil {
			t.Errorf("%s: %v and no error", name, got)
		}
	}
}

func TestLagIsFromReturnToSight(t *testing.T) {
	var spans []node.Span
	var seen []int64
	for i := range int64(110) { // the first ten do not count
		spans = append(spans, node.Span{Start: i * 1000, End: i*1000 + 100})
		seen = append(seen, i*1000+100+max(i-9, 0)) // 1, 2, 3 … 100 ns after
	}
	seen[109] = spans[109].End - 50 // before the return: no lag
	if got, want := lagsOf(spans, seen), (lags{p50: 50, p99: 99, most: 99}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestEachRoundBeginsWithAnother(t *testing.T) {
	list := []string{"a", "b", "c"}
	for round, want := range []string{"abc", "bca", "cab", "abc"} {
		if got := rotated(list, round); slices.Compare(got, []string{want[:1], want[1:2], want[2:]}) != 0 {
			t.Errorf("round %d: %q", round, got)
		}
	}
}

func TestCasesAreChosenByTheirNames(t *testing.T) {
	r := &Run{options: Options{Cases: []string{"set/leader", "lag"}, Callers: []int{1, 512}}}
	var names []string
	for _, op := range []system.Op{system.OpSet, system.OpSetTTL} {
		for _, c := range r.loadCases(op) {
			names = append(names, c.name())
		}
	}
	if want := []string{"set/leader/1", "set/leader/512"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	if !r.wanted("lag") || r.wanted("large") {
		t.Error("lag is asked for, large is not")
	}
}
