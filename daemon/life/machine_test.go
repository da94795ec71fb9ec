package life

import (
	"math"
	"slices"
	"testing"
	"time"
)

// clock makes times: at(3) is three seconds after the process began.
func at(seconds float64) Time { return Time(1e9).Plus(time.Duration(seconds * float64(time.Second))) }

func begin(l Limits) *Machine {
	if l.Threads == 0 {
		l.Threads = 1
	}
	return New(l, at(0))
}

// kinds are what actions are about.
func kinds(actions []Action) (list []ActionKind) {
	for _, a := range actions {
		list = append(list, a.Kind)
	}
	return list
}

func expect(t *testing.T, actions []Action, want ...ActionKind) {
	t.Helper()
	if got := kinds(actions); !slices.Equal(got, want) {
		t.Fatalf("actions %v instead of %v", actions, want)
	}
}

func look(m *Machine, v View) []Action {
	actions, _ := m.Look(v)
	return actions
}

func since(threads ...float64) (list []Request) {
	for i, s := range threads {
		list = append(list, Request{Thread: i, Number: 1, Since: at(s)})
	}
	return list
}

func TestWhatIsDueAsksForASuccessorOnce(t *testing.T) {
	for event, want := range map[Event]Reason{RequestsDone: MaximumRequests, ScriptChanged: ScriptReload, CPUTimeUsed: CPUTimeLimit, GracefulAsked: GracefulSignal} {
		m := begin(Limits{Graceful: 15 * time.Second})
		actions := m.Happened(event, at(1))
		expect(t, actions, Ask)
		if actions[0].Reason != want {
			t.Errorf("reason %s instead of %s", actions[0].Reason, want)
		}
		expect(t, m.Happened(event, at(2)))
		expect(t, m.Happened(GracefulAsked, at(3)))
		expect(t, look(m, View{Now: at(1000)}))
	}
}

func TestFirstReasonStays(t *testing.T) {
	m := begin(Limits{Graceful: 15 * time.Second})
	expect(t, m.Happened(RequestsDone, at(1)), Ask)
	retired := m.RetireNow("other", at(2))
	expect(t, retired, Retire)
	ended := m.Happened(StopAsked, at(3))
	expect(t, ended, End)
	if retired[0].Reason != MaximumRequests || ended[0].Reason != MaximumRequests {
		t.Errorf("reasons %s, %s", retired[0].Reason, ended[0].Reason)
	}
}

func TestStopEndsInEveryPhase(t *testing.T) {
	for _, event := range []Event{StopAsked, ControlLost, ScriptsDone} {
		serving, due, retiring := begin(Limits{}), begin(Limits{}), begin(Limits{})
		due.Happened(RequestsDone, at(1))
		retiring.RetireNow(GracefulSignal, at(1))
		for _, m := range []*Machine{serving, due, retiring} {
			expect(t, m.Happened(event, at(2)), End)
			expect(t, m.Happened(event, at(3)))
			expect(t, look(m, View{Now: at(4)}))
		}
	}
}

func TestASignalEndsTheProcessWhenItsSuccessorIsReady(t *testing.T) {
	m := begin(Limits{Shutdown: 5 * time.Second, Graceful: 15 * time.Second})
	expect(t, m.Happened(EndAsked, at(1)), Ask)
	expect(t, look(m, View{Now: at(5.9), Requests: since(0)}))
	expect(t, m.RetireNow(ShutdownSignal, at(5.95)), End)
	expect(t, m.Happened(EndAsked, at(6)))
}

func TestASignalEndsTheProcessWithoutASuccessorInTheEnd(t *testing.T) {
	m := begin(Limits{Shutdown: 5 * time.Second})
	expect(t, m.Happened(EndAsked, at(1)), Ask)
	if _, wait := m.Look(View{Now: at(4)}); wait > 2*time.Second {
		t.Errorf("looked at again after %v", wait)
	}
	expect(t, look(m, View{Now: at(6)}), End)
}

func TestASignalEndsADueProcess(t *testing.T) {
	m := begin(Limits{Shutdown: 5 * time.Second})
	expect(t, m.Happened(RequestsDone, at(0)), Ask)
	expect(t, m.Happened(EndAsked, at(1)))
	expect(t, m.RetireNow(MaximumRequests, at(2)), End)
}

func TestASecondSignalIsObeyedAtOnce(t *testing.T) {
	serving, retiring := begin(Limits{}), begin(Limits{Graceful: time.Minute})
	expect(t, serving.Happened(EndAsked, at(1)), Ask)
	expect(t, serving.Happened(EndAsked, at(2)), End)
	retiring.RetireNow(GracefulSignal, at(1))
	expect(t, retiring.Happened(EndAsked, at(2)), End)
}

func TestDrainTime(t *testing.T) {
	const graceful, eviction = 15 * time.Second, 7 * time.Second
	for _, c := range []struct {
		limits Limits
		reason Reason
		want   time.Duration
	}{
		{Limits{Graceful: graceful, Eviction: eviction}, EvictionSignal, eviction},
		{Limits{Graceful: graceful, Eviction: eviction}, RestartInterval, graceful},
		{Limits{Graceful: graceful}, GracefulSignal, graceful},
		{Limits{Graceful: graceful}, MaximumRequests, graceful},
		{Limits{Eviction: eviction}, RestartInterval, 0},
		{Limits{Eviction: eviction}, MaximumRequests, 0},
		{Limits{}, GracefulSignal, unlimited},
		{Limits{}, RestartInterval, unlimited},
		{Limits{}, CPUTimeLimit, unlimited},
		{Limits{}, MemoryRecycle, unlimited},
		{Limits{}, IdleTimeout, unlimited},
		{Limits{}, MaximumRequests, 0},
		{Limits{}, RequestTimeout, 0},
	} {
		if got := c.limits.drainTime(c.reason); got != c.want {
			t.Errorf("%+v, %s: %v instead of %v", c.limits, c.reason, got, c.want)
		}
	}
}

func TestSIGUSR1IsAnEvictionWhereThatHasATime(t *testing.T) {
	m := begin(Limits{Graceful: 15 * time.Second, Eviction: 3 * time.Second})
	actions := m.Happened(GracefulAsked, at(0))
	if len(actions) != 1 || actions[0].Reason != EvictionSignal {
		t.Fatalf("%v", actions)
	}
	m.RetireNow(EvictionSignal, at(10))
	expect(t, look(m, View{Now: at(12.9), Requests: since(0)}))
	expect(t, look(m, View{Now: at(13), Requests: since(0)}), End)
}

func TestRetiringProcessWaitsForRequestsAndForPermits(t *testing.T) {
	m := begin(Limits{Graceful: 15 * time.Second})
	expect(t, m.RetireNow(RestartInterval, at(0)), Retire)
	expect(t, m.RetireNow(RestartInterval, at(0)))
	expect(t, look(m, View{Now: at(1), Requests: since(0)}))
	expect(t, look(m, View{Now: at(2), UnderWay: 1})) // a child has taken a permit, and is about to send
	expect(t, look(m, View{Now: at(2.1)}), End)
	if m.Phase() != Ending {
		t.Errorf("phase %v", m.Phase())
	}
}

func TestRetiringProcessWithoutADeadlineWaitsOn(t *testing.T) {
	m := begin(Limits{})
	m.Happened(GracefulAsked, at(0))
	m.RetireNow(GracefulSignal, at(0))
	expect(t, look(m, View{Now: at(1e6), Requests: since(0)}))
}

func TestStaleRequestIsNotWaitedFor(t *testing.T) {
	m := begin(Limits{Graceful: 100 * time.Second, Request: 5 * time.Second, Threads: 10})
	m.RetireNow(RestartInterval, at(0))
	expect(t, look(m, View{Now: at(4), Requests: since(0)}))
	expect(t, look(m, View{Now: at(5.1), Requests: since(0)}), End)
}

// lookOften looks every tenth of a second, and returns what the last look brought.
func lookOften(m *Machine, from, to float64, underWay func(n int) int) (actions []Action) {
	for n := 0; ; n++ {
		now := from + float64(n)/10
		if now > to {
			return actions
		}
		actions = look(m, View{Now: at(now), UnderWay: underWay(n)})
	}
}

func TestPermitsThatAreLostAreRestoredUnderLoad(t *testing.T) {
	m := begin(Limits{Threads: 10})
	varying := func(n int) int { return 2 + n%3 } // two are lost, others come and go
	expect(t, lookOften(m, 0, 1.9, varying))
	actions := look(m, View{Now: at(2), UnderWay: 3})
	expect(t, actions, Restore)
	if actions[0].Number != 2 {
		t.Errorf("%d permits", actions[0].Number)
	}
	expect(t, look(m, View{Now: at(2.1)}))
	expect(t, lookOften(m, 2.2, 30, func(n int) int { return n % 19 })) // something is under way almost always
}

func TestPermitsAreNotLostBecauseNobodyLooks(t *testing.T) {
	m := begin(Limits{Threads: 10})
	expect(t, look(m, View{Now: at(0), UnderWay: 1}))
	expect(t, look(m, View{Now: at(60), UnderWay: 1}))
}

func TestRequestsThatWaitForAThreadAreNotLost(t *testing.T) {
	m := begin(Limits{Threads: 2})
	for n := range 100 {
		expect(t, look(m, View{Now: at(float64(n) / 10), Requests: since(0, 0), UnderWay: 1}))
	}
}

func TestRetiringProcessDoesNotWaitForPermitsThatAreLost(t *testing.T) {
	m := begin(Limits{Graceful: time.Hour})
	m.RetireNow(RestartInterval, at(0))
	one := func(int) int { return 1 }
	expect(t, lookOften(m, 0, 1.9, one))
	expect(t, look(m, View{Now: at(2), UnderWay: 1}), End)
}

func TestLimitOfRequestsGrowsWithTheThreads(t *testing.T) {
	for threads, factor := range map[int]float64{1: 1, 5: 2.6, 15: 3.7, 25: 4.2} {
		got := Limits{Request: 10 * time.Second, Threads: threads}.Fire()
		if math.Abs(got.Seconds()/10-factor) > 0.05 {
			t.Errorf("%d threads: %v", threads, got)
		}
	}
}

func TestStuckRequestWithoutInterruptEndsAnIdleProcess(t *testing.T) {
	m := begin(Limits{Request: 10 * time.Second, Graceful: 15 * time.Second})
	expect(t, look(m, View{Now: at(9.9), Requests: since(0)}))
	actions := look(m, View{Now: at(10.1), Requests: since(0)})
	expect(t, actions, End)
	if actions[0].Reason != RequestTimeout || !actions[0].Stacks {
		t.Errorf("%+v", actions[0])
	}
}

func TestStuckRequestBesideOthersReplacesTheProcess(t *testing.T) {
	m := begin(Limits{Request: 10 * time.Second, Graceful: 15 * time.Second, Threads: 2})
	fire := Limits{Request: 10 * time.Second, Threads: 2}.Fire().Seconds() // 16.9 s
	requests := since(0, fire-5)
	actions := look(m, View{Now: at(fire), Requests: requests})
	expect(t, actions, Ask)
	if actions[0].Reason != RequestTimeout {
		t.Errorf("%+v", actions[0])
	}
	expect(t, look(m, View{Now: at(fire + 1), Requests: requests}))
	expect(t, m.RetireNow(RequestTimeout, at(fire+2)), Retire)
	expect(t, look(m, View{Now: at(fire + 3), Requests: requests}))
	ended := look(m, View{Now: at(fire + 3), Requests: requests[:1]})
	expect(t, ended, End)
	if !ended[0].Stacks {
		t.Error("no stacks are asked for")
	}
}

func TestProcessInWhichNothingWorksDoesNotWaitForItsSuccessor(t *testing.T) {
	m := begin(Limits{Request: 10 * time.Second, Graceful: 15 * time.Second, Threads: 2})
	fire := Limits{Request: 10 * time.Second, Threads: 2}.Fire().Seconds()
	expect(t, look(m, View{Now: at(fire), Requests: since(0, fire-5)}), Ask)
	expect(t, look(m, View{Now: at(fire + 1), Requests: since(0)}), End)
}

func TestStuckRequestWithoutGracefulTimeoutEndsTheProcess(t *testing.T) {
	m := begin(Limits{Request: 10 * time.Second, Threads: 2})
	fire := Limits{Request: 10 * time.Second, Threads: 2}.Fire().Seconds()
	expect(t, look(m, View{Now: at(fire), Requests: since(0, fire-5)}), End)
}

func TestStuckRequestIsInterruptedOnceAndThenCostsTheProcess(t *testing.T) {
	m := begin(Limits{Request: 10 * time.Second, Interrupt: 5 * time.Second, Graceful: 15 * time.Second})
	actions := look(m, View{Now: at(10), Requests: since(0)})
	expect(t, actions, Interrupt)
	if actions[0].Thread != 0 || actions[0].Number != 1 {
		t.Errorf("%+v", actions[0])
	}
	expect(t, look(m, View{Now: at(14.9), Requests: since(0)}))
	expect(t, look(m, View{Now: at(15.1), Requests: since(0)}), End)
}

func TestOneInterruptAtALook(t *testing.T) {
	m := begin(Limits{Request: 10 * time.Second, Interrupt: 5 * time.Second})
	requests := since(0, 0)
	expect(t, look(m, View{Now: at(11), Requests: requests}), Interrupt)
	expect(t, look(m, View{Now: at(11), Requests: requests}), Interrupt)
	expect(t, look(m, View{Now: at(11), Requests: requests}))
}

func TestInterruptedThreadMayBeInterruptedInItsNextRequest(t *testing.T) {
	m := begin(Limits{Request: 10 * time.Second, Interrupt: 5 * time.Second})
	expect(t, look(m, View{Now: at(10), Requests: since(0)}), Interrupt)
	next := []Request{{Thread: 0, Number: 2, Since: at(11)}}
	expect(t, look(m, View{Now: at(20), Requests: next}))
	expect(t, look(m, View{Now: at(21), Requests: next}), Interrupt)
}

func TestStartupTimeoutCountsFromTheFirstRequest(t *testing.T) {
	m := begin(Limits{Startup: 10 * time.Second})
	expect(t, look(m, View{Now: at(1000)}))
	m.Happened(FirstRequest, at(1000))
	m.Happened(FirstRequest, at(1005))
	expect(t, look(m, View{Now: at(1009)}))
	expect(t, look(m, View{Now: at(1010)}), End)
	loaded := begin(Limits{Startup: 10 * time.Second})
	loaded.Happened(FirstRequest, at(0))
	expect(t, look(loaded, View{Now: at(11), Loaded: true}))
}

func TestInactivityNeedsAFirstRequestAndNoBusyOne(t *testing.T) {
	m := begin(Limits{Inactivity: 10 * time.Second})
	expect(t, look(m, View{Now: at(1000)}))
	m.Happened(FirstRequest, at(1000))
	expect(t, look(m, View{Now: at(1011), Requests: since(1000), Active: at(1000)})) // works quietly
	expect(t, look(m, View{Now: at(1020), Active: at(1000)}))
	expect(t, look(m, View{Now: at(1020.5), Active: at(1012)}))
	expect(t, look(m, View{Now: at(1022), Active: at(1012)}), End)
}

func TestDeadlockIsAProbeThatDoesNotComeBack(t *testing.T) {
	m := begin(Limits{Deadlock: 300 * time.Second})
	expect(t, look(m, View{Now: at(1000), ProbeBegan: at(999)}))
	expect(t, look(m, View{Now: at(1298), ProbeBegan: at(999)}))
	expect(t, look(m, View{Now: at(1299), ProbeBegan: at(999)}), End)
}

func TestRestartIntervalAsksOnce(t *testing.T) {
	m := begin(Limits{RestartInterval: 60 * time.Second})
	expect(t, look(m, View{Now: at(59)}))
	expect(t, look(m, View{Now: at(60)}), Ask)
	expect(t, look(m, View{Now: at(600)}))
}

func TestNextLookIsWhenALimitMayStrike(t *testing.T) {
	for name, c := range map[string]struct {
		limits Limits
		view   View
		want   time.Duration
	}{
		"nothing":               {Limits{}, View{Now: at(1)}, longestWait},
		"a request":             {Limits{Request: 3 * time.Second}, View{Now: at(2), Requests: since(0)}, time.Second},
		"requests to come":      {Limits{Request: 3 * time.Second}, View{Now: at(2)}, 3 * time.Second},
		"age":                   {Limits{RestartInterval: 3 * time.Second}, View{Now: at(2)}, time.Second},
		"a probe":               {Limits{Deadlock: 3 * time.Second}, View{Now: at(2), ProbeBegan: at(1)}, 2 * time.Second},
		"requests run":          {Limits{Threads: 2}, View{Now: at(2), Requests: since(0)}, busyLook},
		"requests on their way": {Limits{}, View{Now: at(2), UnderWay: 1}, missingLook},
	} {
		if _, wait := begin(c.limits).Look(c.view); wait != c.want {
			t.Errorf("%s: %v instead of %v", name, wait, c.want)
		}
	}
}

func TestRecordsSayWhy(t *testing.T) {
	for reason := range texts {
		if reason.Text() == string(reason) {
			t.Errorf("%s is not explained", reason)
		}
	}
	if got := Reason("other").Text(); got != "other" {
		t.Errorf("%q", got)
	}
}

func TestAProcessWithoutSuccessorServesOn(t *testing.T) {
	m := begin(Limits{})
	expect(t, m.Happened(ScriptChanged, at(1)), Ask)
	expect(t, m.Kept(false))
	if m.Phase() != Serving {
		t.Fatalf("phase %d", m.Phase())
	}
	expect(t, m.Kept(false))
	expect(t, m.Happened(ScriptChanged, at(2)), Ask) // the next change
	expect(t, m.Kept(false))
	actions := m.Happened(RequestsDone, at(3))
	expect(t, actions, Ask)
	if actions[0].Reason != MaximumRequests {
		t.Errorf("reason %s", actions[0].Reason)
	}
	if retired := m.RetireNow("", at(4)); retired[0].Reason != MaximumRequests {
		t.Errorf("reason %s", retired[0].Reason)
	}
}

func TestWhatHappenedWhileASuccessorWasMadeIsNotForgotten(t *testing.T) {
	m := begin(Limits{})
	expect(t, m.Happened(ScriptChanged, at(1)), Ask)
	expect(t, m.Happened(RequestsDone, at(2)))
	actions := m.Kept(false)
	expect(t, actions, Ask)
	if actions[0].Reason != MaximumRequests {
		t.Errorf("reason %s", actions[0].Reason)
	}
}

func TestAProcessThatIsStillDueAsksForChangesOnly(t *testing.T) {
	m := begin(Limits{})
	expect(t, m.Happened(RequestsDone, at(1)), Ask)
	expect(t, m.Happened(ScriptChanged, at(2))) // its successor will have that
	expect(t, m.Kept(true))
	expect(t, m.Happened(GracefulAsked, at(3)))
	expect(t, m.Happened(ScriptChanged, at(4)), Ask)
	expect(t, m.Happened(ScriptChanged, at(5)))
	if retired := m.RetireNow(ScriptReload, at(6)); retired[0].Reason != MaximumRequests {
		t.Errorf("reason %s", retired[0].Reason)
	}
	expect(t, m.Kept(false))
	if m.Phase() != Retiring {
		t.Error("too late")
	}
}
