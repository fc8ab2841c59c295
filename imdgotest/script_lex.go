package imdgotest

import (
	"strconv"
	"strings"
	"unicode"
)

// token is a word of a script, or name=value as one.
type token struct {
	line   int
	raw    string // as written
	text   string // without quotes; of name=value, the value
	quoted bool   // so no word of the grammar

	pair       bool
	name       string // of name=value
	nameQuoted bool
}

// is tells whether the token is a word of the grammar.
func (t token) is(word string) bool { return !t.pair && !t.quoted && t.text == word }

// value is what stands behind the "=" as a token of its own, which is blamed as the whole.
func (t token) value() token {
	t.pair = false
	return t
}

func (t token) fail(problem string) error {
	return &scriptError{line: t.line, token: t.raw, problem: problem}
}

// splitLine cuts a line into tokens, without its comment.
func splitLine(line int, text string) ([]token, error) {
	var tokens []token
	for {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
		if text == "" || text[0] == '#' {
			return tokens, nil
		}
		t, rest, err := cutToken(line, text)
		if err != nil {
			return nil, err
		}
		tokens, text = append(tokens, t), rest
	}
}

// cutToken takes the token that a text begins with.
func cutToken(line int, text string) (t token, rest string, err error) {
	t.line = line
	t.text, t.quoted, rest, err = cutWord(line, text, "=")
	if err == nil && strings.HasPrefix(rest, "=") {
		t.pair, t.name, t.nameQuoted = true, t.text, t.quoted
		t.text, t.quoted, rest, err = cutWord(line, rest[1:], "")
	}
	t.raw = text[:len(text)-len(rest)]
	switch {
	case err != nil:
		return t, "", err
	case rest != "" && !unicode.IsSpace([]rune(rest)[0]):
		return t, "", t.fail("white space must follow")
	case t.pair && (t.text == "" && !t.quoted || t.name == "" && !t.nameQuoted):
		return t, "", t.fail(`nothing beside the "="; an empty string is written ""`)
	}
	return t, rest, nil
}

// cutWord takes a quoted string, or what comes before white space, a quote or one of stops.
func cutWord(line int, text, stops string) (word string, quoted bool, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexFunc(text, func(r rune) bool {
			return unicode.IsSpace(r) || r == '"' || strings.ContainsRune(stops, r)
		})
		if end < 0 {
			end = len(text)
		}
		return text[:end], false, text[end:], nil
	}
	prefix, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", true, "", &scriptError{line: line, token: text, problem: "quote without an end"}
	}
	word, err = strconv.Unquote(prefix)
	return word, true, text[len(prefix):], err
}
