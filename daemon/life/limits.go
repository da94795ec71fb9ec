package life

import (
	"math"
	"slices"
	"time"
)

// A Time is what a clock that never goes back shows: CLOCK_MONOTONIC, in nanoseconds. 0 is never.
type Time int64

// Plus is the time a while later.
func (t Time) Plus(d time.Duration) Time {
	if sum := t + Time(d); sum >= t {
		return sum
	}
	return math.MaxInt64
}

// Since is how long ago an earlier time was.
func (t Time) Since(earlier Time) time.Duration { return time.Duration(t - earlier) }

// Limits are the options of WSGIDaemonProcess that concern time, and memory. 0 is none, unless noted.
type Limits struct {
	Threads                                                            int
	Request, Interrupt, Startup, Inactivity, Deadlock, RestartInterval time.Duration
	Graceful, Eviction                                                 time.Duration // 0: see drainTime
	Memory, MemoryConfigured                                           int64         // resident bytes: this process's (SpreadMemory), the option's
	Shutdown                                                           time.Duration
}

// Fire is how long a request may run: the more threads there are, the longer a single stuck one can be borne.
func (l Limits) Fire() time.Duration {
	factor := 1.0
	if l.Threads > 1 {
		factor += math.Log(float64(l.Threads))
	}
	return time.Duration(float64(l.Request) * factor)
}

// stale is the age at which a request does not count as work any more; 0: never.
func (l Limits) stale() time.Duration { return l.Request + l.Interrupt }

const unlimited = time.Duration(math.MaxInt64)

// patient reasons let requests take as long as they like where no time is set.
var patient = []Reason{RestartInterval, CPUTimeLimit, GracefulSignal, MemoryRecycle, IdleTimeout}

// drainTime is how long a retiring process waits for its requests.
func (l Limits) drainTime(reason Reason) time.Duration {
	switch {
	case reason == EvictionSignal:
		return l.Eviction
	case l.Graceful > 0:
		return l.Graceful
	case l.Eviction == 0 && slices.Contains(patient, reason):
		return unlimited
	}
	return 0
}
