package life

import (
	"strings"
	"testing"
	"time"
)

const mebibyte = 1 << 20

// holding is a process with its application loaded.
func holding(seconds float64, resident int64) View {
	return View{Now: at(seconds), Loaded: true, Resident: resident}
}

func TestAProcessThatHoldsTooMuchIsDue(t *testing.T) {
	m := begin(Limits{Memory: 95 * mebibyte, MemoryConfigured: 100 * mebibyte, Graceful: 15 * time.Second})
	expect(t, look(m, View{Now: at(1), Resident: 500 * mebibyte})) // nothing is loaded: it would not be better with a successor
	expect(t, look(m, holding(2, 30*mebibyte)))
	expect(t, look(m, holding(5, 95*mebibyte-1)))
	actions := look(m, holding(6, 95*mebibyte))
	expect(t, actions, Ask)
	for _, part := range []string{"99614720 bytes", "memory-recycle=104857600", "95.0 MiB"} {
		if !strings.Contains(actions[0].Text, part) {
			t.Errorf("%q does not say %q", actions[0].Text, part)
		}
	}
	if actions[0].Reason != MemoryRecycle {
		t.Errorf("the reason is %s", actions[0].Reason)
	}
	expect(t, look(m, holding(7, 300*mebibyte)))
}

func TestMemoryIsLookedAtEverySecond(t *testing.T) {
	m := begin(Limits{Memory: 95 * mebibyte, MemoryConfigured: 100 * mebibyte})
	if _, wait := m.Look(holding(1, 0)); wait != time.Second {
		t.Errorf("the next look is in %v", wait)
	}
	m = begin(Limits{})
	if _, wait := m.Look(holding(1, 1<<40)); wait != longestWait {
		t.Errorf("without a limit the next look is in %v", wait)
	}
}

func TestTheApplicationIsLookedAtAsSoonAsItIsLoaded(t *testing.T) {
	m := begin(Limits{Memory: 95 * mebibyte, MemoryConfigured: 100 * mebibyte})
	m.Happened(FirstRequest, at(1))
	if _, wait := m.Look(View{Now: at(1)}); wait != loadingLook {
		t.Errorf("the next look is in %v", wait)
	}
	if _, wait := m.Look(View{Now: at(12)}); wait != memoryLook { // it can't be loaded
		t.Errorf("the next look is in %v", wait)
	}
}

func TestAnApplicationThatNeedsMoreThanTheLimitIsNotReplacedForEver(t *testing.T) {
	m := begin(Limits{Memory: 95 * mebibyte, MemoryConfigured: 100 * mebibyte})
	expect(t, look(m, holding(1, 100*mebibyte)))
	expect(t, look(m, holding(1.1, 100*mebibyte)))
	expect(t, look(m, holding(2, 120*mebibyte))) // it may still be loading
	expect(t, look(m, holding(3, 148*mebibyte)))
	actions := look(m, holding(4, 150*mebibyte))
	expect(t, actions, Warn)
	for _, part := range []string{"150.0 MiB", "memory-recycle=104857600", "300.0 MiB", "too low"} {
		if !strings.Contains(actions[0].Text, part) {
			t.Errorf("%q does not say %q", actions[0].Text, part)
		}
	}
	expect(t, look(m, holding(5, 150*mebibyte))) // once
	expect(t, look(m, holding(1000, 300*mebibyte-1)))
	expect(t, look(m, holding(1001, 300*mebibyte)), Ask)
}

func TestAProcessThatLeaksFromTheBeginningIsReplaced(t *testing.T) {
	m := begin(Limits{Memory: 95 * mebibyte, MemoryConfigured: 100 * mebibyte})
	for s := 1.0; s < 11; s++ {
		expect(t, look(m, holding(s, int64(s)*100*mebibyte)))
	}
	expect(t, look(m, holding(11, 1100*mebibyte)), Ask)
}

func TestProcessesOfAGroupHaveDifferentLimits(t *testing.T) {
	const configured = 1000 * mebibyte
	var tenths [10]int
	for serial := uint32(1); serial <= 100; serial++ {
		limit := SpreadMemory(configured, serial)
		if limit > configured || limit < configured*9/10 {
			t.Fatalf("process %d has the limit %d", serial, limit)
		}
		if again := SpreadMemory(configured, serial); again != limit {
			t.Errorf("process %d has the limit %d, and then %d", serial, limit, again)
		}
		tenths[min((configured-limit)*100/configured, 9)]++
	}
	for i, n := range tenths {
		if n < 8 || n > 12 {
			t.Errorf("of 100 processes %d have a limit between %d and %d %% lower: %v", n, i, i+1, tenths)
		}
	}
	if SpreadMemory(0, 7) != 0 {
		t.Error("no limit becomes one")
	}
}
