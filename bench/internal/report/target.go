package report

import "fmt"

// target is a figure that imdgo is to reach.
type target struct {
	what  string
	reach string
	// found is what was measured, as words, and whether it reaches; done is
	// false if the run does not tell.
	found func(*Report) (words string, reached, done bool)
}

// targets are the figures to reach, on two cores with everything on one machine.
var targets = []target{
	{"writes, leader, 512 callers", "10 times etcd", times("set/leader/512", "etcd", 10)},
	{"", "8 times NATS", times("set/leader/512", "nats", 8)},
	{"", "aim: 300,000 a second", atLeast("set/leader/512", PerSecond, 300e3)},
	{"writes, follower, 512 callers", "2/3 of the leader's", share("set/follower/512", "set/leader/512", 2.0/3)},
	{"writes, leader, 64 callers", "4 times Redis SET + WAIT 1", times("set/leader/64", "redis-wait", 4)},
	{"a lone writer on the leader, p50", "100 µs", atMost("set/leader/1", P50, 100e3)},
	{"", "aim: 75 µs", atMost("set/leader/1", P50, 75e3)},
	{"a lone writer on a follower, p50", "200 µs", atMost("set/follower/1", P50, 200e3)},
	{"lag behind an idle leader, p50", "0.3 ms", atMost("lag", P50, 300e3)},
	{"lag behind an idle leader, max", "2 ms", atMost("lag", Max, 2e6)},
	{"a read in one process, 1 processor", "otter", notAbove("local/1", "otter", Took)},
	{"a read in one process, 2 processors", "otter", notAbove("local/2", "otter", Took)},
	{"allocations of a read", "0", atMost("local/1", Allocs, 0.005)},
	{"heap per entry, Raft's log included", "280 B", atMost("heap", HeapBytes, 280)},
	{"heap per entry without Raft's log", "280 B", heapWithoutLog(280)},
	{"", "aim: 250 B", heapWithoutLog(250)},
	{"idle processor time, three nodes", "1.5 % of a core", atMost("idle", OfACore, 1.5)},
	{"writes with 5 M entries", "70 % of the rate with 10,000", share("large/5M", "large/10k", 0.7)},
}

func times(name, other string, factor float64) func(*Report) (string, bool, bool) {
	return func(r *Report) (string, bool, bool) {
		a, ok := r.Of(name, ours, PerSecond)
		b, okOther := r.Of(name, other, PerSecond)
		if !ok || !okOther || b == 0 {
			return "", false, false
		}
		return fmt.Sprintf("%.1f times (%s to %s)", a/b, Count(a), Count(b)), a/b >= factor, true
	}
}

func share(name, of string, least float64) func(*Report) (string, bool, bool) {
	return func(r *Report) (string, bool, bool) {
		a, ok := r.Of(name, ours, PerSecond)
		b, okOther := r.Of(of, ours, PerSecond)
		if !ok || !okOther || b == 0 {
			return "", false, false
		}
		return fmt.Sprintf("%.0f %% (%s to %s)", 100*a/b, Count(a), Count(b)), a/b >= least, true
	}
}

func atLeast(name string, m Metric, least float64) func(*Report) (string, bool, bool) {
	return func(r *Report) (string, bool, bool) {
		v, ok := r.Of(name, ours, m)
		return m.Words(v), v >= least, ok
	}
}

func atMost(name string, m Metric, most float64) func(*Report) (string, bool, bool) {
	return func(r *Report) (string, bool, bool) {
		v, ok := r.Of(name, ours, m)
		return m.Words(v), v <= most, ok
	}
}

func notAbove(name, other string, m Metric) func(*Report) (string, bool, bool) {
	return func(r *Report) (string, bool, bool) {
		a, ok := r.Of(name, ours, m)
		b, okOther := r.Of(name, other, m)
		return fmt.Sprintf("%s (%s: %s)", m.Words(a), other, m.Words(b)), a <= b, ok && okOther
	}
}

func heapWithoutLog(most float64) func(*Report) (string, bool, bool) {
	return func(r *Report) (string, bool, bool) {
		heap, ok := r.Of("heap", ours, HeapBytes)
		log, okLog := r.Of("heap", ours, LogBytes)
		return HeapBytes.Words(heap - log), heap-log <= most, ok && okLog
	}
}

// targetTable says which are reached, of those that the run tells of.
func (r *Report) targetTable() []table {
	t := table{title: "Figures to reach", head: []string{"imdgo's", "reach", "measured", ""}}
	for _, target := range targets {
		words, reached, done := target.found(r)
		if !done {
			continue
		}
		mark := "missed"
		if reached {
			mark = "reached"
		}
		t.rows = append(t.rows, []string{target.what, target.reach, words, mark})
	}
	if len(t.rows) == 0 {
		return nil
	}
	return []table{t}
}
