package report

import (
	"fmt"
	"math"
	"strings"
)

// Duration is a time in nanoseconds, in three digits or so.
func Duration(ns float64) string {
	switch {
	case ns < 999.5:
		return threeDigits(ns) + " ns"
	case ns < 999.5e3:
		return threeDigits(ns/1e3) + " µs"
	case ns < 999.5e6:
		return threeDigits(ns/1e6) + " ms"
	}
	return threeDigits(ns/1e9) + " s"
}

func threeDigits(v float64) string {
	switch {
	case v < 9.995:
		return fmt.Sprintf("%.2f", v)
	case v < 99.95:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// Count is a number with separators, to three digits.
func Count(v float64) string {
	if v < 1000 {
		return threeDigits(v)
	}
	digits := math.Floor(math.Log10(v)) - 2
	unit := math.Pow(10, digits)
	text := fmt.Sprintf("%.0f", math.Round(v/unit)*unit)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Words is a value of this metric as people read it.
func (m Metric) Words(v float64) string {
	switch m {
	case P50, P99, Max, CPUPerOp, Took:
		return Duration(v)
	case HeapBytes, RSSBytes, LogBytes:
		return fmt.Sprintf("%.0f B", v)
	case OfACore:
		return fmt.Sprintf("%.2f %%", v)
	case Allocs:
		return strings.TrimSuffix(fmt.Sprintf("%.2f", v), ".00")
	}
	return Count(v)
}
