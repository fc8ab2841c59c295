package imdgo

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// overSlog makes a logger for raft, which wants hclog's, out of a slog.Logger.
func overSlog(l *slog.Logger) hclog.Logger {
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "imdgo", Output: io.Discard, Level: hclog.Off})
	logger.RegisterSink(slogSink{l})
	return logger
}

// slogSink hands on what hclog is given; the handler behind it decides what to
// keep.
type slogSink struct{ to *slog.Logger }

// Accept implements hclog.SinkAdapter.
func (s slogSink) Accept(name string, level hclog.Level, msg string, args ...any) {
	ctx, at := context.Background(), slogLevel(level)
	if !s.to.Enabled(ctx, at) {
		return
	}
	for i, arg := range args {
		if f, ok := arg.(hclog.Format); ok && len(f) > 0 {
			if layout, ok := f[0].(string); ok {
				args[i] = fmt.Sprintf(layout, f[1:]...)
			}
		}
	}
	s.to.Log(ctx, at, msg, append([]any{"logger", name}, args...)...)
}

func slogLevel(level hclog.Level) slog.Level {
	switch level {
	case hclog.Trace, hclog.Debug:
		return slog.LevelDebug
	case hclog.Warn:
		return slog.LevelWarn
	case hclog.Error:
		return slog.LevelError
	}
	return slog.LevelInfo
}
