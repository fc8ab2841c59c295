package main

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo/imdgotest"
)

const (
	storeDelay = 50 * time.Millisecond
	// patience bounds every wait for what should take a fraction of it.
	patience = 15 * time.Second
	// endWithin is how long an instance without requests may take to end.
	endWithin = 5 * time.Second
)

// TestThreeInstances builds the service, and has three processes of it go
// through what a service goes through.
func TestThreeInstances(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGTERM on Windows")
	}
	all := three(t, storeDelay)
	for _, step := range []struct {
		name string
		run  func(*testing.T, []*instance)
	}{
		{"the cluster forms", form},
		{"what one has read, all have", readOnce},
		{"however many ask, the store is read once", loadOnce},
		{"changes of a price add up", changePrices},
		{"what is no longer fresh is read again", expire},
		{"what is wrong is said", refuse},
		{"a deleted product is gone everywhere", remove},
		{"a follower is killed and comes back", func(t *testing.T, all []*instance) { killOne(t, all, "follower") }},
		{"the leader is killed and comes back", func(t *testing.T, all []*instance) { killOne(t, all, "leader") }},
		{"all end when told to", end},
	} {
		begun := time.Now()
		step.run(t, all)
		t.Logf("%4d ms: %s", time.Since(begun).Milliseconds(), step.name)
	}
}

// form starts one instance, which is not ready alone, and then the others.
func form(t *testing.T, all []*instance) {
	all[0].start(t)
	imdgotest.Eventually(t, patience, func() error { return all[0].healthy(t, http.StatusServiceUnavailable) })
	all[1].start(t)
	all[2].start(t)
	for _, in := range all {
		awaitReady(t, in)
	}
}

func readOnce(t *testing.T, all []*instance) {
	want, err := all[0].get(t.Context(), "tea")
	if err != nil {
		t.Fatal(err)
	}
	if n := all[0].storeReads(t); n != 1 {
		t.Errorf("%s has read its store %d times for one product", all[0].name, n)
	}
	catchUp(t, all[0], all)
	for _, in := range all[1:] {
		if got, err := in.get(t.Context(), "tea"); err != nil || got != want {
			t.Errorf("%s has %+v, %v; want %+v", in.name, got, err, want)
		}
		if n := in.storeReads(t); n != 0 {
			t.Errorf("%s has read its store %d times for what %s had read", in.name, n, all[0].name)
		}
	}
}

func loadOnce(t *testing.T, all []*instance) {
	in := all[2]
	before := in.storeReads(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := in.get(t.Context(), "coffee"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := in.storeReads(t) - before; n != 1 {
		t.Errorf("20 requests for one product have read the store %d times", n)
	}
}

func changePrices(t *testing.T, all []*instance) {
	const each = 20
	was, err := all[0].get(t.Context(), "tea")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, in := range all {
		wg.Go(func() {
			for range each {
				if err := in.changePrice(t.Context(), "tea", 1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	want := was
	want.Cents += each * len(all)
	want.Revision += each * len(all)
	for _, in := range all {
		catchUp(t, in, all)
	}
	for _, in := range all {
		if got, err := in.get(t.Context(), "tea"); err != nil || got != want {
			t.Errorf("%s has %+v, %v; want %+v", in.name, got, err, want)
		}
	}
}

func expire(t *testing.T, all []*instance) {
	const fresh = time.Second
	in := all[0]
	before, begun := in.storeReads(t), time.Now()
	if err := in.put(t.Context(), "soup", Product{Name: "Soup of the day", Cents: 650, FreshSeconds: int(fresh.Seconds())}); err != nil {
		t.Fatal(err)
	}
	imdgotest.Eventually(t, patience, func() error {
		if p, err := in.get(t.Context(), "soup"); err != nil || p.Cents != 650 {
			t.Fatalf("got %+v, %v", p, err)
		}
		if in.storeReads(t) == before {
			return fmt.Errorf("%s has not read its store again", in.name)
		}
		return nil
	})
	if took := time.Since(begun); took < fresh {
		t.Errorf("what was to be fresh for %v was read again after %v", fresh, took)
	}
}

func refuse(t *testing.T, all []*instance) {
	for _, test := range []struct {
		method, path string
		body         any
		status       int
	}{
		{"GET", "/products/nothing", nil, 404},
		{"POST", "/products/nothing/price", map[string]int{"by": 1}, 404},
		{"POST", "/products/tea/price", map[string]int{"by": -1_000_000}, 422},
		{"POST", "/products/tea/price", map[string]int{"times": 2}, 400},
		{"PUT", "/products/tea", Product{}, 400},
		{"PUT", "/products/tea", "tea", 400},
		{"PUT", "/products/tea", Product{Name: strings.Repeat("tea", maxBody/3)}, 413},
		{"GET", "/products/" + strings.Repeat("t", 65<<10), nil, 413},
	} {
		status, answer, err := all[1].do(t.Context(), test.method, test.path, test.body)
		if err != nil || status != test.status {
			t.Errorf("%s %.30s is answered with %d %q, %v; want %d", test.method, test.path, status, answer, err, test.status)
		}
	}
}

func remove(t *testing.T, all []*instance) {
	if err := all[1].put(t.Context(), "pie", Product{Name: "Pie", FreshSeconds: 60}); err != nil {
		t.Fatal(err)
	}
	if status, answer, err := all[1].do(t.Context(), "DELETE", "/products/pie", nil); err != nil || status != http.StatusNoContent {
		t.Fatalf("answered with %d %q, %v", status, answer, err)
	}
	catchUp(t, all[1], all)
	for _, in := range all {
		if status, _, err := in.do(t.Context(), "GET", "/products/pie", nil); err != nil || status != http.StatusNotFound {
			t.Errorf("%s answers with %d, %v", in.name, status, err)
		}
	}
}

// killOne kills the instance of a role, and starts it again, while the others
// are being written to.
func killOne(t *testing.T, all []*instance, role string) {
	victim, others := withRole(t, all, role)
	load := startLoad(t, role, others)
	load.awaitMore(t)
	victim.kill(t)
	load.awaitMore(t)
	victim.start(t)
	awaitReady(t, victim)
	load.awaitMore(t)
	written := load.stop()

	awaitSameState(t, all)
	for _, in := range all {
		before := in.storeReads(t)
		for id, want := range written {
			got, err := in.get(t.Context(), id)
			got.Revision = 0 // it was written as often as it took
			if err != nil || got != want {
				t.Fatalf("of %d acknowledged products %s has %q as %+v, %v; want %+v", len(written), in.name, id, got, err, want)
			}
		}
		if n := in.storeReads(t) - before; n != 0 {
			t.Errorf("%s has read its store %d times for what was written", in.name, n)
		}
	}
	t.Logf("         %s (%s): %d products written, at most %v between two", victim.name, role, len(written), load.longest.Round(time.Millisecond))
}

// end tells all instances to end, at the same time.
func end(t *testing.T, all []*instance) {
	begun := time.Now()
	for _, in := range all {
		in.signal(t, syscall.SIGTERM)
	}
	late := time.After(endWithin)
	for _, in := range all {
		select {
		case <-in.gone:
			if code := in.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("%s ended with exit code %d", in.name, code)
			}
			t.Logf("         %s ended after %v", in.name, time.Since(begun).Round(time.Millisecond))
		case <-late:
			t.Fatalf("%s has not ended after %v", in.name, endWithin)
		}
	}
}
