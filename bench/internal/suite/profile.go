package suite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/inelpandzic/imdgo/bench/internal/node"
	"github.com/inelpandzic/imdgo/bench/internal/process"
)

// profile begins or ends the profiles of all nodes, where they are asked for.
// The names say which node had the callers, or
// leads where there are none.
func (r *Run) profile(ctx context.Context, c *cluster, name string, at int, begin bool) error {
	o := r.options
	if !o.CPUProfile && !o.MemProfile {
		return nil
	}
	if err := os.MkdirAll(o.Profiles, 0o755); err != nil {
		return err
	}
	for i, p := range c.processes {
		who := fmt.Sprintf("node%d", i)
		if i == at%len(c.processes) {
			who = "callers"
		}
		path := filepath.Join(o.Profiles, fmt.Sprintf("%s-%s-%s", c.system.Name, strings.ReplaceAll(name, "/", "-"), who))
		var args node.ProfileArgs
		if begin && o.CPUProfile {
			args.Begin = path + ".cpu.pprof"
		}
		if !begin && o.MemProfile {
			args.Heap = path + ".mem.pprof"
		}
		if _, err := process.Ask[process.None](ctx, p, node.OpProfile, args); err != nil {
			return err
		}
	}
	return nil
}
