package command

import "encoding/binary"

// Victims are entries that may be evicted, in the order in which they should
// go. They name the version, so that an entry that is written anew in the same
// batch stays. Those of one map stand together:
//
//	run    = map victims, name and size of the run as lengths
//	victim = key version
//
// The zero value is an empty list without a bound.
type Victims struct {
	// Most is about how many bytes they may take, 0 for any: see Full. A victim
	// takes as much as its key, and all of it goes into the log.
	Most int

	runs []byte
	run  []byte // that is being added to
	name string
}

// Empty reports whether there is none.
func (v *Victims) Empty() bool { return len(v.runs) == 0 && len(v.run) == 0 }

// Len is about how many bytes they take.
func (v *Victims) Len() int { return len(v.runs) + len(v.run) }

// Full reports whether they take as much as they may. It is for whoever adds them
// to leave it at that: by then there may be a longest key too many.
func (v *Victims) Full() bool { return v.Most > 0 && v.Len() >= v.Most }

// Add adds an entry of the map of this name. [Victims.Done] must follow.
func (v *Victims) Add(name, key string, version uint64) {
	if name != v.name || len(v.run) == 0 {
		v.Done()
		v.name = name
	}
	v.run = binary.AppendUvarint(appendBytes(v.run, key), version)
}

// Done ends the list.
func (v *Victims) Done() {
	if len(v.run) > 0 {
		v.runs = appendBytes(appendBytes(v.runs, v.name), v.run)
		v.run = v.run[:0]
	}
}

// Reset empties the list and keeps its memory, and its bound.
func (v *Victims) Reset() { v.runs, v.run = v.runs[:0], v.run[:0] }

// Runs calls f for every map that there are victims of. The name and the list
// point into the entry.
func (v *Victims) Runs(f func(name []byte, list VictimList)) error {
	c := cursor{rest: v.runs}
	for len(c.rest) > 0 && c.err == nil {
		name, list := c.bytes("map name", MaxName), c.bytes("victims", len(c.rest))
		if c.err == nil {
			f(name, VictimList{cursor{rest: list}})
		}
	}
	return c.err
}

// VictimList reads the victims of one map one after the other.
type VictimList struct{ c cursor }

// Next returns the next victim. False means that there is none, or that it is
// malformed: see Err.
func (l *VictimList) Next() (key []byte, version uint64, ok bool) {
	if len(l.c.rest) == 0 || l.c.err != nil {
		return nil, 0, false
	}
	key, version = l.c.bytes("victim", MaxKey), l.c.uvarint("victim's version")
	return key, version, l.c.err == nil
}

// Err is what was wrong, or nil.
func (l *VictimList) Err() error { return l.c.err }
