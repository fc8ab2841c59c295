package fsm

import (
	"fmt"
	"runtime"
	"testing"
	"weak"

	"github.com/inelpandzic/imdgo/internal/command"
)

// Whoever empties a machine wants the memory, and there may be no reader and no
// batch for long that would let go of the rest.
func TestWhatIsEmptiedHoldsOnToNothing(t *testing.T) {
	r := newReplica(t)
	table := r.Table(sessions.Name)
	for i := range 1000 {
		r.do(second, set(fmt.Sprint(i), "v", command.TTL{}))
	}
	var entries []weak.Pointer[Entry]
	for i := range 1000 {
		e, v := table.Lookup(sessions.Type, fmt.Sprint(i))
		table.KeepDecoded(e, v, "decoded")
		table.Touch(e)
		entries = append(entries, weak.Make(e))
	}
	d := command.Decisions{Budgets: []command.Budget{{Member: "m", Bytes: r.Account().Used / 2}}, Victims: command.Victims{Most: 1 << 20}}
	r.Offer(&d.Victims, 1<<20)
	if err := r.Apply(r.Index()+1, entryWith(second, 0, &d)); err != nil {
		t.Fatal(err)
	}
	d.Victims.Reset()
	r.Offer(&d.Victims, 1<<20)
	resets := r.Resets()
	r.Reset()
	if r.Resets() != resets+1 || r.DecodedBytes() != 0 {
		t.Errorf("%d resets, %d bytes decoded", r.Resets()-resets, r.DecodedBytes())
	}
	runtime.GC()
	left := 0
	for _, e := range entries {
		if e.Value() != nil {
			left++
		}
	}
	if left > 0 {
		t.Errorf("%d entries are held", left)
	}
	runtime.KeepAlive(r)
}
