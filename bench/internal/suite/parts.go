package suite

import (
	"context"

	"github.com/inelpandzic/imdgo/bench/internal/system"
)

// The cases that are no loads.
const (
	CaseLag      = "lag"
	CaseFailover = "failover"
	CaseIdle     = "idle"
	CaseMemory   = "memory"
	CaseLarge    = "large"
)

// parts is what there is to do, in order.
func (r *Run) parts() []part {
	parts := append(r.localParts(), r.loads()...)
	add := func(name, title string, most int, can func(system.System) bool, do func(context.Context, *cluster, int) error) {
		if r.wanted(name) {
			parts = append(parts, part{name, title, most, r.eachSystem(name, can, do)})
		}
	}
	all := func(system.System) bool { return true }
	oncePerServer := func(s system.System) bool { return s.Name != "redis-wait" }
	add(CaseLag, "from a write's return on the idle leader until a follower shows it", r.options.Rounds, oncePerServer, r.lag)
	add(CaseIdle, "processor time of three idle nodes", 3, oncePerServer, r.idle)
	add(CaseMemory, "memory of an entry of 16 + 100 bytes with a TTL, on each of three nodes", 1, oncePerServer, r.memory)
	if r.options.Large > 0 {
		large := func(s system.System) bool { return s.Name == "imdgo" || s.Name == "redis" }
		add(CaseLarge, "writes with few and with many entries resident, 512 callers on the leader", 3, large, r.large)
	}
	if r.wanted(CaseFailover) && r.options.OneProcess {
		r.note("%s: left out, there is no leader to be killed alone in one process", CaseFailover)
	} else {
		add(CaseFailover, "from kill -9 of the leader to the next acknowledged write", r.options.Rounds, all, r.failover)
	}
	return parts
}
