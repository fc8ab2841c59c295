package imdgotest

import (
	"regexp"
	"strconv"
	"time"
)

var (
	nodeName  = regexp.MustCompile(`^(leader|follower|n[1-9][0-9]{0,2}|@[a-z]+)$`)
	givenName = regexp.MustCompile(`^@[a-z]+$`)
)

func (p *parser) node() (string, error) {
	t, err := p.single("a node")
	if err == nil && (t.quoted || !nodeName.MatchString(t.text)) {
		err = t.fail("not a node: n1, n2, …, leader, follower, @name")
	}
	return t.text, err
}

func takeNode(p *parser, s *statement) error {
	name, err := p.node()
	s.nodes = append(s.nodes, name)
	return err
}

func takeName(p *parser, s *statement) error {
	t, err := p.single("a name")
	if err == nil && (t.quoted || !givenName.MatchString(t.text)) {
		err = t.fail("not a name such as @old")
	}
	s.word = t.text
	return err
}

func takeGroups(p *parser, s *statement) error {
	for {
		var group []string
		for first := true; first || len(p.tokens) > 0 && !p.tokens[0].is("|"); first = false {
			name, err := p.node()
			if err != nil {
				return err
			}
			group = append(group, name)
		}
		s.groups = append(s.groups, group)
		if !p.skip("|") {
			return nil
		}
	}
}

func takeKey(p *parser, s *statement) error {
	t, err := p.single("a key")
	s.keys = append(s.keys, t.text)
	return err
}

func takeKeys(p *parser, s *statement) error {
	for {
		if err := takeKey(p, s); err != nil || len(p.tokens) == 0 {
			return err
		}
	}
}

func takePair(p *parser, s *statement) error {
	t, err := p.next("key=value")
	if err != nil {
		return err
	}
	if !t.pair {
		return t.fail("not key=value")
	}
	value, err := aValue(t)
	s.pairs = append(s.pairs, pair{t.name, value})
	return err
}

func takePairs(p *parser, s *statement) error {
	for {
		if err := takePair(p, s); err != nil || len(p.tokens) == 0 {
			return err
		}
	}
}

// needWas demands an option: a swap is no swap without it.
func needWas(p *parser, s *statement) error {
	if _, ok := s.options["was"]; !ok {
		return &scriptError{line: p.line, problem: "was=value is missing"}
	}
	return nil
}

func takeSpan(p *parser, s *statement) error  { return p.duration(aTime, s) }
func takeShift(p *parser, s *statement) error { return p.duration(aShift, s) }

func (p *parser) duration(parse valueParser, s *statement) error {
	t, err := p.single("a duration")
	if err != nil {
		return err
	}
	d, err := parse(t)
	if err == nil {
		s.duration = d.(time.Duration)
	}
	return err
}

func takeRate(p *parser, s *statement) error {
	t, err := p.single("a rate")
	if err != nil {
		return err
	}
	s.rate, err = strconv.ParseFloat(t.text, 64)
	if err != nil || t.quoted || !(s.rate >= 0 && s.rate <= 1000) {
		return t.fail("not a rate such as 1.01")
	}
	return nil
}

func takeCount(p *parser, s *statement) error {
	t, err := p.single("a count")
	if err != nil {
		return err
	}
	n, err := aCount(t)
	if err == nil {
		s.count = n.(int)
	}
	return err
}

func takeWord(words ...string) argument {
	among := oneOf(words...)
	return func(p *parser, s *statement) error {
		t, err := p.single("one word")
		if err == nil {
			_, err = among(t)
		}
		s.word = t.text
		return err
	}
}
