package supervisor

import (
	"fmt"
	"slices"
	"time"

	"modwsgi/daemon"
	"modwsgi/daemon/errorlog"
)

// Deployments. A successor loads what its predecessor has loaded before it takes over. If it can't, the predecessor goes on with the code that it
// has, unless the group has keep-old-code=Off:
//
//  1. The successor says Failed, or dies, and leaves its place.
//  2. Every process that serves is told to Keep, passes over changed scripts from then on, and says Kept.
//  3. When all have, requests that wait for a newer process are let go to any (Lift).
//  4. A process that was due for nothing but the change is due no more; it asks again when one of the files has changed again. One that is due for
//     another reason gets another successor later.

const (
	scriptReload  = "script_reload"  // life.ScriptReload
	badDeployment = "bad_deployment" // life.BadDeployment

	// lateAfter is how long a successor may load before requests that wait for it are served with the old code.
	lateAfter = 30 * time.Second
	// loadPatience is how long a process may load in advance that takes the place of a dead one, if startup-timeout does not say it. It is to be back:
	// its first requests can load the rest.
	loadPatience = time.Minute
)

// A deployment is what a group knows of the code of its processes.
type deployment struct {
	culprit  *daemon.Load    // what a successor could not load, until another one could; nil: there is no such thing
	proven   time.Time       // when the last successor was started that got ready
	order    uint32          // number of the last Keep
	awaiting map[uint32]bool // serials of the processes that have not confirmed it; nil: all have
}

// knows tells whether it is known, and in the log, that the script can't be loaded in this version.
func (d *deployment) knows(what *daemon.Load) bool {
	return d.culprit != nil && d.culprit.Script == what.Script && d.culprit.Version == what.Version
}

// tookOver notes that a successor did, with what it has loaded.
func (d *deployment) tookOver(m *member) {
	d.proven = m.started
	if d.culprit != nil && slices.ContainsFunc(m.applications, func(l daemon.Load) bool { return l.Application == d.culprit.Application }) {
		d.culprit = nil
	}
}

// preload is what a new process for the place loads in advance; nil for nothing.
func (g *group) preload(p *place) *daemon.Preload {
	plan := &daemon.Preload{Limit: g.config.StartupTimeout, Known: g.deployment.culprit}
	switch {
	case g.service():
		return nil
	case p.current != nil:
		plan.Applications, plan.Strict = applicationsOf(p.current.applications), g.config.KeepOldCode
		if !plan.Strict && p.succession.failing(time.Now()) {
			return nil // it may have died of it
		}
	case p.retry.failing(time.Now()) || !g.othersServe(p):
		return nil // requests wait for it, and load what they want
	default:
		plan.Applications = applicationsOf(p.applications)
		if len(plan.Applications) == 0 { // a new place of an elastic group
			plan.Applications = applicationsOf(g.someApplications())
		}
		if plan.Limit == 0 {
			plan.Limit = loadPatience
		}
	}
	if len(plan.Applications) == 0 {
		return nil
	}
	return plan
}

// someApplications are those of a process that serves.
func (g *group) someApplications() []daemon.Load {
	for i := range g.places {
		if m := g.places[i].current; m.serves() && len(m.applications) > 0 {
			return m.applications
		}
	}
	return nil
}

func (g *group) othersServe(p *place) bool {
	for i := range g.places {
		if q := &g.places[i]; q != p && q.current.serves() {
			return true
		}
	}
	return false
}

// loaded notes what a process has loaded, or found in it.
func (m *member) loaded(what daemon.Load) {
	same := func(known daemon.Load) bool { return known.Application == what.Application }
	if i := slices.IndexFunc(m.applications, same); i >= 0 {
		m.applications[i] = what
		return
	}
	m.applications = append(m.applications, what)
}

func applicationsOf(loads []daemon.Load) []daemon.Application {
	var list []daemon.Application
	for _, l := range loads {
		list = append(list, l.Application)
	}
	return list
}

// answer tells a process what others have loaded of a script that it has not.
func (g *group) answer(m *member, question daemon.Notice) {
	order := daemon.Order{Kind: daemon.Reply, Number: question.Number, Bad: g.deployment.knows(question.Load)}
	for i := range g.places {
		other := g.places[i].current
		if other == m || !other.serves() {
			continue
		}
		for _, l := range other.applications {
			if l.Script == question.Load.Script && l.Group == question.Load.Group {
				order.Have, order.Same = true, order.Same || l.Version == question.Load.Version
			}
		}
	}
	m.process.order(order)
}

// waitsForFirst tells whether the place's successor is not started yet because another one is on its way, which shows whether it can be done at all:
// why not is then logged once. Those that were due before the last successor that got ready was started are known to be possible.
func (g *group) waitsForFirst(p *place) bool {
	if p.current == nil {
		return false
	}
	return slices.ContainsFunc(g.places, func(q place) bool {
		loading := q.successor != nil && q.successor.ready.IsZero() && !q.successor.late
		return loading && !(g.isProven(p) && g.isProven(&q))
	})
}

func (g *group) isProven(p *place) bool { return !p.current.dueAt.After(g.deployment.proven) }

// cannotLoad notes that a process ends because it can't load what it has to.
func (g *group) cannotLoad(m *member, what *daemon.Load, why string) {
	if m.gaveUp || !m.ready.IsZero() {
		return
	}
	m.gaveUp = true
	if m.reason == "" {
		m.reason = badDeployment
	}
	if m.deadline.IsZero() && g.config.ShutdownTimeout > 0 {
		m.deadline = time.Now().Add(g.config.ShutdownTimeout + killAfter)
	}
	if p := m.place; p != nil {
		isSuccessor := m == p.successor
		g.leave(m, false)
		if isSuccessor {
			g.successorFailed(p, m, what, why)
			return
		}
	}
	g.log.Printf(errorlog.Error, codeNotLoaded, "%s gives up: %s", g.name(m), why)
}

// successorFailed has the processes go on with the code that they have. The successor has left its place.
func (g *group) successorFailed(p *place, m *member, culprit *daemon.Load, why string) {
	old := p.current
	if !g.config.KeepOldCode || g.stopping {
		return
	}
	m.repeated = culprit != nil && g.deployment.knows(culprit)
	g.deployment.culprit = culprit
	if culprit != nil {
		for _, q := range g.places {
			if q.current != nil && q.current.due == scriptReload && q.successor == nil {
				q.current.due = ""
			}
		}
	}
	next := "the next attempt is in " + time.Until(p.succession.before).Round(time.Second).String()
	if old.due == "" && culprit != nil {
		next = fmt.Sprintf("the next attempt is made when %s has changed again", culprit.Script)
	}
	level := errorlog.Error
	if m.repeated {
		level = errorlog.Info
	}
	g.log.Printf(level, codeNotLoaded, "%s can't take over from process %d, which goes on with the code that it has: %s; %s", g.name(m), old.process.pid(), why, next)
	g.keep(culprit)
}

// keep tells every process that serves to pass over what has changed.
func (g *group) keep(culprit *daemon.Load) {
	d := &g.deployment
	d.order++
	d.awaiting = map[uint32]bool{}
	for i := range g.places {
		if m := g.places[i].current; m.serves() {
			d.awaiting[m.serial] = true
			m.process.order(daemon.Order{Kind: daemon.Keep, Reason: m.due, Culprit: culprit, Number: d.order})
		}
	}
}

// kept notes that a process passes over what has changed.
func (g *group) kept(m *member, order uint32) {
	if order == g.deployment.order {
		delete(g.deployment.awaiting, m.serial)
	}
}

// lift lets requests go that wait for a newer process, once no process sends them back any more.
func (g *group) lift() {
	d := &g.deployment
	if d.awaiting == nil {
		return
	}
	for serial := range d.awaiting {
		if m := g.member(serial); m == nil || m.place == nil {
			delete(d.awaiting, serial)
		}
	}
	if len(d.awaiting) == 0 {
		d.awaiting = nil
		g.board.Lift(g.number)
	}
}

// lateSuccessors lets requests go that wait for a successor which takes too long. It goes on, and takes over when it is done.
func (g *group) lateSuccessors() {
	for i := range g.places {
		p := &g.places[i]
		s := p.successor
		if s == nil || !s.ready.IsZero() || s.late || time.Now().Before(s.started.Add(lateAfter)) {
			continue
		}
		s.late = true
		if !g.config.KeepOldCode {
			continue
		}
		g.log.Printf(errorlog.Warning, codeLate, "%s has not been ready for %v%s: process %d goes on with the code that it has, and no request waits any longer",
			g.name(s), lateAfter, s.whileLoading(), p.current.process.pid())
		g.keep(s.loading)
	}
}

// changedAgain has the next attempt made now.
func (g *group) changedAgain(m *member) {
	p, now := m.place, time.Now()
	p.succession, m.dueAt = backOff{}, now
	s := p.successor
	if s == nil || !s.late {
		return
	}
	p.vacate(s)
	s.reason = "shutdown_signal"
	s.process.order(daemon.Order{Kind: daemon.Stop, Reason: s.reason})
	if g.config.ShutdownTimeout > 0 {
		s.deadline = now.Add(g.config.ShutdownTimeout + killAfter)
	}
}

// whileLoading is what a process was doing, for the log.
func (m *member) whileLoading() string {
	if m.loading == nil {
		return ""
	}
	return fmt.Sprintf(" while loading script %s in application group '%s'", m.loading.Script, m.loading.Group)
}

// serves tells whether requests go to the process.
func (m *member) serves() bool { return m != nil && !m.ready.IsZero() && !m.shutting && m.reason == "" }
