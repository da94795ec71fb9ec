package supervisor

import (
	"fmt"
	"time"

	"modwsgi/daemon"
	"modwsgi/daemon/errorlog"
	"modwsgi/daemon/fate"
)

// What happens to a process, one function for each event. They note it; what has to be started then is up to reconcile.
//
// A service process keeps its place until it has ended: two of them would do the same work at the same time.

// ready lets a successor take over.
func (g *group) ready(m *member) {
	if m.place == nil || !m.ready.IsZero() {
		return
	}
	p := m.place
	m.ready, m.loading = time.Now(), nil
	m.rest.since = m.ready
	p.retry.proven = m.ready
	g.board.SetTrouble(g.number, daemon.Fate{})
	if g.former != nil { // who waits there may come here now
		g.former.Wake(g.number)
	}
	if m == p.current {
		g.log.Printf(errorlog.Info, 0, "%s is ready", g.name(m))
		return
	}
	old := p.current
	g.log.Printf(errorlog.Info, 0, "%s is ready and replaces process %d", g.name(m), old.process.pid())
	g.deployment.tookOver(m)
	p.succession = backOff{}
	p.vacate(old)
	g.retire(old)
}

// retire tells a process to finish what it has, and to end.
func (g *group) retire(m *member) {
	m.reason = m.due
	m.process.order(daemon.Order{Kind: daemon.Retire, Reason: m.due})
	grace, shutdown := max(g.config.GracefulTimeout, g.config.EvictionTimeout), g.config.ShutdownTimeout
	if grace > 0 && shutdown > 0 { // otherwise it may take as long as it likes
		m.deadline = time.Now().Add(grace + shutdown + killAfter)
	}
}

// due notes that a process wants to be replaced.
func (g *group) due(m *member, reason string) {
	if m.place == nil || m.shutting {
		return
	}
	if reason == scriptReload && m == m.place.current {
		g.changedAgain(m)
	}
	if m.due != "" {
		return
	}
	if m.due, m.dueAt = reason, time.Now(); reason == "" {
		m.due = "unknown"
	}
	g.log.Printf(errorlog.Info, 0, "%s is to be replaced: %s", g.name(m), m.due)
	if g.service() {
		g.retire(m)
	}
}

// ending notes that a process takes no more requests and shuts down.
func (g *group) ending(m *member, n daemon.Notice) {
	if m.shutting {
		return // saying it again gives it no more time
	}
	m.shutting = true
	if n.Spent {
		m.spent |= fate.DrainSpent
	}
	if m.reason == "" {
		m.reason = n.Reason
	}
	if shutdown := g.config.ShutdownTimeout; shutdown > 0 && !g.stopping {
		m.deadline = time.Now().Add(shutdown + killAfter)
	}
	if m.place != nil && !g.service() {
		g.leave(m, false)
	}
}

// late notes that the time of a process is over. What it does then is up to it, until its deadline.
func (g *group) late(m *member) { m.spent |= fate.ShutdownSpent }

// ended empties the slot of a process that is reaped, and tells the requests that were in it how it ended.
func (g *group) ended(m *member, e ending) {
	f := g.fateOf(m, e)
	g.board.SetFate(g.slot(m), f.Pack())
	if m.ready.IsZero() && !g.service() && !g.stopping {
		g.board.SetTrouble(g.number, f.Pack())
	}
	g.members[m.slot] = nil
	g.restarts[m.why(e)]++
	g.board.SetSlot(g.slot(m), daemon.SlotWord{Serial: m.serial}, 0, 0)
	next := ""
	if p := m.place; p != nil {
		isSuccessor := m == p.successor
		g.leave(m, e.ordinary())
		next = p.backOff().next(time.Now())
		if isSuccessor && m.ready.IsZero() {
			g.successorFailed(p, m, m.loading, "it "+f.Ending()+m.whileLoading())
		}
	}
	g.logEnd(m, e, f, next)
}

// leave makes the place of a process free that nobody told to go, and says when the place may be filled again.
func (g *group) leave(m *member, ordinary bool) {
	now, p := time.Now(), m.place
	isSuccessor := m == p.successor
	p.vacate(m)
	p.wanted = p.current != nil || g.surplus() <= 0 // of an elastic group: it comes back when there is work for it
	switch {
	case g.service():
		p.retry.returned(now, now.Sub(m.started), ordinary)
	case m.ready.IsZero() && isSuccessor:
		p.succession.failed(now)
	case m.gaveUp && m.strict: // without a predecessor: the next one serves what there is
	case m.ready.IsZero(), !m.shutting && now.Sub(m.ready) < provenAfter: // one that says that it ends was able to start
		p.retry.failed(now)
	}
}

// stopAll orders every process to end.
func (g *group) stopAll() {
	g.stopping = true
	shutdown := g.config.ShutdownTimeout
	if shutdown == 0 {
		shutdown = endlessShutdown
	}
	for _, m := range g.members {
		if m == nil {
			continue
		}
		if m.place != nil {
			m.place.vacate(m)
		}
		if m.reason == "" {
			m.reason = "shutdown_signal"
		}
		m.process.order(daemon.Order{Kind: daemon.Stop, Reason: "shutdown_signal"})
		m.deadline = time.Now().Add(shutdown + killAfter)
	}
}

// killOverdue ends the processes whose deadline has passed.
func (g *group) killOverdue() {
	for _, m := range g.members {
		if m == nil || m.killed || m.deadline.IsZero() || time.Now().Before(m.deadline) {
			continue
		}
		m.killed = true
		g.log.Printf(errorlog.Error, codeOverdue, "%s did not end in time (%s), it is killed", g.name(m), m.reason)
		m.process.kill()
	}
}

// logEnd says how a process ended, and when the next one starts.
func (g *group) logEnd(m *member, e ending, f fate.Fate, next string) {
	text := fmt.Sprintf("%s %s", g.name(m), f.Ending())
	switch {
	case m.reason != "":
		text += " (" + m.reason + ")"
	case m.ready.IsZero() && !g.service() && m.unfit == 0:
		text += " before it was ready" + m.whileLoading()
	}
	if why := f.Why(g.config); why != "" {
		text += ": " + why
	}
	if next != "" {
		text += "; " + next
	}
	switch {
	case e.ordinary(), m.killed, m.gaveUp, m.repeated:
		g.log.Printf(errorlog.Info, 0, "%s", text)
	default:
		g.log.Printf(errorlog.Error, codeProcessFailed, "%s", text)
	}
}

// name is a process as the log calls it.
func (g *group) name(m *member) string {
	return fmt.Sprintf("daemon process %d of group '%s'", m.process.pid(), g.config.Name)
}

// slot is the number of a process's slot on the board.
func (g *group) slot(m *member) int { return g.board.FirstSlot(g.number) + m.slot }
