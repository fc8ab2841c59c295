package imdgotest

import (
	"slices"
	"strings"
)

// parseScript reads a scenario. Its error is a *scriptError for the first thing that is wrong.
func parseScript(text string) (*script, error) {
	s := &script{}
	for i, line := range strings.Split(text, "\n") {
		tokens, err := splitLine(i+1, line)
		if err != nil {
			return nil, err
		}
		for len(tokens) > 0 {
			st, rest, err := parseStatement(tokens)
			if err != nil {
				return nil, err
			}
			s.statements, tokens = append(s.statements, st), rest
		}
	}
	return s, nil
}

// parseStatement parses the tokens up to the next "/" and returns those behind it.
func parseStatement(tokens []token) (statement, []token, error) {
	end := slices.IndexFunc(tokens, func(t token) bool { return t.is("/") })
	var rest []token
	if end < 0 {
		end = len(tokens)
	} else if rest = tokens[end+1:]; end == 0 || len(rest) == 0 {
		return statement{}, nil, tokens[end].fail("no statement on one side")
	}
	p := &parser{line: tokens[0].line, tokens: tokens[:end]}
	st, err := p.statement()
	return st, rest, err
}

// parser holds the tokens of one statement.
type parser struct {
	line   int
	tokens []token
	spec   verb
}

func (p *parser) statement() (statement, error) {
	s := statement{line: p.line, text: join(p.tokens)}
	if err := p.head(&s); err != nil {
		return s, err
	}
	if err := p.cutOptions(&s); err != nil {
		return s, err
	}
	if err := p.cutWant(&s); err != nil {
		return s, err
	}
	for _, argument := range p.spec.arguments {
		if err := argument(p, &s); err != nil {
			return s, err
		}
	}
	if len(p.tokens) > 0 {
		return s, p.tokens[0].fail("one argument too many")
	}
	return s, nil
}

func join(tokens []token) string {
	words := make([]string, len(tokens))
	for i, t := range tokens {
		words[i] = t.raw
	}
	return strings.Join(words, " ")
}

// head takes the verb and what may stand before it.
func (p *parser) head(s *statement) error {
	s.eventually = p.skip("eventually")
	t, err := p.next("a verb")
	if err != nil {
		return err
	}
	spec, ok := verbs[t.text]
	if !ok || !t.is(t.text) {
		return t.fail("no such verb")
	}
	if s.eventually && !spec.repeats {
		return t.fail("eventually has no meaning here")
	}
	s.verb, p.spec = t.text, spec
	return nil
}

// cutOptions takes the options, which may stand anywhere. What else is name=value is left as an argument.
func (p *parser) cutOptions(s *statement) error {
	var others []token
	for _, t := range p.tokens {
		parse, ok := p.spec.options[t.name]
		if !ok || !t.pair || t.nameQuoted {
			others = append(others, t)
			continue
		}
		if _, twice := s.options[t.name]; twice {
			return t.fail("given twice")
		}
		value, err := parse(t.value())
		if err != nil {
			return err
		}
		if s.options == nil {
			s.options = map[string]any{}
		}
		s.options[t.name] = value
	}
	p.tokens = others
	return nil
}

// cutWant takes the arrow and what follows it.
func (p *parser) cutWant(s *statement) error {
	at := slices.IndexFunc(p.tokens, func(t token) bool { return t.is("->") })
	if at < 0 {
		if s.eventually && p.spec.want != nil {
			return &scriptError{line: p.line, problem: "what to wait for (-> …) is missing"}
		}
		return nil
	}
	arrow := p.tokens[at]
	behind := &parser{line: p.line, tokens: p.tokens[at+1:], spec: p.spec}
	p.tokens = p.tokens[:at]
	if p.spec.want == nil && !p.spec.errors {
		return arrow.fail("nothing to expect of " + s.verb)
	}
	want, err := behind.expectation()
	if err == nil && len(behind.tokens) > 0 {
		err = behind.tokens[0].fail("one word too many in the expectation")
	}
	s.want = want
	return err
}

func (p *parser) expectation() (*expectation, error) {
	t, err := p.next("an expectation")
	if err != nil {
		return nil, err
	}
	switch {
	case p.spec.errors && t.is("error"):
		return p.failure()
	case t.pair:
		return nil, t.fail("not an expectation")
	case p.spec.want == nil:
		return nil, t.fail("only an error can be expected here")
	}
	value, err := p.spec.want(t)
	return &expectation{value: value}, err
}

// failure takes the name of the error, if there is one.
func (p *parser) failure() (*expectation, error) {
	want := &expectation{fails: true}
	if len(p.tokens) == 0 {
		return want, nil
	}
	t, _ := p.next("an error")
	if !slices.Contains(sentinels, t.text) || !t.is(t.text) {
		return nil, t.fail("no such error")
	}
	want.sentinel = t.text
	return want, nil
}

func (p *parser) next(what string) (token, error) {
	if len(p.tokens) == 0 {
		return token{}, &scriptError{line: p.line, problem: what + " is missing"}
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t, nil
}

// single is next for a token that is not name=value.
func (p *parser) single(what string) (token, error) {
	t, err := p.next(what)
	if err == nil && t.pair {
		err = t.fail("not " + what)
	}
	return t, err
}

func (p *parser) skip(word string) bool {
	if len(p.tokens) == 0 || !p.tokens[0].is(word) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}
