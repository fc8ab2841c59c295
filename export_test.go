package imdgo

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
