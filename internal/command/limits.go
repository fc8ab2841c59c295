package command

import "time"

// What the log accepts. The leader checks a forwarded part against these
// before it proposes it, because an entry that a replica cannot apply stops
// that replica.
const (
	// MaxKey is the longest key, in bytes of its encoding.
	MaxKey = 64 << 10
	// MaxName is the longest name of a map, in bytes.
	MaxName = 255
	// MaxOp is the largest operation, in bytes: a value with its key, or all
	// that one SetMany carries.
	MaxOp = 32 << 20
	// MaxPart is the largest part: operations are added while a part is below
	// its target size, so the last one may go beyond by MaxOp.
	MaxPart = MaxOp + 1<<20
	// MaxWindow bounds how far an origin's sequences run ahead of its lowest
	// unanswered one, and with it the table of results that every node keeps.
	MaxWindow = 1 << 16
	// MaxPatience is how long after its part's base an operation may be applied
	// at the most, and so how long its result is kept.
	MaxPatience = time.Hour
)
