package supervisor

import (
	"errors"
	"slices"
	"syscall"
	"time"

	"modwsgi/daemon"
	"modwsgi/daemon/errorlog"
	"modwsgi/daemon/fate"
)

// reconcile makes what is there into what should be there: kills what is overdue, starts what is missing, tells the board.
func (g *group) reconcile() {
	g.killOverdue()
	g.advanceRolls()
	g.lateSuccessors()
	g.lift()
	if !g.stopping {
		g.resize()
		// Places without a process first: slots may be short while many processes take long to end.
		for i := range g.places {
			if p := &g.places[i]; p.lacks() {
				_ = g.fill(p)
			}
		}
		for i := range g.places {
			if p := &g.places[i]; p.wantsSuccessor() {
				_ = g.fill(p)
			}
		}
	}
	hopeless := no
	if g.hopelessNow() {
		hopeless = yes
	}
	if hopeless != g.hopeless {
		g.hopeless = hopeless
		g.board.SetHopeless(g.number, hopeless == yes, time.Until(g.startsAgain()))
	}
}

// hopelessNow tells whether no process is there or is being started. An elastic group without one is well, unless it can't start any.
func (g *group) hopelessNow() bool {
	if slices.ContainsFunc(g.places, func(p place) bool { return p.current != nil }) {
		return false
	}
	return !g.config.Elastic() || g.stopping || g.wanted() > 0 || time.Now().Before(g.startsAgain())
}

// alarm fires when reconcile has something to do although nothing happens; nil if that is never.
func (g *group) alarm() <-chan time.Time {
	var at time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	for _, m := range g.members {
		if m != nil && !m.killed {
			sooner(m.deadline)
		}
	}
	for i := range g.places {
		// Without a free slot, a process has to end first, and that is an event.
		p := &g.places[i]
		if !g.stopping && (p.lacks() || p.wantsSuccessor()) && slices.Contains(g.members, nil) && !g.waitsForFirst(p) {
			sooner(p.backOff().before)
		}
		if s := p.successor; s != nil && s.ready.IsZero() && !s.late {
			sooner(s.started.Add(lateAfter))
		}
	}
	if g.config.Elastic() && !g.stopping {
		sooner(g.nextLook())
	}
	if at.IsZero() {
		return nil
	}
	return time.After(time.Until(at))
}

// fill starts a process for a place, unless it is too early or there is no slot.
func (g *group) fill(p *place) error {
	slot := slices.Index(g.members, nil)
	if slot < 0 || time.Now().Before(p.backOff().before) || g.waitsForFirst(p) {
		return nil
	}
	g.serial++
	plan := g.preload(p)
	m := &member{serial: g.serial, slot: slot, started: time.Now(), place: p, strict: plan != nil && plan.Strict}
	m.rest.served = g.board.Served(g.slot(m))
	g.board.SetSlot(g.slot(m), daemon.SlotWord{Serial: m.serial, State: daemon.SlotStarting}, 0, g.config.Threads)
	started, err := g.starter.start(daemon.Assignment{Group: g.number, Slot: g.slot(m), Serial: m.serial, Preload: plan}, func(e event) { g.events <- e })
	if err != nil {
		g.board.SetSlot(g.slot(m), daemon.SlotWord{Serial: m.serial}, 0, 0)
		p.backOff().failed(time.Now())
		g.logStart(m, err, p.backOff().next(time.Now()))
		return err
	}
	m.process = started
	g.members[slot] = m
	if p.current == nil {
		p.current = m
	} else {
		p.successor = m
	}
	g.log.Printf(errorlog.Info, 0, "%s is started", g.name(m))
	return nil
}

// logStart tells the log, and the requests that wait, why there is no process.
func (g *group) logStart(m *member, err error, next string) {
	code := codeNoProcess
	if f := (*fault)(nil); errors.As(err, &f) {
		code = f.code
	}
	var errno syscall.Errno
	_ = errors.As(err, &errno) // 0 if it was not the system
	failure := fate.Failure{Code: code, Errno: int(errno)}
	g.board.SetTrouble(g.number, fate.Fate{Serial: m.serial, Means: fate.NotStarted, Value: failure.Pack()}.Pack())
	g.log.Printf(errorlog.Alert, code, "no process for group '%s': %v; %s", g.config.Name, err, next)
}
