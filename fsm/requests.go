package fsm

import "github.com/inelpandzic/imdgo/internal/command"

// origin is what the machine remembers of one incarnation's requests.
//
// It is forgotten once the clock has passed the notAfter of everything that it
// holds: from then on a copy of any of it is refused as too late. Forgetting
// happens when somebody looks, so a record that nobody has looked at counts as
// forgotten all the same, in the hash as well.
type origin struct {
	low     uint64 // the lowest sequence it may still want an answer to
	horizon int64  // the largest notAfter
	rows    []row  // by sequence, a ring whose length is a power of two
}

// row is the result of one request.
type row struct {
	sequence uint64 // 0: nothing here
	notAfter int64
	result   command.Result
}

func (o *origin) forgotten(clock int64) bool { return o.horizon < clock }

// enter begins a part of this origin's: what the origin has had its answer to
// goes, and there is room for what comes.
func (o *origin) enter(p *command.Part, clock int64) {
	if o.forgotten(clock) {
		*o = origin{} // just as if it had been dropped, which it may have been elsewhere
	}
	o.low = max(o.low, p.Low)
	need := p.First - p.Low + uint64(p.Count)
	if uint64(len(o.rows)) >= need {
		return
	}
	size := uint64(64)
	for size < need {
		size *= 2
	}
	old := o.rows
	o.rows = make([]row, size)
	for _, r := range old {
		if r.sequence >= o.low {
			*o.at(r.sequence) = r
		}
	}
}

func (o *origin) at(sequence uint64) *row { return &o.rows[sequence&uint64(len(o.rows)-1)] }

// find returns the result of a request that has been applied before. A row
// whose time has passed is no part of the state any more: a replica that was
// restored does not have it, so it must not answer here either.
func (o *origin) find(sequence uint64, clock int64) (command.Result, bool) {
	if r := o.at(sequence); r.sequence == sequence && r.notAfter >= clock {
		return r.result, true
	}
	return command.Result{}, false
}

func (o *origin) keep(sequence uint64, notAfter int64, result command.Result) {
	*o.at(sequence) = row{sequence, notAfter, result}
	o.horizon = max(o.horizon, notAfter)
}

// live calls f for every row that is still part of the state.
func (o *origin) live(clock int64, f func(row)) {
	for _, r := range o.rows {
		if r.sequence >= o.low && r.sequence != 0 && r.notAfter >= clock {
			f(r)
		}
	}
}

// restore makes the origin what it was when its live rows were written down.
// Rows beyond the window that no origin can have are left out.
func (o *origin) restore(low uint64, horizon int64, n int, rowAt func(int) row) {
	o.low, o.horizon = low, horizon
	size := uint64(64)
	for i := range n {
		for need := rowAt(i).sequence - low + 1; size < need && size < command.MaxWindow; {
			size *= 2
		}
	}
	o.rows = make([]row, size)
	for i := range n {
		if r := rowAt(i); r.sequence >= low && r.sequence-low < size {
			*o.at(r.sequence) = r
		}
	}
}

// Answered returns the results of count requests of an origin from first on, if
// all of them are known: what was applied before this replica was given a state
// that it had no part in.
func (m *Machine) Answered(id, first uint64, count int) ([]command.Result, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.origins[id]
	if o == nil || len(o.rows) == 0 {
		return nil, false
	}
	results := make([]command.Result, count)
	for i := range results {
		r, ok := o.find(first+uint64(i), m.clock.Load())
		if !ok {
			return nil, false
		}
		results[i] = r
	}
	return results, true
}
