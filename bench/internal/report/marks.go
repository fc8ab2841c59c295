package report

import "strings"

// The marks between which a document has the results of a run.
const (
	MarkBegin = "<!-- results: written by go run . -markdown -->"
	MarkEnd   = "<!-- end of results -->"
)

// Between puts text between the marks of a document, or in its place if it has
// none.
func Between(document, text string) string {
	before, rest, found := strings.Cut(document, MarkBegin)
	_, after, foundEnd := strings.Cut(rest, MarkEnd)
	if !found || !foundEnd {
		return text
	}
	return before + MarkBegin + "\n\n" + strings.TrimSpace(text) + "\n\n" + MarkEnd + after
}
