package imdgo

// Shares is how a memory budget is shared out.
type Shares struct{ Entries, Log, LogLimit, Decoded int64 }

// SharesOf has a memory budget in bytes shared out, with a log limit (0 for none)
// and a limit of decoded values (-1 for none) of the user's, with the log on disk or not.
func SharesOf(total, logLimit, decoded int64, durable bool) (Shares, error) {
	p, err := budgetSettings{bytes: total, logLimit: logLimit, decoded: decoded}.plan(durable)
	return Shares{p.Entries, p.Log, p.logLimit, p.decoded}, err
}

// Waiting is how many callers wait for a load of key, for tests that must know
// that one has come.
func (m *Map[K, V]) Waiting(key string) int {
	m.flights.mu.Lock()
	defer m.flights.mu.Unlock()
	if fl := m.flights.running[key]; fl != nil {
		return fl.waiting
	}
	return 0
}
