package steadyload

import (
	"slices"
	"time"
)

// Part are the requests that were sent in a span of time.
func Part(shots []Shot, from, to time.Duration) []Shot {
	var part []Shot
	for _, s := range shots {
		if s.At >= from && s.At < to {
			part = append(part, s)
		}
	}
	return part
}

// Failed are those that failed.
func Failed(shots []Shot) []Shot {
	return slices.DeleteFunc(slices.Clone(shots), func(s Shot) bool { return !s.Failed() })
}

// Quantile is how long the fastest part of the requests took at most: 0.99 for 99 of 100, 1 for all. Failed ones count as well.
func Quantile(shots []Shot, part float64) time.Duration {
	if len(shots) == 0 {
		return 0
	}
	took := make([]time.Duration, len(shots))
	for i, s := range shots {
		took[i] = s.Took
	}
	slices.Sort(took)
	return took[min(int(float64(len(took))*part), len(took)-1)]
}
