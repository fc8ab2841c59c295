package imdgo_test

import (
	"errors"
	"log/slog"
	"math"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/inelpandzic/imdgo"
)

// How a budget is shared out. What is for entries and for the log is all of it,
// what is decoded comes on top.
func TestABudgetIsSharedOut(t *testing.T) {
	const mib = 1 << 20
	tests := []struct {
		name         string
		total        int64
		logLimit     int64
		decoded      int64
		durable      bool
		log          int64 // all else is for entries
		limit, onTop int64
		refused      bool
	}{
		{name: "the least there may be", total: mib, decoded: -1, log: mib / 2, limit: mib / 6, onTop: mib / 4},
		{name: "little: at least 2 MiB for the log", total: 5 * mib, decoded: -1, log: 2 * mib, limit: 2 * mib / 3, onTop: 5 * mib / 4},
		{name: "an eighth for the log", total: 16 * mib, decoded: -1, log: 2 * mib, limit: 2 * mib / 3, onTop: 4 * mib},
		{name: "much", total: 1 << 30, decoded: -1, log: 128 * mib, limit: 128 * mib / 3, onTop: 256 * mib},
		{name: "very much: the log need not grow with it", total: 64 << 30, decoded: -1, log: 8 << 30, limit: imdgo.DefaultLogLimit, onTop: 16 << 30},
		{name: "a log limit of one's own", total: 64 * mib, logLimit: 10 * mib, decoded: -1, log: 30 * mib, limit: 10 * mib, onTop: 16 * mib},
		{name: "one that is just half", total: 60 * mib, logLimit: 10 * mib, decoded: -1, log: 30 * mib, limit: 10 * mib, onTop: 15 * mib},
		{name: "one that is more", total: 60*mib - 2, logLimit: 10 * mib, decoded: -1, refused: true},
		{name: "a log on disk", total: 64 * mib, decoded: -1, durable: true, log: 8 * mib, limit: imdgo.DefaultLogLimit, onTop: 16 * mib},
		{name: "a large log on disk", total: 64 * mib, logLimit: 1 << 30, decoded: -1, durable: true, log: 8 * mib, limit: 1 << 30, onTop: 16 * mib},
		{name: "nothing is kept decoded", total: 64 * mib, decoded: 0, log: 8 * mib, limit: 8 * mib / 3, onTop: 0},
		{name: "more is decoded than encoded", total: 64 * mib, decoded: 100 * mib, log: 8 * mib, limit: 8 * mib / 3, onTop: 100 * mib},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := imdgo.SharesOf(test.total, test.logLimit, test.decoded, test.durable)
			if test.refused {
				if !errors.Is(err, imdgo.ErrInvalid) || !strings.Contains(err.Error(), "10485760") {
					t.Errorf("shared out as %+v, %v", got, err)
				}
				return
			}
			want := imdgo.Shares{Entries: test.total - test.log, Log: test.log, LogLimit: test.limit, Decoded: test.onTop}
			if err != nil || got != want {
				t.Errorf("shared out as %+v, %v, want %+v", got, err, want)
			}
		})
	}
}

// New warns when the budget cannot hold with the collector as it is set, and only then.
func TestNewWarnsOfABudgetThatCannotHold(t *testing.T) {
	const gib = 1 << 30
	tests := []struct {
		name     string
		opts     []imdgo.Option
		memLimit int64
		percent  int // GOGC; -1: off
		says     string
	}{
		{"by default", nil, math.MaxInt64, 100, ""},
		{"a third, and what is decoded", []imdgo.Option{imdgo.WithMemoryPercent(33)}, math.MaxInt64, 100, ""},
		{"most of the machine", []imdgo.Option{imdgo.WithMemoryPercent(70)}, math.MaxInt64, 100, "set GOMEMLIMIT"},
		{"more than there is, with what is decoded", []imdgo.Option{imdgo.WithMemoryPercent(95)}, math.MaxInt64, 100, "it needs"},
		{"half of GOMEMLIMIT", []imdgo.Option{imdgo.WithMemoryPercent(50)}, gib, 100, ""},
		{"most of GOMEMLIMIT", []imdgo.Option{imdgo.WithMemoryPercent(80)}, gib, 100, "it needs"},
		{"bytes that fit", []imdgo.Option{imdgo.WithMemoryLimit(600 << 20)}, gib, 100, ""},
		{"bytes that do not", []imdgo.Option{imdgo.WithMemoryLimit(800 << 20)}, gib, 100, "GOMEMLIMIT"},
		{"but for what is decoded", []imdgo.Option{imdgo.WithMemoryLimit(800 << 20), imdgo.WithDecodedLimit(0)}, gib, 100, ""},
		{"nothing is ever collected", nil, math.MaxInt64, -1, "GOGC is off"},
	}
	limit, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
	t.Cleanup(func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			debug.SetMemoryLimit(test.memLimit)
			debug.SetGCPercent(test.percent)
			var said lockedBuffer
			startWith(t, append(test.opts, imdgo.WithLogger(slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))))...)
			const what = "the memory budget may not hold"
			if got := said.String(); test.says == "" && strings.Contains(got, what) ||
				test.says != "" && (!strings.Contains(got, what) || !strings.Contains(got, test.says)) {
				t.Errorf("it says %q, of the reason %q", got, test.says)
			}
		})
	}
}
