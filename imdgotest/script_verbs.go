package imdgotest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// argument parses one positional argument, or as many as there are, into the statement.
type argument func(p *parser, s *statement) error

// verb is the shape of a statement.
type verb struct {
	arguments []argument
	options   map[string]valueParser
	want      valueParser // what may be expected besides errors; nil: nothing
	errors    bool        // an error may be expected
	repeats   bool        // eventually may stand before it
}

// valueParser parses the value of an option or of an expectation.
type valueParser func(t token) (any, error)

var (
	mapOption   = map[string]valueParser{"map": aString}
	writeOption = map[string]valueParser{"map": aString, "ttl": aTime}
	swapOption  = map[string]valueParser{"map": aString, "ttl": aTime, "was": aResult}
	cadOption   = map[string]valueParser{"map": aString, "was": aResult}
	readOption  = map[string]valueParser{"map": aString, "level": oneOf("local", "linearizable"), "staleness": aTime}
	startOption = map[string]valueParser{"net": oneOf("memory", "tcp"), "disk": yesOrNo, "start": yesOrNo}
	ttlOption   = map[string]valueParser{"map": aString, "within": aTime}
	oneNode     = []argument{takeNode}
	nodeAndKey  = []argument{takeNode, takeKey}
	twoNodes    = []argument{takeNode, takeNode}
	aRole       = oneOf("leader", "follower", "candidate", "non-voter", "joining")
)

var verbs = map[string]verb{
	"cluster": {arguments: []argument{takeCount}, options: startOption},
	"name":    {arguments: []argument{takeNode, takeName}},

	"set":    {arguments: []argument{takeNode, takePairs}, options: writeOption, errors: true},
	"add":    {arguments: []argument{takeNode, takePair}, options: writeOption, want: yesOrNo, errors: true},
	"cas":    {arguments: []argument{takeNode, takePair, needWas}, options: swapOption, want: yesOrNo, errors: true},
	"delete": {arguments: []argument{takeNode, takeKeys}, options: mapOption, errors: true},
	"cad":    {arguments: []argument{takeNode, takeKey, needWas}, options: cadOption, want: yesOrNo, errors: true},
	"expire": {arguments: []argument{takeNode, takeKey, takeSpan}, options: mapOption, want: yesOrNo, errors: true},
	"clear":  {arguments: oneNode, options: mapOption, errors: true},
	"get":    {arguments: nodeAndKey, options: mapOption, want: aResult, errors: true, repeats: true},
	"read":   {arguments: nodeAndKey, options: readOption, want: aResult, errors: true, repeats: true},
	"ttl":    {arguments: nodeAndKey, options: ttlOption, want: aTimeOrMiss, errors: true, repeats: true},
	"count":  {arguments: oneNode, options: mapOption, want: aCount, errors: true, repeats: true},
	"role":   {arguments: oneNode, want: aRole, repeats: true},
	"hash":   {arguments: []argument{takeWord("equal")}, repeats: true},
	"wait":   {arguments: []argument{takeWord("leader", "ready", "converged")}},

	"tick":  {arguments: []argument{takeSpan}},
	"pause": {arguments: []argument{takeSpan}},
	"jump":  {arguments: []argument{takeNode, takeSpan}},
	"skew":  {arguments: []argument{takeNode, takeShift}},
	"step":  {arguments: []argument{takeNode, takeShift}},
	"drift": {arguments: []argument{takeNode, takeRate}},

	"cut":         {arguments: twoNodes},
	"cut-one-way": {arguments: twoNodes},
	"isolate":     {arguments: oneNode},
	"partition":   {arguments: []argument{takeGroups}},
	"heal":        {},
	"delay":       {arguments: []argument{takeNode, takeNode, takeSpan}},
	"start":       {arguments: oneNode},
	"kill":        {arguments: oneNode},
	"restart":     {arguments: oneNode},
	"stop":        {arguments: oneNode},
	"leave":       {arguments: oneNode},
}

// sentinels are the errors that an expectation can name.
var sentinels = []string{
	"NotFound", "Closed", "NoLeader", "Timeout", "UnknownOutcome", "TooLarge", "Full", "Stale",
	"MapMismatch", "Removed", "ForeignCluster", "Invalid",
}

func aString(t token) (any, error) { return t.text, nil }

// aValue is an integer if it reads as one and is not quoted, and else a string.
func aValue(t token) (any, error) {
	if i, err := strconv.ParseInt(t.text, 10, 64); err == nil && !t.quoted {
		return i, nil
	}
	return t.text, nil
}

func aResult(t token) (any, error) {
	if t.is("miss") {
		return missing{}, nil
	}
	return aValue(t)
}

func aShift(t token) (any, error) {
	d, err := time.ParseDuration(t.text)
	if err != nil || t.quoted {
		return nil, t.fail("not a duration such as 5s")
	}
	return d, nil
}

func aTime(t token) (any, error) {
	d, err := aShift(t)
	if err == nil && d.(time.Duration) < 0 {
		return nil, t.fail("negative")
	}
	return d, err
}

func aTimeOrMiss(t token) (any, error) {
	if t.is("miss") {
		return missing{}, nil
	}
	return aTime(t)
}

func aCount(t token) (any, error) {
	n, err := strconv.ParseUint(t.text, 10, 31)
	if err != nil || t.quoted {
		return nil, t.fail("not a count")
	}
	return int(n), nil
}

func yesOrNo(t token) (any, error) {
	if t.is("yes") || t.is("no") {
		return t.text == "yes", nil
	}
	return nil, t.fail("neither yes nor no")
}

func oneOf(words ...string) valueParser {
	return func(t token) (any, error) {
		if t.quoted || !slices.Contains(words, t.text) {
			return nil, t.fail(fmt.Sprintf("not one of: %s", strings.Join(words, ", ")))
		}
		return t.text, nil
	}
}
