package report

import (
	"fmt"
	"slices"
	"strings"
)

// table is one table: systems across, cases down, or the other way round.
type table struct {
	title string
	told  string
	head  []string
	rows  [][]string
}

// loadTables say which metrics of the loads have a table, and how.
var loadTables = []struct {
	op, title, told string
}{
	{"set", "Writes", "One entry a call, no TTL."},
	{"set-ttl", "Writes with a TTL", "As above, each with a TTL of its own."},
	{"set-100", "Writes, a hundred at a time", "imdgo: SetMany, one log entry, all or none. Redis: a pipeline. NATS: asynchronous publishing. etcd: a transaction. Entries per second; times are of a hundred."},
	{"get", "Local reads", "The cheapest read on the node that is asked, which may be of an older state; 100 bytes, copied."},
	{"read", "Linearizable reads", ""},
	{"mixed", "Nine local reads to a write", "Times are of both together: p50 is a read's, p99 a write's."},
}

// tables are all that there are figures for.
func (r *Report) tables() (all []table) {
	for _, l := range loadTables {
		all = append(all, r.loadTable(l.op, l.title, l.told))
	}
	all = append(all, r.localTable(), r.heapTable(), r.clusterTable(), r.largeTable())
	return slices.DeleteFunc(all, func(t table) bool { return len(t.rows) == 0 })
}

// loadTable has a row for each case and system: the rate with its spread, and
// what it cost.
func (r *Report) loadTable(op, title, told string) table {
	t := table{title: title, told: told, head: []string{"on the", "callers", "", "per second", "(least – most)", "p50", "p99", "max", "CPU an op"}}
	for _, name := range r.cases(op + "/") {
		parts := strings.Split(name, "/")
		for _, system := range r.systems(name) {
			rate := r.find(name, system, PerSecond)
			if rate == nil {
				continue
			}
			row := []string{parts[1], parts[2], system, Count(rate.Median), fmt.Sprintf("(%s – %s)", Count(rate.Least), Count(rate.Most))}
			for _, m := range []Metric{P50, P99, Max, CPUPerOp} {
				row = append(row, r.words(name, system, m))
			}
			t.rows = append(t.rows, row)
		}
	}
	return t
}

// cases are those whose names begin so, in the order in which they came.
func (r *Report) cases(prefix string) (names []string) {
	for _, f := range r.Figures {
		if strings.HasPrefix(f.Case, prefix) && !slices.Contains(names, f.Case) {
			names = append(names, f.Case)
		}
	}
	return names
}

// systems are those with figures of a case, imdgo first and then by name.
func (r *Report) systems(name string) (names []string) {
	for _, f := range r.Figures {
		if f.Case == name && !slices.Contains(names, f.System) {
			names = append(names, f.System)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(order(a), order(b)) })
	return names
}

func order(system string) string {
	if system == ours {
		return ""
	}
	return system
}

// ours is imdgo's name among the systems.
const ours = "imdgo"

// words is a median as people read it, "" if it was not measured.
func (r *Report) words(name, system string, m Metric) string {
	v, ok := r.Of(name, system, m)
	if !ok {
		return ""
	}
	return m.Words(v)
}

// spread is a median with the least and the most.
func (r *Report) spread(name, system string, m Metric) string {
	f := r.find(name, system, m)
	switch {
	case f == nil:
		return ""
	case len(f.Values) == 1:
		return m.Words(f.Median)
	}
	return fmt.Sprintf("%s (%s – %s)", m.Words(f.Median), m.Words(f.Least), m.Words(f.Most))
}

func (r *Report) localTable() table {
	t := table{title: "Reads in one process", told: "512 hot entries with a TTL where the cache has one, decoded structs; time that passed to a read of all goroutines.",
		head: []string{"", "1 processor", "2 processors", "allocations"}}
	for _, cache := range r.systems("local/1") {
		t.rows = append(t.rows, []string{cache, r.spread("local/1", cache, Took), r.spread("local/2", cache, Took), r.words("local/1", cache, Allocs)})
	}
	return t
}

func (r *Report) heapTable() table {
	t := table{title: "Memory of an entry in one process", told: "16 + 100 bytes; keys and values (168 bytes as Go holds them) included. imdgo's includes Raft's log, whose size is bounded and not by the entries.",
		head: []string{"", "heap", "of it log", "resident"}}
	for _, cache := range r.systems("heap") {
		t.rows = append(t.rows, []string{cache, r.words("heap", cache, HeapBytes), r.words("heap", cache, LogBytes), r.words("heap", cache, RSSBytes)})
	}
	return t
}

func (r *Report) clusterTable() table {
	t := table{title: "A cluster of three", told: "Lag: from a write's return on an idle leader until a follower shows it. Idle: all three nodes together. " +
		"Fail-over: from kill -9 of the leader to the end of the longest pause between acknowledged writes. Memory: an entry of 16 + 100 bytes with a TTL, on each node.",
		head: []string{"", "lag p50", "lag max", "idle, of a core", "fail-over", "heap", "resident"}}
	for _, system := range []string{ours, "nats", "etcd", "redis"} {
		row := []string{system, r.words("lag", system, P50), r.words("lag", system, Max), r.spread("idle", system, OfACore), r.spread("failover", system, Took),
			r.words("memory", system, HeapBytes), r.words("memory", system, RSSBytes)}
		if strings.Join(row[1:], "") != "" {
			t.rows = append(t.rows, row)
		}
	}
	return t
}

func (r *Report) largeTable() table {
	t := table{title: "Writes with a large map", told: "512 callers on the leader, keys drawn from all entries.", head: []string{"", "entries", "per second", "max"}}
	for _, name := range r.cases("large/") {
		for _, system := range r.systems(name) {
			t.rows = append(t.rows, []string{system, strings.TrimPrefix(name, "large/"), r.spread(name, system, PerSecond), r.words(name, system, Max)})
		}
	}
	return t
}
