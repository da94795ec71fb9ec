package life

import (
	"fmt"
	"time"
)

// A Phase of a process.
type Phase int

const (
	Serving Phase = iota
	Due
	Retiring
	Ending
)

// An Event is what happened to the process.
type Event int

const (
	FirstRequest  Event = iota // has entered its interpreter
	ScriptLoaded               // for the first time
	RequestsDone               // as many as maximum-requests
	ScriptChanged              // as a request found out
	CPUTimeUsed                // SIGXCPU
	GracefulAsked              // SIGUSR1
	EndAsked                   // SIGTERM, SIGINT, from whoever: the server goes on
	StopAsked                  // the supervisor's order
	ScriptsDone                // of a process that has nothing else to do
	ControlLost                // the supervisor is gone
	LoadFailed                 // what its predecessor serves could not be loaded
)

// A Request in flight.
type Request struct {
	Thread int
	Number uint64 // tells it from the thread's next
	Since  Time
}

// A View is what a process looks like at one moment.
type View struct {
	Now        Time
	Requests   []Request // in the order of threads
	UnderWay   int       // requests that children have sent or are about to send, and that have not arrived
	Active     Time      // when an application last did something
	Loaded     bool      // a script was, ever
	Resident   int64     // bytes of memory; counts only if Limits has one
	ProbeBegan Time      // of the probe of Python's lock that has not come back; 0: there is none
}

// An ActionKind is what is to be done.
type ActionKind int

const (
	Ask       ActionKind = iota // the supervisor for a successor
	Retire                      // take no more requests
	End                         // begin the shutdown phase
	Interrupt                   // the request Number of Thread
	Restore                     // as many permits as Number: they are lost
	Warn                        // the administrator
)

// An Action is for the process to carry out.
type Action struct {
	Kind   ActionKind
	Reason Reason
	Text   string // for the log, at level info, that of Warn at level warning
	Stacks bool   // of End: a time limit struck; log where Python's threads are
	Spent  bool   // of End: the time of Retiring is over, and requests are not done
	Thread int
	Number uint64
}

// A Machine is the life of one process. Its methods are for one goroutine.
type Machine struct {
	limits   Limits
	phase    Phase
	reason   Reason
	began    Time
	first    Time // request
	lastBusy Time
	drain    time.Duration // that Retiring may take
	drainEnd Time
	lasting  Reason                // why it is due whatever becomes of a change of its scripts; "": it is not
	kept     bool                  // it is due, and was told to go on meanwhile
	latest   Time                  // when the process ends, with or without a successor; 0: it was not asked to
	pending  map[int]*interruption // by thread
	missing  shortfall
	memory   memory
}

// An interruption is a request that was found to take too long.
type interruption struct {
	number    uint64
	at        Time
	escalated bool
}

// New is for a process that begins to serve.
func New(limits Limits, now Time) *Machine {
	return &Machine{limits: limits, began: now, pending: map[int]*interruption{}}
}

// Phase is where the process is in its life.
func (m *Machine) Phase() Phase { return m.phase }

// Happened tells the machine of an event.
func (m *Machine) Happened(event Event, now Time) []Action {
	switch event {
	case FirstRequest:
		if m.first == 0 {
			m.first = now
		}
	case RequestsDone:
		return m.due(MaximumRequests)
	case ScriptChanged:
		return m.due(ScriptReload)
	case CPUTimeUsed:
		return m.due(CPUTimeLimit)
	case GracefulAsked:
		if m.limits.Eviction > 0 {
			return m.due(EvictionSignal)
		}
		return m.due(GracefulSignal)
	case EndAsked:
		return m.endAsked(now)
	case StopAsked:
		return m.end(ShutdownSignal, "")
	case ScriptsDone:
		return m.end(ShutdownSignal, "its scripts are done")
	case LoadFailed:
		return m.end(BadDeployment, "")
	case ControlLost:
		return m.end(ShutdownSignal, "the supervisor is gone")
	}
	return nil
}

// RetireNow is the supervisor's order: a successor is ready, or none is wanted.
func (m *Machine) RetireNow(reason Reason, now Time) []Action {
	if m.phase >= Retiring {
		return nil
	}
	if m.latest != 0 {
		return m.end(ShutdownSignal, "")
	}
	m.phase = Retiring
	m.settle(reason)
	limit := m.limits.drainTime(m.reason)
	m.drain, m.drainEnd = limit, now.Plus(limit)
	text := fmt.Sprintf("takes no more requests, and finishes those it has within %v", limit)
	if limit == unlimited {
		text = "takes no more requests, and finishes those it has"
	}
	return []Action{{Kind: Retire, Reason: m.reason, Text: text}}
}

// Look judges the process by what it looks like, and says when to look again.
func (m *Machine) Look(v View) (actions []Action, wait time.Duration) {
	if m.phase == Ending {
		return nil, unlimited
	}
	for _, judge := range []func(View) []Action{m.judgeLock, m.judgeStartup, m.judgeRequests, m.judgePermits, m.judgeAge, m.judgeMemory, m.judgeActivity, m.judgeDrain, m.judgeLatest} {
		actions = append(actions, judge(v)...)
		if m.phase == Ending {
			return actions, unlimited
		}
	}
	return actions, m.wait(v)
}

// Kept is the supervisor's word that no successor could be made with what has changed: the process goes on as it is. It is still due if the
// supervisor says so, and tries again.
func (m *Machine) Kept(stillDue bool) []Action {
	if m.phase != Due {
		return nil
	}
	if stillDue {
		m.kept = true
		return nil
	}
	m.phase, m.reason, m.kept = Serving, "", false
	if m.lasting != "" {
		return m.due(m.lasting)
	}
	return nil
}

func (m *Machine) settle(reason Reason) {
	if m.reason == "" {
		m.reason = reason
	}
}

// due asks for a successor, once; and again for a script that has changed after there was none for the change before.
func (m *Machine) due(reason Reason) []Action { return m.dueFor(reason, reason.Text()) }

func (m *Machine) dueFor(reason Reason, why string) []Action {
	if m.phase > Due {
		return nil
	}
	if reason != ScriptReload && m.lasting == "" {
		m.lasting = reason
	}
	switch {
	case m.phase == Serving:
		m.phase = Due
		m.settle(reason)
	case m.kept && reason == ScriptReload:
		m.kept = false
	default:
		return nil
	}
	return []Action{{Kind: Ask, Reason: reason, Text: "is to be replaced, and serves until its successor is ready: " + why}}
}

// endAsked is somebody's signal, not Apache's: the process serves until its successor is ready, but not for longer than it may take to end. A second
// signal is obeyed at once.
func (m *Machine) endAsked(now Time) []Action {
	if m.phase == Retiring || m.latest != 0 {
		return m.end(ShutdownSignal, "")
	}
	m.latest = now.Plus(unlimited)
	if m.limits.Shutdown > 0 {
		m.latest = now.Plus(m.limits.Shutdown)
	}
	return m.due(ShutdownSignal)
}

func (m *Machine) end(reason Reason, why string) []Action {
	if m.phase == Ending {
		return nil
	}
	m.phase = Ending
	m.settle(reason)
	if why == "" {
		why = reason.Text()
	}
	return []Action{{Kind: End, Reason: m.reason, Text: "shuts down: " + why}}
}

// strike is end for a time limit that requests have run into.
func (m *Machine) strike(reason Reason, why string) []Action {
	actions := m.end(reason, why)
	for i := range actions {
		actions[i].Stacks = true
	}
	return actions
}

func (m *Machine) isStale(r Request, now Time) bool {
	stale := m.limits.stale()
	return stale > 0 && now.Since(r.Since) > stale
}

// working counts the requests that are worth waiting for.
func (m *Machine) working(v View) int {
	n := 0
	for _, r := range v.Requests {
		if !m.isStale(r, v.Now) {
			n++
		}
	}
	return n
}

// Finished tells whether a process that takes no more requests has none left that are worth waiting for.
func (m *Machine) Finished(v View) bool {
	return m.working(v) == 0 && v.UnderWay <= m.permitsLost(v)
}

// Busy tells whether a request is worth waiting for.
func (m *Machine) Busy(v View) bool { return m.working(v) > 0 }

func (m *Machine) judgeLock(v View) []Action {
	if m.limits.Deadlock > 0 && v.ProbeBegan != 0 && v.Now.Since(v.ProbeBegan) >= m.limits.Deadlock {
		return m.strike(DeadlockTimeout, "")
	}
	return nil
}

func (m *Machine) judgeStartup(v View) []Action {
	if m.startupCounts(v) && v.Now.Since(m.first) >= m.limits.Startup {
		if len(v.Requests) == 0 {
			return m.end(StartupTimeout, "") // every attempt has failed, and the log says why
		}
		return m.strike(StartupTimeout, "")
	}
	return nil
}

func (m *Machine) startupCounts(v View) bool {
	return m.limits.Startup > 0 && m.first != 0 && !v.Loaded
}

func (m *Machine) judgeAge(v View) []Action {
	if m.limits.RestartInterval > 0 && v.Now.Since(m.began) >= m.limits.RestartInterval {
		return m.due(RestartInterval)
	}
	return nil
}

// judgeActivity ends a process that had a request, and in which nothing happened since. A request that works quietly keeps it alive.
func (m *Machine) judgeActivity(v View) []Action {
	if m.Busy(v) {
		m.lastBusy = v.Now
	}
	if m.limits.Inactivity > 0 && m.phase == Serving && m.first != 0 && v.Now.Since(m.lastSign(v)) >= m.limits.Inactivity {
		if len(v.Requests) == 0 {
			return m.end(InactivityTimeout, "")
		}
		return m.strike(InactivityTimeout, "") // a request that takes too long to count as work
	}
	return nil
}

// lastSign is when there was a sign of life.
func (m *Machine) lastSign(v View) Time { return max(m.first, m.lastBusy, v.Active) }

// judgeDrain ends a retiring process when it has nothing left to do, or has waited long enough. A stuck request keeps its permit.
func (m *Machine) judgeDrain(v View) []Action {
	if m.phase != Retiring {
		return nil
	}
	switch {
	case m.Finished(v) && len(v.Requests) > 0: // they count as work no more
		return m.strike(m.reason, fmt.Sprintf("%s, and %d stuck requests are not waited for", m.reason.Text(), len(v.Requests)))
	case m.Finished(v):
		return m.end(m.reason, "its requests are done, "+m.reason.Text())
	case v.Now >= m.drainEnd:
		actions := m.end(m.reason, fmt.Sprintf("its requests were given enough time, and %d are not done", len(v.Requests)))
		for i := range actions {
			actions[i].Stacks, actions[i].Spent = m.drain > 0, m.drain > 0
		}
		return actions
	}
	return nil
}

func (m *Machine) judgeLatest(v View) []Action {
	if m.latest != 0 && v.Now >= m.latest {
		return m.end(ShutdownSignal, "it was told to stop, and no successor is ready")
	}
	return nil
}

// drainLook is how often a retiring process is looked at: a child that gives a permit back unused tells nobody.
const drainLook = 100 * time.Millisecond

// longestWait bounds how long a permit that was lost stays unnoticed.
const longestWait = 5 * time.Second

// wait is the time until a limit may strike. Requests that are not there yet strike no sooner than after a whole request-timeout.
func (m *Machine) wait(v View) time.Duration {
	next := v.Now.Plus(longestWait)
	sooner := func(t Time) {
		if t < next {
			next = t
		}
	}
	if m.limits.Request > 0 {
		sooner(v.Now.Plus(m.limits.Fire()))
		for _, r := range v.Requests {
			sooner(m.strikes(r))
		}
	}
	if m.limits.Deadlock > 0 {
		began := v.ProbeBegan
		if began == 0 {
			began = v.Now // at the earliest
		}
		sooner(began.Plus(m.limits.Deadlock))
	}
	if m.startupCounts(v) {
		sooner(m.first.Plus(m.limits.Startup))
	}
	if m.limits.RestartInterval > 0 && m.phase == Serving {
		sooner(m.began.Plus(m.limits.RestartInterval))
	}
	if m.limits.Inactivity > 0 && m.phase == Serving && m.first != 0 {
		sooner(m.lastSign(v).Plus(m.limits.Inactivity))
	}
	if m.limits.Memory > 0 && m.phase == Serving {
		sooner(v.Now.Plus(m.nextMemoryLook(v)))
	}
	if m.latest != 0 {
		sooner(m.latest)
	}
	if m.missing.since != 0 {
		sooner(v.Now.Plus(missingLook))
	} else if len(v.Requests) > 0 {
		sooner(v.Now.Plus(busyLook))
	}
	if m.phase == Retiring {
		sooner(m.drainEnd)
		sooner(v.Now.Plus(drainLook))
	}
	return max(next.Since(v.Now), time.Millisecond)
}
