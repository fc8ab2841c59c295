package fsm

import (
	"math"

	"github.com/inelpandzic/imdgo/internal/command"
)

// ledger is the account of the bytes that the entries of all maps take, and of
// what they may take. All of it is replicated state, or follows from it. It is
// guarded by the machine's mutex.
type ledger struct {
	version uint64 // counts writes
	now     int64  // the clock, for those who arrange by deadlines
	used    int64  // the cost of all entries
	pinned  int64  // of them, of maps whose entries are never evicted
	limit   int64  // used never exceeds it
	target  int64  // the smallest budget, which the limit is on its way down to
	budgets map[string]int64
}

func newLedger() *ledger {
	return &ledger{limit: math.MaxInt64, target: math.MaxInt64, budgets: make(map[string]int64)}
}

// budget takes in a member's budget, or takes it out.
func (l *ledger) budget(b command.Budget) {
	if b.Bytes == 0 {
		delete(l.budgets, b.Member)
	} else {
		l.budgets[b.Member] = b.Bytes
	}
	_, l.target = l.smallest()
	l.settle()
}

// settle moves the limit as far towards the smallest budget as the entries let it.
func (l *ledger) settle() { l.limit = max(l.target, min(l.limit, l.used)) }

// smallest is the member whose budget rules; of equal ones, the first by name.
func (l *ledger) smallest() (member string, bytes int64) {
	bytes = math.MaxInt64
	for name, b := range l.budgets {
		if b < bytes || b == bytes && name < member {
			member, bytes = name, b
		}
	}
	return member, bytes
}

// Account is what the machine's entries take and may take, in bytes.
type Account struct {
	Entries int
	Used    int64 // see Cost
	Pinned  int64 // of that, what is never evicted
	Limit   int64 // math.MaxInt64 while no budget is known
	Target  int64 // below Limit while the entries do not fit yet
	Ruler   string
}

// Account returns the figures of this moment.
func (m *Machine) Account() Account {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := Account{Used: m.used, Pinned: m.pinned, Limit: m.limit, Target: m.target}
	a.Ruler, _ = m.smallest()
	for _, table := range m.tables {
		a.Entries += table.Len()
	}
	return a
}

// Budgets returns the budgets of the members, by server id.
func (m *Machine) Budgets() map[string]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	budgets := make(map[string]int64, len(m.budgets))
	for member, bytes := range m.budgets {
		budgets[member] = bytes
	}
	return budgets
}
