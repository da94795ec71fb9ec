package life

import (
	"testing"
	"time"
)

// Whose end is worth a look at the stacks: that of a process in which requests have run into a limit of time.

func TestStacksAreAskedForWhereALimitStruckARequest(t *testing.T) {
	const minute = time.Minute
	for name, c := range map[string]struct {
		limits        Limits
		view          View
		prepare       func(m *Machine)
		stacks, spent bool
	}{
		"deadlock-timeout":                         {limits: Limits{Deadlock: minute}, view: View{ProbeBegan: at(0)}, stacks: true},
		"request-timeout":                          {limits: Limits{Request: minute}, view: View{Requests: since(0)}, stacks: true},
		"startup-timeout":                          {limits: Limits{Startup: minute}, view: View{Requests: since(0)}, stacks: true},
		"startup-timeout, every script has failed": {limits: Limits{Startup: minute}},
		"inactivity-timeout":                       {limits: Limits{Inactivity: minute}, view: View{Loaded: true}},
		"graceful-timeout": {limits: Limits{Graceful: minute}, view: View{Loaded: true, Requests: since(0)},
			prepare: func(m *Machine) { m.RetireNow(MaximumRequests, at(0)) }, stacks: true, spent: true},
		"no graceful-timeout": {view: View{Loaded: true, Requests: since(0)}, prepare: func(m *Machine) { m.RetireNow(MaximumRequests, at(0)) }},
		"a stuck request that is not waited for": {limits: Limits{Graceful: 10 * minute, Request: minute / 2}, view: View{Loaded: true, Requests: since(0)},
			prepare: func(m *Machine) { m.RetireNow(MaximumRequests, at(0)) }, stacks: true},
		"nothing left to do": {limits: Limits{Graceful: minute}, view: View{Loaded: true}, prepare: func(m *Machine) { m.RetireNow(MaximumRequests, at(0)) }},
	} {
		t.Run(name, func(t *testing.T) {
			m := begin(c.limits)
			m.Happened(FirstRequest, at(0))
			if c.prepare != nil {
				c.prepare(m)
			}
			c.view.Now = at(61)
			actions := look(m, c.view)
			expect(t, actions, End)
			if actions[0].Stacks != c.stacks || actions[0].Spent != c.spent {
				t.Errorf("stacks %v, spent %v; want %v, %v", actions[0].Stacks, actions[0].Spent, c.stacks, c.spent)
			}
		})
	}
}

func TestReasonsKeepTheirNumbers(t *testing.T) {
	for i, reason := range []Reason{"", MaximumRequests, RestartInterval, CPUTimeLimit, EvictionSignal, GracefulSignal, RequestTimeout, DeadlockTimeout,
		InactivityTimeout, StartupTimeout, ScriptReload, ShutdownSignal, RestartCommand, MemoryRecycle, IdleTimeout} {
		if reason.Number() != i || ReasonOf(i) != reason {
			t.Errorf("%q has the number %d, and %d means %q", reason, reason.Number(), i, ReasonOf(i))
		}
	}
	if got := ReasonOf(255); got != "" {
		t.Errorf("255 means %q", got)
	}
}
