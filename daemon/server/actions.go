package server

import (
	"modwsgi/daemon"
	"modwsgi/daemon/fate"
	"modwsgi/daemon/life"
	"modwsgi/interp"
)

// carryOut does what was decided. It does not return from the end of the process.
func (m *monitor) carryOut(actions []life.Action) {
	p := m.process
	for _, a := range actions {
		switch a.Kind {
		case life.Interrupt: // says more
		case life.Warn:
			p.logf(levelWarning, "%s", a.Text)
		default:
			p.logf(levelInfo, "%s", a.Text)
		}
		switch a.Kind {
		case life.Ask:
			p.notify(daemon.Due, a.Reason)
		case life.Retire:
			p.retire()
			reportEnds()
		case life.Interrupt:
			p.interrupt(a)
		case life.Restore:
			p.board.AddPermits(p.assignment.Slot, p.assignment.Serial, int(a.Number))
			p.board.Wake(p.assignment.Group)
		case life.End:
			m.shutDown(a)
		}
	}
}

// interrupt does not wait for the interpreter, which may be stuck.
func (p *process) interrupt(a life.Action) {
	victim, uri, ok := victim(a.Thread, a.Number)
	if !ok {
		return
	}
	p.logf(levelInfo, "%s: %s in application group '%s', thread %d", a.Text, uri, victim.ApplicationGroup, victim.PythonID)
	go func() {
		told := p.logStacks(fate.Reason(life.RequestTimeout, p.group))
		if interp.Interrupt(victim, !told) {
			p.logf(levelInfo, "raised mod_wsgi.RequestTimeout in thread %d", victim.PythonID)
		}
	}()
}

// keep goes on with the code that is loaded.
func (m *monitor) keep(order daemon.Order) {
	culprit, version := "", interp.Version{}
	if order.Culprit != nil {
		culprit, version = string(order.Culprit.Script), interp.Version(order.Culprit.Version)
	}
	interp.Hold(culprit, version)
	m.process.board.SetFresh(m.process.assignment.Slot)
	m.process.tell(daemon.Notice{Kind: daemon.Kept, Number: order.Number})
	m.process.logf(levelInfo, "goes on with the code that it has")
	m.carryOut(m.machine.Kept(order.Reason != ""))
}
