package node

import "testing"

// What a replayed log says of the time is not the present: only an entry is that
// the leader which was asked had not committed then.
func TestPresent(t *testing.T) {
	r := &replica{durable: true, term: func() uint64 { return 5 }}
	if r.present(100, 5) {
		t.Error("nobody has been asked")
	}
	r.learned(4, 10)
	r.learned(5, 200)
	r.learned(5, 300) // which changes nothing
	for _, old := range [][2]uint64{{150, 5}, {200, 5}, {250, 4}, {500, 6}} {
		if r.present(old[0], old[1]) {
			t.Errorf("entry %d of term %d is of the present", old[0], old[1])
		}
	}
	if r.timely() || !r.present(201, 5) || !r.timely() || !r.present(3, 1) {
		t.Error("an entry that came after the answer is not of the present, or not everything after it")
	}
	if !(&replica{}).timely() {
		t.Error("without a data directory there is nothing to wait for")
	}
}
