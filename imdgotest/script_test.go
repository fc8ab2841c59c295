package imdgotest

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func yields(value any) *expectation       { return &expectation{value: value} }
func failsWith(name string) *expectation  { return &expectation{fails: true, sentinel: name} }
func options(o ...any) (m map[string]any) { return map[string]any{o[0].(string): o[1]} }

func TestParseStatement(t *testing.T) {
	n1, a := []string{"n1"}, []string{"a"}
	for text, want := range map[string]statement{
		"cluster 3":                    {verb: "cluster", count: 3},
		"cluster 3 disk=yes":           {verb: "cluster", count: 3, options: options("disk", true)},
		"set n1 a=1 ttl=5s":            {verb: "set", nodes: n1, pairs: []pair{{"a", int64(1)}}, options: options("ttl", 5*time.Second)},
		"set leader a=-7 b=x=y":        {verb: "set", nodes: []string{"leader"}, pairs: []pair{{"a", int64(-7)}, {"b", "x=y"}}},
		`set n1 "a b"="1" c=""`:        {verb: "set", nodes: n1, pairs: []pair{{"a b", "1"}, {"c", ""}}},
		`set n1 "ttl"=5s "/"="# \"\n"`: {verb: "set", nodes: n1, pairs: []pair{{"ttl", "5s"}, {"/", "# \"\n"}}},
		"set n1 a=1 -> error NoLeader": {verb: "set", nodes: n1, pairs: []pair{{"a", int64(1)}}, want: failsWith("NoLeader")},
		"add n1 a=1 -> yes":            {verb: "add", nodes: n1, pairs: []pair{{"a", int64(1)}}, want: yields(true)},
		"cas n1 a=2 was=1 -> no":       {verb: "cas", nodes: n1, pairs: []pair{{"a", int64(2)}}, options: options("was", int64(1)), want: yields(false)},
		"cas n1 was=miss a=2":          {verb: "cas", nodes: n1, pairs: []pair{{"a", int64(2)}}, options: options("was", missing{})},
		`cad n1 a was="miss" -> error`: {verb: "cad", nodes: n1, keys: a, options: options("was", "miss"), want: failsWith("")},
		"delete n1 a b map=users":      {verb: "delete", nodes: n1, keys: []string{"a", "b"}, options: options("map", "users")},
		"expire n1 a 0s -> yes":        {verb: "expire", nodes: n1, keys: a, want: yields(true)},
		"clear n1":                     {verb: "clear", nodes: n1},
		"get n1 a":                     {verb: "get", nodes: n1, keys: a},
		"get n1 a -> 1":                {verb: "get", nodes: n1, keys: a, want: yields(int64(1))},
		"get n1 a -> miss # absent":    {verb: "get", nodes: n1, keys: a, want: yields(missing{})},
		`get n1 a -> "miss"`:           {verb: "get", nodes: n1, keys: a, want: yields("miss")},
		`get n1 a#b -> x/y`:            {verb: "get", nodes: n1, keys: []string{"a#b"}, want: yields("x/y")},
		"read n1 a level=local -> x":   {verb: "read", nodes: n1, keys: a, options: options("level", "local"), want: yields("x")},
		"read n1 a staleness=1s":       {verb: "read", nodes: n1, keys: a, options: options("staleness", time.Second)},
		"ttl n1 a -> 5s":               {verb: "ttl", nodes: n1, keys: a, want: yields(5 * time.Second)},
		"ttl n1 a -> miss":             {verb: "ttl", nodes: n1, keys: a, want: yields(missing{})},
		"count n1 -> 0":                {verb: "count", nodes: n1, want: yields(0)},
		"role n1 -> non-voter":         {verb: "role", nodes: n1, want: yields("non-voter")},
		"hash equal":                   {verb: "hash", word: "equal"},
		"eventually hash equal":        {verb: "hash", word: "equal", eventually: true},
		"eventually get n1 a -> 1":     {verb: "get", nodes: n1, keys: a, want: yields(int64(1)), eventually: true},
		"wait converged":               {verb: "wait", word: "converged"},
		"tick 6s":                      {verb: "tick", duration: 6 * time.Second},
		"jump n1 1m":                   {verb: "jump", nodes: n1, duration: time.Minute},
		"skew n1 +1h":                  {verb: "skew", nodes: n1, duration: time.Hour},
		"step n1 -1h30m":               {verb: "step", nodes: n1, duration: -90 * time.Minute},
		"drift n1 1.01":                {verb: "drift", nodes: n1, rate: 1.01},
		"cut n1 n2":                    {verb: "cut", nodes: []string{"n1", "n2"}},
		"cut-one-way leader n2":        {verb: "cut-one-way", nodes: []string{"leader", "n2"}},
		"isolate follower":             {verb: "isolate", nodes: []string{"follower"}},
		"partition n1":                 {verb: "partition", groups: [][]string{{"n1"}}},
		"partition n1 | n2 n3":         {verb: "partition", groups: [][]string{{"n1"}, {"n2", "n3"}}},
		"heal":                         {verb: "heal"},
		"delay n1 n2 20ms":             {verb: "delay", nodes: []string{"n1", "n2"}, duration: 20 * time.Millisecond},
		"kill leader":                  {verb: "kill", nodes: []string{"leader"}},
		"restart n1":                   {verb: "restart", nodes: n1},
	} {
		got, err := parseScript(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		want.line = 1
		want.text, _, _ = strings.Cut(text, " # ")
		if len(got.statements) != 1 || !reflect.DeepEqual(got.statements[0], want) {
			t.Errorf("%s:\n got %+v\nwant %+v", text, got.statements, want)
		}
	}
}

func TestParseScript(t *testing.T) {
	got, err := parseScript(`
		# a scenario
		cluster 3
		set n1 a=1 ttl=5s / partition n1 / tick 6s / get n2 a   # one line

		heal
	`)
	if err != nil {
		t.Fatal(err)
	}
	var lines []int
	var verbs []string
	for _, s := range got.statements {
		lines, verbs = append(lines, s.line), append(verbs, s.verb)
	}
	if want := []int{3, 4, 4, 4, 4, 6}; !reflect.DeepEqual(lines, want) {
		t.Errorf("lines %v; want %v", lines, want)
	}
	if want := "cluster set partition tick get heal"; strings.Join(verbs, " ") != want {
		t.Errorf("verbs %v; want %s", verbs, want)
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"\n\nsett n1 a=1":             "line 3: sett: no such verb",
		`"set" n1 a=1`:                `line 1: "set": no such verb`,
		"eventually":                  "line 1: a verb is missing",
		"eventually set n1 a=1":       "line 1: set: eventually has no meaning here",
		"eventually get n1 a":         "line 1: what to wait for (-> …) is missing",
		"heal / / heal":               "line 1: /: no statement on one side",
		"heal /":                      "line 1: /: no statement on one side",
		"heal now":                    "line 1: now: one argument too many",
		"get n1":                      "line 1: a key is missing",
		"get a n1":                    "line 1: a: not a node: n1, n2, …, leader, follower, @name",
		"get n0 a":                    "line 1: n0: not a node: n1, n2, …, leader, follower, @name",
		`get "n1" a`:                  `line 1: "n1": not a node: n1, n2, …, leader, follower, @name`,
		"get n1 a=1":                  "line 1: a=1: not a key",
		"get n1 a ->":                 "line 1: an expectation is missing",
		"get n1 a -> 1 2":             "line 1: 2: one word too many in the expectation",
		"get n1 a -> b=1":             "line 1: b=1: not an expectation",
		"get n1 a -> error Nothing":   "line 1: Nothing: no such error",
		"get n1 a -> error Stale 1":   "line 1: 1: one word too many in the expectation",
		"get n1 a ttl=5s":             "line 1: ttl=5s: one argument too many",
		"set n1 a":                    "line 1: a: not key=value",
		"set n1 ttl=5s":               "line 1: key=value is missing",
		"set n1 a=1 ttl=5":            "line 1: ttl=5: not a duration such as 5s",
		"set n1 a=1 ttl=-5s":          "line 1: ttl=-5s: negative",
		"set n1 a=1 ttl=5s ttl=6s":    "line 1: ttl=6s: given twice",
		"set n1 a=1 -> 1":             "line 1: 1: only an error can be expected here",
		"set n1 a=":                   `line 1: a=: nothing beside the "="; an empty string is written ""`,
		`set n1 a="1`:                 `line 1: "1: quote without an end`,
		`set n1 a="1"b`:               `line 1: a="1": white space must follow`,
		"add n1 a=1 b=2":              "line 1: b=2: one argument too many",
		"add n1 a=1 -> maybe":         "line 1: maybe: neither yes nor no",
		"cas n1 a=2":                  "line 1: was=value is missing",
		"heal -> error":               "line 1: ->: nothing to expect of heal",
		"count n1 -> -1":              "line 1: -1: not a count",
		"wait for it":                 "line 1: for: not one of: leader, ready, converged",
		"tick -1s":                    "line 1: -1s: negative",
		"drift n1 fast":               "line 1: fast: not a rate such as 1.01",
		"drift n1 NaN":                "line 1: NaN: not a rate such as 1.01",
		"partition n1 |":              "line 1: a node is missing",
		"partition | n1":              "line 1: |: not a node: n1, n2, …, leader, follower, @name",
		"cluster 3 net=pigeons":       "line 1: net=pigeons: not one of: memory, tcp",
		"heal\nkill n1\nkill nobody":  "line 3: nobody: not a node: n1, n2, …, leader, follower, @name",
		"delete n1 a / delete leader": "line 1: a key is missing",
	} {
		if _, err := parseScript(text); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

// FuzzParse holds that what parses, parses again from its own text to the same, and that an error says
// where it is.
func FuzzParse(f *testing.F) {
	f.Add("cluster 3\nset n1 a=1 ttl=5s / partition n1 | n2 n3 / tick 6s / eventually get n2 a -> miss")
	f.Add(`cas n1 "a \"b"=x was="miss" -> error NoLeader # comment`)
	f.Add("drift n1 1.01\r\nskew n2 +1h\ncount leader map=m -> 3")
	f.Add("set n1 a=\"\xff\" \xff=1 / cad n1 a was=1")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseScript(text)
		if err != nil {
			if _, ok := err.(*scriptError); !ok || !strings.HasPrefix(err.Error(), "line ") {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		for _, st := range s.statements {
			again, err := parseScript(st.text)
			if err != nil || len(again.statements) != 1 {
				t.Fatalf("%q: %v", st.text, err)
			}
			again.statements[0].line = st.line
			if !reflect.DeepEqual(again.statements[0], st) {
				t.Fatalf("%q: %+v, again: %+v", st.text, st, again.statements[0])
			}
		}
	})
}
