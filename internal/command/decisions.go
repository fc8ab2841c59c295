package command

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Decisions are what the leader adds to a batch of its own accord. They are
// carried out before the batch's operations, budgets first, then what expires;
// victims go one by one when an operation needs their room. A nil one is of a
// leader that decided nothing.
type Decisions struct {
	// Expire is what has passed its deadline, if Expires.
	Expire  Threshold
	Expires bool
	// Budgets are members' budgets that are new or have changed.
	Budgets []Budget
	// Victims are the entries that may be evicted.
	Victims Victims
}

// Threshold is an expire command: every entry whose (deadline, version) is not
// above it goes. It names no entry, so an entry whose deadline was moved
// meanwhile stays, and its size does not depend on how many go.
type Threshold struct {
	Deadline int64
	Version  uint64
}

// Covers reports whether an entry with this deadline and version goes.
func (t Threshold) Covers(deadline int64, version uint64) bool {
	return deadline < t.Deadline || deadline == t.Deadline && version <= t.Version
}

// Budget is how many bytes a member can give to entries; 0 means that it is no
// member any more. Member is its server id.
type Budget struct {
	Member string
	Bytes  int64
}

const (
	decisionExpire = iota + 1
	decisionBudget
	decisionVictims
)

// Any reports whether something was decided.
func (d *Decisions) Any() bool {
	return d != nil && (d.Expires || len(d.Budgets) > 0 || !d.Victims.Empty())
}

// Size is about how many bytes the decisions take.
func (d *Decisions) Size() int {
	if d == nil {
		return 0
	}
	return 64 + len(d.Budgets)*(MaxName+16) + len(d.Victims.runs)
}

func (d *Decisions) append(dst []byte) []byte {
	if !d.Any() {
		return append(dst, 0)
	}
	n := len(d.Budgets)
	if d.Expires {
		n++
	}
	if !d.Victims.Empty() {
		n++
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	if d.Expires {
		dst = binary.AppendUvarint(append(dst, decisionExpire), uint64(d.Expire.Deadline))
		dst = binary.AppendUvarint(dst, d.Expire.Version)
	}
	for _, b := range d.Budgets {
		dst = appendBytes(append(dst, decisionBudget), b.Member)
		dst = binary.AppendUvarint(dst, uint64(b.Bytes))
	}
	if !d.Victims.Empty() {
		dst = appendBytes(append(dst, decisionVictims), d.Victims.runs)
	}
	return dst
}

func (d *Decisions) read(c *cursor) {
	for n := c.count("decisions", 1); n > 0 && c.err == nil; n-- {
		switch kind := c.byte("decision"); {
		case kind == decisionExpire && !d.Expires:
			d.Expire = Threshold{c.nanoseconds("deadline"), c.uvarint("version")}
			d.Expires = true
		case kind == decisionBudget:
			d.Budgets = append(d.Budgets, Budget{string(c.bytes("member", MaxName)), c.nanoseconds("budget")})
		case kind == decisionVictims && d.Victims.Empty():
			d.Victims.runs = c.bytes("victims", math.MaxInt)
		default:
			c.fail(fmt.Sprintf("decision %d", kind))
		}
	}
}
