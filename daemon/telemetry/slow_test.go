package telemetry

import (
	"slices"
	"testing"
	"time"

	"modwsgi/interp"
)

func TestEachRequestIsReportedOnceWhenItPassesTheLimit(t *testing.T) {
	w := newSlowWatch(2 * time.Second)
	a, b, c := interp.RequestID{Number: 1}, interp.RequestID{Number: 3}, interp.RequestID{Number: 5}
	running := func(seconds ...float64) (list []interp.Running) {
		for i, id := range []interp.RequestID{a, b, c}[:len(seconds)] {
			list = append(list, interp.Running{Request: id, Elapsed: time.Duration(seconds[i] * float64(time.Second))})
		}
		return list
	}
	for i, step := range []struct {
		running []interp.Running
		slow    []interp.RequestID
		pause   time.Duration
	}{
		{nil, nil, time.Second},
		{running(0.5), nil, time.Second},
		{running(1.9, 0.1), nil, 100 * time.Millisecond},
		{running(2, 0.2), []interp.RequestID{a}, time.Second},
		{running(3, 1.9999, 2.1), []interp.RequestID{c}, shortestPause},
		{running(4, 2.1, 2.2), []interp.RequestID{b}, time.Second},
		{running(5, 3), nil, time.Second},
		{nil, nil, time.Second},
		{running(2.5), []interp.RequestID{a}, time.Second}, // forgotten meanwhile
	} {
		if slow, pause := w.choose(step.running); !slices.Equal(slow, step.slow) || pause != step.pause {
			t.Errorf("step %d: %v, look again after %v; want %v, %v", i, slow, pause, step.slow, step.pause)
		}
	}
}

func TestShortLimitsDoNotSpin(t *testing.T) {
	if _, pause := newSlowWatch(time.Nanosecond).choose(nil); pause != shortestPause {
		t.Errorf("looks again after %v", pause)
	}
}

func TestTimesAreAsPreciseAsPeopleWantThem(t *testing.T) {
	for d, want := range map[time.Duration]string{1234567 * time.Nanosecond: "1ms", 999400 * time.Microsecond: "999ms", 1449 * time.Millisecond: "1.4s", 75*time.Second + 1: "1m15s"} {
		if got := tenths(d); got != want {
			t.Errorf("%v is told as %s, not %s", d, got, want)
		}
	}
}
