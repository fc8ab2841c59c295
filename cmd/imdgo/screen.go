package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// The least that pictures need of a terminal.
const (
	leastWidth  = 78
	leastHeight = 20
)

// style is a colour or a weight, as a terminal is told.
type style string

// The styles, where the output has any.
const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "1;31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
	strong style = "1;36"
)

// screen is what the demo writes to: lines that stay and, on a terminal, a
// picture below them that is drawn again and again. It is for one goroutine.
type screen struct {
	out    io.Writer
	moves  bool // there is a picture
	colour bool
	drawn  int // lines of the picture that stand on the terminal
}

// newScreen finds out what out can do. NO_COLOR is as https://no-color.org has it.
func newScreen(out io.Writer) *screen {
	s := &screen{out: out}
	f, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return s
	}
	width, height, ok := terminalSize(f)
	s.colour = ok && os.Getenv("NO_COLOR") == ""
	s.moves = ok && width >= leastWidth && height >= leastHeight
	return s
}

// paint gives text a style.
func (s *screen) paint(st style, text string) string {
	if !s.colour || st == plain || text == "" {
		return text
	}
	return "\x1b[" + string(st) + "m" + text + "\x1b[0m"
}

// say writes a line that stays. The picture, if there is one, goes.
func (s *screen) say(text string) {
	s.write(s.erase() + text + "\n")
}

// draw shows the picture, in the place of the one before. Without a terminal
// nothing is drawn.
func (s *screen) draw(lines ...string) {
	if !s.moves {
		return
	}
	s.write("\x1b[?25l" + s.erase() + strings.Join(lines, "\n") + "\n")
	s.drawn = len(lines)
}

// leave writes lines that stay, in the place of the picture.
func (s *screen) leave(lines ...string) { s.say(strings.Join(lines, "\n")) }

// end takes the picture away and shows the cursor again.
func (s *screen) end() {
	if s.moves {
		s.write(s.erase() + "\x1b[?25h")
	}
}

// erase is what takes the picture away.
func (s *screen) erase() string {
	n := s.drawn
	s.drawn = 0
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r\x1b[J", n)
}

// write ignores errors: if nobody listens any more, the exit code still tells.
func (s *screen) write(text string) { _, _ = io.WriteString(s.out, text) }
