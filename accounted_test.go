package imdgo_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/inelpandzic/imdgo"
	"github.com/inelpandzic/imdgo/fsm"
)

// accountedBudget is that of the smallest cache of TestAccountedBytesAreTrue.
var accountedBudget = flag.Int64("accounted", 6<<20, "the `bytes` that TestAccountedBytesAreTrue fills at the least")

// accountedEnv tells the test binary to be the process whose heap is measured, and
// which of them.
const accountedEnv = "IMDGO_ACCOUNTED_CHILD"

// What is accounted for is what the heap grows by, within a tenth and for values of
// a few bytes an eighth, when the cache is filled first and after it has been churned. In
// between, with half of the entries deleted, the index has room for as many again.
// Each figure comes from a process of its own, in which nothing else takes memory,
// not even what is left of a cache that was closed before.
func TestAccountedBytesAreTrue(t *testing.T) {
	table := "heap / accounted: filled, half of it deleted, filled again, evicting\n" +
		fmt.Sprintf("%9s %26s %26s %26s %26s", "value", "string", "string, TTL", "struct", "struct, TTL")
	for i, size := range accountedSizes {
		table += fmt.Sprintf("\n%7d B", size)
		for j := range 4 {
			table += accountedChild(t, 4*i+j)
		}
	}
	accountedChild(t, 4*len(accountedSizes))
	t.Logf("%s", table)
}

var accountedSizes = []int{16, 100, 1_000, 10_000, 65_536}

// accountedChild returns the figures that a process prints behind a bar.
func accountedChild(t *testing.T, n int) (figures string) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestAccountedChild$", "-test.v", fmt.Sprint("-accounted=", *accountedBudget))
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", accountedEnv, n), "GOGC=100", "GOMEMLIMIT=off", "GODEBUG=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("the process that measures: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if text, ok := strings.CutPrefix(line, figuresPrefix); ok {
			figures += strings.TrimSuffix(text, "\n")
		}
	}
	return figures
}

// figuresPrefix begins the line with the figures.
const figuresPrefix = "figures:"

// TestAccountedChild is not a test: it is the process that
// TestAccountedBytesAreTrue starts, which says of what.
func TestAccountedChild(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv(accountedEnv))
	if err != nil {
		t.Skip("it is for child processes")
	}
	i, j := n/4, n%4
	if i == len(accountedSizes) {
		for _, size := range accountedSizes {
			logged(t, size)
		}
		return
	}
	// Over an octave, because what an index takes grows by steps.
	budget := int64(float64(*accountedBudget) * math.Exp2(float64(n*7%20)/20))
	w := workload{size: accountedSizes[i], ttl: j%2 == 1, budget: budget, random: rand.New(rand.NewPCG(uint64(i), uint64(j)))}
	if j < 2 {
		churn(t, &w, func(s string) string { return s })
	} else {
		churn(t, &w, func(s string) record {
			return record{Owner: s[:len(s)/4], Count: len(s), Body: []byte(s[len(s)/4:])}
		})
	}
}

// logged writes the same entries again and again, each by itself, so that almost
// all that grows is the log. Its ring grows by steps as well, and is but a small
// part of the budget.
func logged(t *testing.T, size int) {
	w := workload{size: size, budget: 128 << 20}
	var err error
	w.cache, err = imdgo.New(imdgo.WithMemoryLimit(w.budget))
	ok(t, err)
	defer w.cache.Close()
	m, err := imdgo.OpenMap[string, string](w.cache, "m")
	ok(t, err)
	w.accounted, w.heap = w.measure()
	for i := 0; w.cache.Stats().LogBytes < 4<<20; i++ {
		ok(t, m.Set(t.Context(), key(i%10), strings.Repeat("x", size)))
	}
	if r := w.ratio(); math.Abs(r-1) > 0.25 {
		t.Errorf("the log of single values of %d bytes: the heap has grown by %.3f of what is accounted for", size, r)
	}
}

// record is a value with fields.
type record struct {
	Owner string
	Count int
	Body  []byte
}

// workload writes to a cache and compares what that says with the heap.
type workload struct {
	size   int
	ttl    bool
	budget int64
	random *rand.Rand
	cache  *imdgo.Cache

	heap, accounted int64 // before anything was written
}

// churn fills a cache in part, overwrites, deletes and refills, and then writes far
// more than there is room for.
func churn[V any](t *testing.T, w *workload, value func(string) V) {
	var err error
	w.cache, err = imdgo.New(imdgo.WithMemoryLimit(w.budget))
	ok(t, err)
	defer w.cache.Close()
	m, err := imdgo.OpenMap[string, V](w.cache, "m")
	ok(t, err)
	w.accounted, w.heap = w.measure()
	each := fsm.Cost(16, w.size+8)
	n := int(w.budget * 6 / 10 / each)

	writeMany(t, w, m, 0, n, 1, w.fixed, value)
	filled := w.ratio()
	writeMany(t, w, m, 0, n, 2, w.around, value) // every other one gets another size
	var gone []string
	for i := range n {
		if w.random.IntN(2) == 0 {
			gone = append(gone, key(i))
		}
	}
	ok(t, m.Delete(t.Context(), gone...))
	deleted := w.ratio()
	writeMany(t, w, m, n, n*3/2, 1, w.fixed, value)
	churned := w.ratio()
	writeMany(t, w, m, n*3/2, n*3, 1, w.around, value)
	full := w.ratio()
	s := w.cache.Stats()
	fmt.Printf("\n%s    %.3f %.3f %.3f %.3f\n", figuresPrefix, filled, deleted, churned, full)
	if s.Evictions == 0 {
		t.Errorf("values of %d bytes: nothing was evicted, %d of %d bytes", w.size, s.AccountedBytes, s.BudgetBytes)
	}
	if deleted > 1.4 { // what is filled again is still there
		t.Errorf("values of %d bytes: with half of them deleted the heap has grown by %.3f of what is accounted for", w.size, deleted)
	}
	within := 0.1
	if w.size < 100 { // most of what it takes is not its value, and grows by steps
		within = 0.125
	}
	for _, r := range []float64{filled, churned, full} {
		if math.Abs(r-1) > within {
			t.Errorf("values of %d bytes: the heap has grown by %.3f of what is accounted for", w.size, r)
		}
	}
}

func key(i int) string { return fmt.Sprintf("session-%08d", i) }

func (w *workload) fixed() int  { return w.size }
func (w *workload) around() int { return w.size/2 + w.random.IntN(w.size+1) }

// writeMany sets the keys from lo to hi, or every so many of them, some in a step.
func writeMany[V any](t testing.TB, w *workload, m *imdgo.Map[string, V], lo, hi, every int, size func() int, value func(string) V) {
	for lo < hi {
		values, bytes := make(map[string]V), 0
		for ; lo < hi && bytes < 64<<10; lo += every {
			n := size()
			values[key(lo)] = value(strings.Repeat("x", n))
			bytes += n + 64
		}
		var opts []imdgo.WriteOption
		if w.ttl {
			opts = append(opts, imdgo.TTL(time.Hour+time.Duration(w.random.IntN(3600))*time.Second))
		}
		ok(t, m.SetMany(t.Context(), values, opts...))
	}
}

// ratio is the heap's growth to what is accounted for.
func (w *workload) ratio() float64 {
	accounted, heap := w.measure()
	return float64(heap-w.heap) / float64(accounted-w.accounted)
}

// measure returns what is accounted for and what lives on the heap at one
// moment: the log is trimmed while nobody writes, so it looks twice.
func (w *workload) measure() (accounted, heap int64) {
	for {
		accounted = w.cache.Stats().AccountedBytes
		runtime.GC()
		runtime.GC() // or what pools hold would count
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		if w.cache.Stats().AccountedBytes == accounted {
			return accounted, int64(stats.HeapAlloc)
		}
	}
}

// valueHeader is what stands before a value's bytes, in one allocation with them.
const valueHeader = 24

// BenchmarkEntryCost measures what fsm.Cost takes an entry to need beside the
// allocations of its key and its value, with and without a TTL, over an octave of
// numbers of entries, since what the index takes grows by steps: when a cache has
// just been filled, and when all of it has been evicted and replaced twice. Its
// constant is to be the middle of the least and the most, of small caches (without
// -accounted) and of larger ones.
//
//	go test -run='^$' -bench=EntryCost -benchtime=1x -accounted=67108864 .
func BenchmarkEntryCost(b *testing.B) {
	var all []float64
	for b.Loop() {
		for i := range 8 {
			w := workload{size: 100, budget: int64(float64(*accountedBudget) * math.Exp2(float64(i)/8)),
				random: rand.New(rand.NewPCG(uint64(i), 0))}
			filled, full := entryCost(b, &w)
			w.ttl = true
			filledTTL, fullTTL := entryCost(b, &w)
			b.Logf("%d bytes: filled %.0f, churned %.0f; with a TTL %.0f, %.0f", w.budget, filled, full, filledTTL, fullTTL)
			all = append(all, filled, full, filledTTL, fullTTL)
		}
	}
	b.ReportMetric(slices.Min(all), "least")
	b.ReportMetric(slices.Max(all), "most")
	b.ReportMetric(statedCost, "stated")
}

var statedCost = float64(fsm.Cost(0, 0) - valueHeader)

// entryCost measures a cache of one budget.
func entryCost(b *testing.B, w *workload) (filled, full float64) {
	b.Helper()
	var err error
	w.cache, err = imdgo.New(imdgo.WithMemoryLimit(w.budget))
	ok(b, err)
	defer w.cache.Close()
	m, err := imdgo.OpenMap[string, string](w.cache, "m")
	ok(b, err)
	w.accounted, w.heap = w.measure()
	overhead := func() float64 {
		accounted, heap := w.measure()
		return statedCost + float64(heap-w.heap-accounted+w.accounted)/float64(m.Len())
	}
	most := int(w.budget * 8 / 10 / fsm.Cost(16, w.size+2))
	value := func(s string) string { return s }
	writeMany(b, w, m, 0, most, 1, w.fixed, value)
	filled = overhead()
	writeMany(b, w, m, most, 4*most, 1, w.fixed, value)
	return filled, overhead()
}
