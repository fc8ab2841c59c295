package fsm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/inelpandzic/imdgo/internal/command"
)

// Victims stand in the log with their keys, so there is a bound to their bytes, by
// a longest key at most; and a map at its own limit is offered something beside
// others that could fill the list.
func TestWhatIsOfferedIsBoundedInBytes(t *testing.T) {
	const most, key = 10_000, 1000
	r := newReplica(t)
	target := func(name string) command.Target { return command.Target{Type: sessions.Type, Name: name} }
	for _, name := range []string{"large", "own"} { // which is younger
		for i := range 100 {
			r.do(0, command.AppendSet(nil, command.Set, patience, target(name), fmt.Sprint(strings.Repeat("k", key), i), command.TTL{}, nil))
		}
	}
	r.do(0, command.AppendDeclare(nil, patience, target("own"), []command.Option{{Field: command.FieldEntries, Value: 1}}))
	full := &command.Decisions{Budgets: []command.Budget{{Member: "n1", Bytes: r.Account().Used}}}
	if err := r.Apply(r.Index()+1, entryWith(0, 0, full)); err != nil {
		t.Fatal(err)
	}
	for range 50 { // maps come in another order each time
		v := command.Victims{Most: most}
		r.Offer(&v, 1<<20)
		if v.Len() < most-key || v.Len() > most+2*key {
			t.Fatalf("%d bytes of victims, about %d are the most", v.Len(), most)
		}
		offered := map[string]int{}
		_ = v.Runs(func(name []byte, l command.VictimList) {
			for _, _, ok := l.Next(); ok; _, _, ok = l.Next() {
				offered[string(name)]++
			}
		})
		if offered["own"] < 3 {
			t.Fatalf("offered %v", offered)
		}
	}
}
