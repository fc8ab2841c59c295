package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/inelpandzic/imdgo"
)

const (
	loadPause   = 2 * time.Millisecond
	beforeKill  = time.Second
	afterChange = 900 * time.Millisecond
	// reportLate is how far what nodes report may be behind.
	reportLate = partEvery + 20*time.Millisecond
	// chartLead is how much of the time before the kill is drawn.
	chartLead = int64(800 * time.Millisecond)
)

// traffic is what the writers report, and the moments that
// matter.
type traffic struct {
	mu     sync.Mutex // guards all below
	calls  [size][]span
	done   [size]loaded
	prefix [size]string // of the keys of those that are done
	kill   int64        // when the signal was sent; 0 before
	ended  int64        // when the process was no more
}

func (t *traffic) add(i int, part []span) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls[i] = append(t.calls[i], part...)
}

// resumed reports whether every one of the nodes has had a write acknowledged
// that it began when the old leader was no more.
func (t *traffic) resumed(nodes []int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, i := range nodes {
		calls := t.calls[i]
		if len(calls) == 0 || t.ended == 0 || calls[len(calls)-1].Start < t.ended {
			return false
		}
	}
	return true
}

// failOver kills the leader while the others are being written to.
func (d *demo) failOver(ctx context.Context) error {
	victim := d.leader
	survivors := d.followers()
	d.title("The leader is killed under load",
		fmt.Sprintf("first the state grows; then %s and %s are being written to, and\nincrement one counter together by CompareAndSwap, when %s, the leader,\ngets a SIGKILL",
			d.nodes[survivors[0]].name, d.nodes[survivors[1]].name, d.nodes[victim].name))
	if err := d.fill(ctx); err != nil {
		return err
	}
	var t traffic
	versions, err := d.countWrites(ctx, "fail-over", func() error { return d.killing(ctx, &t, victim, survivors) })
	if err != nil {
		return err
	}
	if err := d.findLeader(ctx); err != nil {
		return err
	}
	d.scr.leave(d.trafficLines(&t, survivors, t.last(survivors))...)
	d.judgeGap(&t, survivors)
	return d.judgeWrites(ctx, &t, survivors, versions)
}

// killing has the survivors write while the leader is killed.
func (d *demo) killing(ctx context.Context, t *traffic, victim int, survivors []int) error {
	work := []func(context.Context) error{func(ctx context.Context) error { return d.killer(ctx, t, victim, survivors) }}
	for _, i := range survivors {
		work = append(work, func(ctx context.Context) error { return t.write(ctx, i, d.nodes[i], "") })
	}
	return d.while(ctx, func() { d.drawTraffic(t, survivors) }, work...)
}

// countWrites returns how many writes the state machine has counted while f ran.
func (d *demo) countWrites(ctx context.Context, what string, f func() error) (int, error) {
	node := d.nodes[d.followers()[0]]
	before, err := ask[imdgo.Version](ctx, node, opMark, markArgs{what + " begins"})
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := ask[imdgo.Version](ctx, node, opMark, markArgs{what + " ends"})
	return int(after-before) - 1, err
}

// write has a node write until it is halted. Its keys begin with its name and
// what distinguishes them from those of another act.
func (t *traffic) write(ctx context.Context, i int, p *process, act string) error {
	args := loadArgs{Prefix: p.name + act, Pause: loadPause}
	done, err := follow[[]span, loaded](ctx, p, opLoad, args, func(part []span) { t.add(i, part) })
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done[i] = done
	t.prefix[i] = args.Prefix
	return err
}

func halt(ctx context.Context, p *process) error {
	_, err := ask[nothing](ctx, p, opHalt, nil)
	return err
}

// killer kills the leader, and ends the load when it has been writing again for
// a while.
func (d *demo) killer(ctx context.Context, t *traffic, victim int, survivors []int) error {
	if err := pause(ctx, beforeKill); err != nil {
		return err
	}
	t.mu.Lock()
	t.kill = time.Now().UnixNano()
	t.mu.Unlock()
	d.nodes[victim].kill()
	t.mu.Lock()
	d.dead[victim] = true
	t.ended = time.Now().UnixNano()
	t.mu.Unlock()
	for giveUp := time.Now().Add(bound); !t.resumed(survivors) && time.Now().Before(giveUp); {
		if err := pause(ctx, frame); err != nil {
			return err
		}
	}
	if err := pause(ctx, afterChange); err != nil {
		return err
	}
	for _, i := range survivors {
		if err := halt(ctx, d.nodes[i]); err != nil {
			return err
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

func (d *demo) drawTraffic(t *traffic, survivors []int) {
	now := time.Now().Add(-reportLate).UnixNano()
	state := "writing"
	if t.killed() {
		state = "leader killed, waiting for a new one"
		if t.resumed(survivors) {
			state = "writing again"
		}
	}
	d.scr.draw(append(d.trafficLines(t, survivors, now), "   "+d.scr.paint(dim, state))...)
}

func (t *traffic) killed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kill != 0
}

// trafficLines draw the writes of the survivors over time.
func (d *demo) trafficLines(t *traffic, survivors []int, now int64) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := t.first(survivors, now)
	var moments []moment
	if t.kill != 0 {
		first = max(first, t.kill-chartLead)
		moments = append(moments, moment{at: t.kill, label: "kill -9"})
		if gap, end := longestGap(t.all(survivors), t.kill); gap > 100*time.Millisecond && end > t.ended {
			moments = append(moments, moment{at: end, label: "writes again"})
		}
	}
	s := newStrip(first, now, 100*time.Millisecond)
	row := func(i int) string { return d.trafficOf(t, s, i, survivors) }
	return d.stripLines(t, s, survivors, now, moments, row)
}

// first is when the first call began. The caller holds mu.
func (t *traffic) first(nodes []int, now int64) int64 {
	for _, i := range nodes {
		if len(t.calls[i]) > 0 {
			now = min(now, t.calls[i][0].Start)
		}
	}
	return now
}

// stripLines draw a row for each node over time, and how long the writes of
// some took. The caller holds t.mu.
func (d *demo) stripLines(t *traffic, s strip, writers []int, now int64, moments []moment, row func(i int) string) []string {
	lines := []string{
		fmt.Sprintf("   writes acknowledged, %v a column; ★ is who leads", s.bin),
		"             " + d.scr.paint(yellow, s.pointer(moments...)),
	}
	for i := range d.nodes {
		lines = append(lines, "   "+fit(d.nodes[i].name+d.star(i), 9)+" "+row(i))
	}
	calls := append(t.all(writers), t.waiting(writers, now)...)
	return append(lines, "   "+fit("slowest", 9)+" "+d.scr.paint(yellow, wide.bars(s.longest(calls))),
		"             "+d.scr.paint(dim, wide.legend()))
}

func (d *demo) star(i int) string {
	if i == d.leader {
		return " ★"
	}
	return ""
}

// trafficOf draws the writes of one node, or for how long the victim lived. The
// caller holds t.mu.
func (d *demo) trafficOf(t *traffic, s strip, i int, survivors []int) string {
	if slices.Contains(survivors, i) {
		return d.gaps(countBars(s.ends(t.calls[i])))
	}
	if t.kill == 0 {
		return d.scr.paint(dim, strings.Repeat("━", s.bins))
	}
	return d.scr.paint(dim, strings.Repeat("━", max(s.index(t.kill), 0))) + d.scr.paint(red, "✝ killed")
}

// last is when the last call returned.
func (t *traffic) last(survivors []int) (at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.all(survivors) {
		at = max(at, c.End)
	}
	return at
}

// all are the calls of all survivors. The caller holds mu.
func (t *traffic) all(survivors []int) (calls []span) {
	for _, i := range survivors {
		calls = append(calls, t.calls[i]...)
	}
	return calls
}

// waiting are the calls that have not returned, as far as can be told: each
// writer begins one soon after the one before. The caller holds mu.
func (t *traffic) waiting(survivors []int, now int64) (calls []span) {
	for _, i := range survivors {
		n := len(t.calls[i])
		if n > 0 && now-t.calls[i][n-1].End > int64(reportLate) {
			calls = append(calls, span{t.calls[i][n-1].End, now})
		}
	}
	return calls
}

// gaps paints a strip, and where nothing happened in red.
func (d *demo) gaps(bars string) string {
	var b strings.Builder
	for bars != "" {
		quiet := strings.HasPrefix(bars, string(nothingHappened))
		n := strings.IndexFunc(bars, func(r rune) bool { return (r == nothingHappened) != quiet })
		if n < 0 {
			n = len(bars)
		}
		if quiet {
			b.WriteString(d.scr.paint(red, bars[:n]))
		} else {
			b.WriteString(d.scr.paint(green, bars[:n]))
		}
		bars = bars[n:]
	}
	return b.String()
}

// judgeGap claims that writes went on.
func (d *demo) judgeGap(t *traffic, survivors []int) {
	resumed := t.resumed(survivors)
	t.mu.Lock()
	defer t.mu.Unlock()
	gap, end := longestGap(t.all(survivors), t.kill)
	failOver := time.Duration(end - t.kill)
	d.claim(resumed && failOver < bound, "writes went on %s after the kill (a gap of %s), led by %s; bound %v",
		short(failOver), short(gap), d.nodes[d.leader].name, bound)
	d.figures.single("fail-over, kill -9 to the next write", short(failOver))
	done := tally(t.done[:])
	d.figures.single("writes acknowledged meanwhile", fmt.Sprint(done.sets+done.swaps))
}

// judgeWrites claims that every acknowledged write of this act and those before
// is there, on each of the nodes, and once. versions is how many writes the
// state machine has counted in this one.
func (d *demo) judgeWrites(ctx context.Context, t *traffic, nodes []int, versions int) error {
	now := tally(t.done[:])
	for _, i := range nodes {
		d.loads[t.prefix[i]] = t.done[i]
		for _, e := range t.done[i].Errors {
			d.scr.say("     " + d.scr.paint(dim, d.nodes[i].name+": "+e))
		}
	}
	all := tally(slices.Collect(maps.Values(d.loads)))
	for _, i := range nodes {
		v, err := ask[verified](ctx, d.nodes[i], opVerify, verifyArgs{d.loads})
		if err != nil {
			return err
		}
		d.claim(v.Present == all.sets && len(v.Missing) == 0, "%s has all %d acknowledged sets%s", d.nodes[i].name, all.sets,
			strings.Join(append([]string{""}, v.Missing...), "; not "))
		d.claim(within(v.Counter, all.swaps, all.unknown), "and its counter is %d, after %d acknowledged increments%s",
			v.Counter, all.swaps, orSo(all.unknown))
	}
	d.claim(within(versions, now.sets+now.swaps, now.unknown), "the cluster applied %d writes, %d were acknowledged%s: each one once",
		versions, now.sets+now.swaps, orSo(now.unknown))
	return nil
}

// sums are how many writes were acknowledged, and of how many nobody knows.
type sums struct{ sets, swaps, unknown int }

func tally(list []loaded) (s sums) {
	for _, l := range list {
		s.sets, s.swaps, s.unknown = s.sets+l.Sets-len(l.Except), s.swaps+l.Swaps, s.unknown+l.Unknown
	}
	return s
}

// within allows for writes whose outcome is unknown: each was applied once or never.
func within(found, acknowledged, unknown int) bool {
	return found >= acknowledged && found <= acknowledged+unknown
}

func orSo(unknown int) string {
	if unknown == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d of unknown outcome", unknown)
}
