package node

import (
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
)

type logger = hclog.Logger

// mutableLog is raft's logger for one life.
//
// It takes raft's warnings and errors for information: they are about what raft
// tries again, come with every node that joins, and every second while one is
// away. What concerns a user is said by this package. And it can be silenced, because when a life ends, its
// connections are closed under raft's hands, which raft would report as errors,
// one for each, every time that somebody calls Close.
type mutableLog struct {
	hclog.Logger
	muted atomic.Bool
}

func (m *mutableLog) mute() { m.muted.Store(true) }

// Log implements hclog.Logger.
func (m *mutableLog) Log(level hclog.Level, msg string, args ...any) {
	if m.muted.Load() {
		return
	}
	if (level == hclog.Warn || level == hclog.Error) && !isAboutStoring(msg) {
		level = hclog.Info
	}
	m.Logger.Log(level, msg, args...)
}

// isAboutStoring tells raft's complaints about a disk, which nothing mends but
// the user.
func isAboutStoring(msg string) bool {
	switch msg {
	case "failed to commit logs", "failed to append to logs", "failed to clear log suffix", "failed to compact logs",
		"failed to persist vote", "failed to take snapshot":
		return true
	}
	return false
}

// Trace implements hclog.Logger.
func (m *mutableLog) Trace(msg string, args ...any) { m.Log(hclog.Trace, msg, args...) }

// Debug implements hclog.Logger.
func (m *mutableLog) Debug(msg string, args ...any) { m.Log(hclog.Debug, msg, args...) }

// Info implements hclog.Logger.
func (m *mutableLog) Info(msg string, args ...any) { m.Log(hclog.Info, msg, args...) }

// Warn implements hclog.Logger.
func (m *mutableLog) Warn(msg string, args ...any) { m.Log(hclog.Warn, msg, args...) }

// Error implements hclog.Logger.
func (m *mutableLog) Error(msg string, args ...any) { m.Log(hclog.Error, msg, args...) }
