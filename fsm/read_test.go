package fsm

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// versioned is a value that names its own version, of a length that varies.
func versioned(version uint64) string {
	word := binary.BigEndian.AppendUint64(nil, version)
	return strings.Repeat(string(word), 1+int(version%9))
}

// Readers beside the one that applies never see a value that is torn, that is
// of another version than it says, that is older than what they have seen, or
// that was decoded from another one.
func TestReadersBesideApply(t *testing.T) {
	const batches, keys = 3000, 16
	r := newReplica(t)
	table := r.Table(sessions.Name)
	var done atomic.Bool
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			last := make(map[string]uint64)
			for !done.Load() {
				for i := range keys {
					key := fmt.Sprint(i)
					if err := readOnce(table, key, last); err != nil {
						t.Error(err)
						return
					}
				}
				table.Walk(func(e *Entry, v *Value) bool {
					if string(v.Bytes()) != versioned(v.Version()) {
						t.Errorf("walked over version %d holding %q", v.Version(), v.Bytes())
						return false
					}
					return true
				})
				runtime.Gosched()
			}
		})
	}
	for i := range batches {
		var ops []op
		version := r.version
		add := func(o op) { ops = append(ops, o) }
		for range 4 {
			version++
			add(set(fmt.Sprint((int(version)*7)%keys), versioned(version), explicit(second)))
		}
		add(touch(fmt.Sprint(i%keys), 2*second))
		switch i % 7 {
		case 0:
			add(del(fmt.Sprint(i % keys)))
		case 1:
			add(clearMap())
		case 2:
			r.apply(int64(i)*second/4, nil)
			if threshold, ok := r.Due(r.Clock(), 8); ok {
				r.apply(r.Clock(), &threshold)
			}
		}
		r.do(int64(i)*second/4, ops...)
	}
	done.Store(true)
	readers.Wait()
}

func readOnce(table *Table, key string, last map[string]uint64) error {
	e, v := table.Lookup(sessions.Type, key)
	if v == nil {
		return nil
	}
	if e.Key() != key || string(v.Bytes()) != versioned(v.Version()) {
		return fmt.Errorf("%s: version %d of %s holds %q", key, v.Version(), e.Key(), v.Bytes())
	}
	if v.Version() < last[key] {
		return fmt.Errorf("%s: version %d after %d", key, v.Version(), last[key])
	}
	last[key] = v.Version()
	if d := e.Decoded(v); d == nil {
		table.KeepDecoded(e, v, v.Version())
	} else if d != v.Version() {
		return fmt.Errorf("%s: version %d decoded is %v", key, v.Version(), d)
	}
	return nil
}

// A reader loads a value; a write stores the next one; the reader keeps what it
// decoded; the next reader must not be given that.
func TestADecodedValueIsNeverServedForAnother(t *testing.T) {
	r := newReplica(t)
	table := r.Table(sessions.Name)
	for name, write := range map[string]op{
		"a write":                    set("k", "new", noTTL),
		"a delete and a write":       append(del("k"), set("k", "new", noTTL)...),
		"a key twice in one SetMany": setMany(noTTL, "k", "newer", "k", "new"),
	} {
		r.do(0, set("k", "old", noTTL))
		e, old := table.Lookup(sessions.Type, "k")
		p := partOf(r.Index()+1<<40, 1, 1, 0, write)
		if strings.HasPrefix(name, "a delete") {
			p.Count = 2
		}
		r.apply(0, nil, p)
		table.KeepDecoded(e, old, "decoded old")
		e2, v := table.Lookup(sessions.Type, "k")
		if d := e2.Decoded(v); d != nil {
			t.Errorf("%s: %q decodes to %v", name, v.Bytes(), d)
		}
		if string(old.Bytes()) != "old" {
			t.Errorf("%s: the old value is %q", name, old.Bytes())
		}
	}
}

// The same between the two writes of a SetMany that names a key twice: both
// have the same version.
func TestADecodedValueIsNotToldByItsVersion(t *testing.T) {
	c := newContents(New(nil), 0, declaredTTL{}, noLimits)
	c.put(nil, []byte("k"), []byte("first"), 7, 0)
	e, _ := c.items.get(c.items.hash("k"), "k")
	first := e.value.Load()
	c.put(e, []byte("k"), []byte("second"), 7, 0)
	c.copies.keep(c, e, first, "decoded first")
	if d := e.Decoded(e.value.Load()); d != nil {
		t.Errorf("second decodes to %v", d)
	}
}

func TestDecodedValuesOutliveATouchOnly(t *testing.T) {
	r := newReplica(t)
	table := r.Table(sessions.Name)
	r.do(0, set("k", "v", noTTL))
	e, v := table.Lookup(sessions.Type, "k")
	if e.Decoded(v) != nil {
		t.Error("decoded before anybody did")
	}
	table.KeepDecoded(e, v, "decoded")
	r.do(0, touch("k", hour))
	if _, v = table.Lookup(sessions.Type, "k"); e.Decoded(v) != "decoded" {
		t.Errorf("after a touch: %v", e.Decoded(v))
	}
	r.do(0, set("k", "v", noTTL))
	if e.decoded.Load() != noCopy {
		t.Error("what was decoded is kept after a write")
	}
	_, v = table.Lookup(sessions.Type, "k")
	table.KeepDecoded(e, v, "decoded")
	r.do(0, del("k"))
	if e.decoded.Load() != noCopy || e.value.Load() != nil {
		t.Error("what was decoded is kept after a delete")
	}
}

// The bytes of an empty value must point into its allocation: behind it, the
// garbage collector would take them for a bad pointer and end the process.
func TestEmptyValuesSurviveTheGarbageCollector(t *testing.T) {
	var held [][]byte
	for range 20_000 {
		held = append(held, newValue(1, 2, nil).Bytes())
	}
	runtime.GC()
	runtime.GC()
	for _, b := range held {
		if len(b) != 0 {
			t.Fatalf("%q", b)
		}
	}
}

func TestValuesOfEveryLength(t *testing.T) {
	for n := range 300 {
		data := strings.Repeat("x", n)
		v := newValue(1, 2, []byte(data))
		if string(v.Bytes()) != data || cap(v.Bytes()) != n || v.Version() != 1 || v.Deadline() != 2 {
			t.Fatalf("%d bytes: %q, capacity %d", n, v.Bytes(), cap(v.Bytes()))
		}
	}
}
