package main

import (
	"math"
	"math/rand/v2"
	"sort"
)

// generators make the workloads that no public trace shows alone. They are the
// same in every run.
var generators = []struct {
	name string
	keys func() []uint32
}{
	{"zipf-0.7", func() []uint32 { return zipf(.7, 300_000, 50_000) }},
	{"zipf-1.0", func() []uint32 { return zipf(1, 300_000, 50_000) }},
	{"zipf-1.2", func() []uint32 { return zipf(1.2, 300_000, 50_000) }},
	{"scan", scan},
	{"zipf+scans", zipfWithScans},
	{"zipf+loop", zipfWithLoop},
	{"loops", loops},
	{"shifting", shifting},
	{"recent", recent},
	{"one-hit", oneHit},
}

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2026)) }

// popularity draws from n ranks, of which rank r has weight 1/(r+1)^s.
type popularity []float64

func newPopularity(s float64, n int) popularity {
	sums, sum := make(popularity, n), 0.0
	for r := range sums {
		sum += math.Pow(float64(r+1), -s)
		sums[r] = sum
	}
	return sums
}

func (p popularity) draw(rng *rand.Rand) uint32 {
	return uint32(min(sort.SearchFloat64s(p, rng.Float64()*p[len(p)-1]), len(p)-1))
}

// zipf is a popularity that does not change.
func zipf(s float64, requests, keys int) []uint32 {
	rng, p := source(1), newPopularity(s, keys)
	out := make([]uint32, requests)
	for i := range out {
		out[i] = p.draw(rng)
	}
	return out
}

// scan asks for each key once, then for each again, five times over: a loop that
// no cache holds.
func scan() (out []uint32) {
	for range 5 {
		for k := range uint32(40_000) {
			out = append(out, k)
		}
	}
	return out
}

// zipfWithScans: now and then a run over keys that nobody else asks for.
func zipfWithScans() (out []uint32) {
	rng, p := source(2), newPopularity(.9, 20_000)
	next := uint32(20_000)
	for len(out) < 300_000 {
		for range 5_000 {
			out = append(out, p.draw(rng))
		}
		for range 3_000 {
			out = append(out, next)
			next++
		}
	}
	return out
}

// zipfWithLoop: every other request goes round a loop.
func zipfWithLoop() (out []uint32) {
	rng, p := source(3), newPopularity(.9, 20_000)
	for i := range uint32(150_000) {
		out = append(out, p.draw(rng), 20_000+i%8_000)
	}
	return out
}

// loops goes round loops of several lengths, one after the other.
func loops() (out []uint32) {
	first := uint32(0)
	for _, length := range []uint32{200, 500, 1_000, 2_000, 4_000} {
		for i := range 10 * length {
			out = append(out, first+i%length)
		}
		first += length
	}
	return append(out, out...)
}

// shifting is a popularity whose ranks move on to other keys all the time: every
// key is popular once.
func shifting() (out []uint32) {
	rng, p := source(4), newPopularity(.9, 10_000)
	for i := range uint32(300_000) {
		out = append(out, p.draw(rng)+i/10)
	}
	return out
}

// recent asks mostly for what was asked for lately: the distance back is drawn
// from a power law, and every fifth key is a new one.
func recent() []uint32 {
	rng := source(5)
	out := []uint32{0}
	for next := uint32(1); len(out) < 300_000; {
		if rng.IntN(5) == 0 {
			out = append(out, next)
			next++
			continue
		}
		back := int(math.Exp(rng.Float64() * math.Log(float64(len(out)))))
		out = append(out, out[len(out)-back])
	}
	return out
}

// oneHit: half of the requests are for keys that never come again.
func oneHit() (out []uint32) {
	rng, p := source(6), newPopularity(.9, 20_000)
	for i := range uint32(150_000) {
		out = append(out, p.draw(rng), 20_000+i)
	}
	return out
}
