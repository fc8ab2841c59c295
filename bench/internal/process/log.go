package process

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// log is a child's standard error: the end of it, and an echo line by line.
type log struct {
	name string
	echo io.Writer // may be nil

	mu   sync.Mutex // guards all below
	text []byte
	line []byte
}

// Write implements io.Writer.
func (l *log) Write(b []byte) (int, error) {
	const most = 4 << 10
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, b...)
	if over := len(l.text) - most; over > 0 {
		l.text = append([]byte(nil), l.text[over:]...)
	}
	if l.echo == nil {
		return len(b), nil
	}
	l.line = append(l.line, b...)
	for {
		i := bytes.IndexByte(l.line, '\n')
		if i < 0 {
			return len(b), nil
		}
		fmt.Fprintf(l.echo, "%s: %s\n", l.name, l.line[:i])
		l.line = l.line[i+1:]
	}
}

// tail is what it said last, to stand behind an error.
func (l *log) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.TrimSpace(string(l.text))
	if text == "" {
		return ""
	}
	return "\n  it said: " + strings.ReplaceAll(text, "\n", "\n  ")
}
