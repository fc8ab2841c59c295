package report

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Text writes the report for a terminal.
func Text(w io.Writer, r *Report) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "\n%s\n%s\n%s\n", r.Command, r.Machine.Words(), r.versionWords())
	for _, line := range r.Setup {
		fmt.Fprintf(out, "  %s\n", line)
	}
	for _, t := range append(r.tables(), r.targetTable()...) {
		fmt.Fprintf(out, "\n%s\n", t.title)
		if t.told != "" {
			fmt.Fprintf(out, "  %s\n", t.told)
		}
		widths := t.widths()
		for _, row := range append([][]string{t.head}, t.rows...) {
			fmt.Fprintf(out, "  %s\n", aligned(row, widths))
		}
	}
	if len(r.Notes) > 0 {
		fmt.Fprint(out, "\nLeft out, or gone wrong\n")
	}
	for _, note := range r.Notes {
		fmt.Fprintf(out, "  %s\n", strings.ReplaceAll(note, "\n", "\n  "))
	}
	return out.Flush()
}

// widths are how many characters each column needs.
func (t table) widths() []int {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, text := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	return widths
}

// aligned has figures at the right of their columns, and words at the left.
func aligned(row []string, widths []int) string {
	var b strings.Builder
	for i, text := range row {
		padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
		if isFigure(text) {
			b.WriteString(padding + text)
		} else {
			b.WriteString(text + padding)
		}
		b.WriteString("  ")
	}
	return strings.TrimRight(b.String(), " ")
}

func isFigure(text string) bool {
	return text != "" && strings.ContainsRune("0123456789(", rune(text[0]))
}

func (r *Report) versionWords() string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		words = append(words, name+" "+r.Versions[name])
	}
	return strings.Join(words, ", ")
}

// Markdown writes the report's tables for a README.
func Markdown(w io.Writer, r *Report) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "From one run of `%s` on %s, %s (it took %s).\n", r.Command, r.Begun.Format("2 January 2006"), r.Machine.Words(), Duration(float64(r.Took)))
	fmt.Fprintf(out, "Versions: %s.\n\n", r.versionWords())
	for _, line := range r.Setup {
		fmt.Fprintf(out, "- %s\n", line)
	}
	for _, t := range append(r.targetTable(), r.tables()...) {
		fmt.Fprintf(out, "\n### %s\n\n", t.title)
		if t.told != "" {
			fmt.Fprintf(out, "%s\n\n", t.told)
		}
		fmt.Fprintf(out, "| %s |\n|%s\n", strings.Join(t.head, " | "), strings.Repeat("---|", len(t.head)))
		for _, row := range t.rows {
			fmt.Fprintf(out, "| %s |\n", strings.Join(bold(row), " | "))
		}
	}
	if len(r.Notes) > 0 {
		fmt.Fprint(out, "\n### Left out, or gone wrong\n\n")
	}
	for _, note := range r.Notes {
		first, _, _ := strings.Cut(note, "\n") // what a process said goes into the JSON
		fmt.Fprintf(out, "- %s\n", first)
	}
	return out.Flush()
}

// bold makes imdgo's rows stand out.
func bold(row []string) []string {
	if !slices.Contains(row, ours) {
		return row
	}
	row = slices.Clone(row)
	for i, text := range row {
		if text != "" {
			row[i] = "**" + text + "**"
		}
	}
	return row
}
