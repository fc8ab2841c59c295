package suite

import (
	"errors"
	"slices"
	"time"
)

// takeover is how long after the kill the writes went on: when the longest pause
// between two acknowledgements ended. What was acknowledged right after the kill
// had been committed before it. The ends are when writes were acknowledged.
func takeover(ends []int64, killed int64) (time.Duration, error) {
	ends = slices.Sorted(slices.Values(ends))
	i, _ := slices.BinarySearch(ends, killed)
	if i == 0 {
		return 0, errors.New("no write was acknowledged before the kill")
	}
	if i == len(ends) {
		return 0, errors.New("no write was acknowledged after the kill")
	}
	last, longest, resumed := killed, int64(-1), int64(0)
	for _, end := range ends[i:] {
		if end-last > longest {
			longest, resumed = end-last, end
		}
		last = end
	}
	return time.Duration(resumed - killed), nil
}

// quantile is the value that a share of them is not above.
func quantile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}
