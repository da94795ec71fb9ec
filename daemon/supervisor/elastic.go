package supervisor

import (
	"time"

	"modwsgi/daemon"
	"modwsgi/daemon/errorlog"
)

// How many processes an elastic group wants. It grows when requests have waited for a while although there is no thread for them, and shrinks
// when a process has had nothing to do for idle-timeout. Nothing is looked at while nothing happens: a child of Apache's rings when a request has
// to wait, and who rests is looked at only while there are more processes than minimum-processes.

const (
	// growAfter is how long requests have to wait for the group to grow, at every look: less is an ordinary fluctuation. A group without a
	// process grows at once.
	growAfter = 100 * time.Millisecond
	lookPause = growAfter / 2
	// restLooks is how often a process's rest is looked at in its idle-timeout.
	restLooks = 4
)

// A demand is what requests want of an elastic group.
type demand struct {
	number uint32    // that is or was on the board's bell
	armed  bool      // nobody has rung
	since  time.Time // requests have waited since then, or since the group last grew; zero: none do
}

// A rest is for how long a process has had nothing to do.
type rest struct {
	served uint32 // its count of requests
	since  time.Time
}

// ring says that a request waits for the group. Any goroutine.
func (g *group) ring() {
	select {
	case g.bell <- struct{}{}:
	default: // it is known
	}
}

// rung notes that a request began to wait.
func (g *group) rung() {
	if g.demand.armed {
		g.demand.armed, g.demand.since = false, time.Now()
	}
}

// arm has the next request that waits ring. Those that wait already look again, and ring.
func (g *group) arm() {
	d := &g.demand
	if d.armed {
		return
	}
	if d.number++; d.number == 0 {
		d.number++
	}
	d.armed = true
	g.board.SetBell(g.number, d.number)
	if g.board.Waiting(g.number) > 0 {
		g.board.Wake(g.number)
	}
}

// wanted is how many processes the group should have.
func (g *group) wanted() int {
	n := 0
	for i := range g.places {
		if g.places[i].wanted {
			n++
		}
	}
	return n
}

// surplus is how many of them it can do without.
func (g *group) surplus() int { return g.wanted() - g.config.LeastProcesses() }

// startsAgain is when processes may be started again: while they fail, a group does not grow.
func (g *group) startsAgain() (at time.Time) {
	for i := range g.places {
		if before := g.places[i].retry.before; before.After(at) {
			at = before
		}
	}
	return at
}

func (g *group) resize() {
	if g.config.Elastic() {
		g.shrink()
		g.grow()
	}
}

// grow wants one more process if requests wait that those which are being started will not serve.
func (g *group) grow() {
	now, d := time.Now(), &g.demand
	if !d.since.IsZero() && g.enough() {
		d.since = time.Time{}
	}
	wanted := g.wanted()
	switch {
	case wanted == len(g.places), now.Before(g.startsAgain()):
		d.since = time.Time{} // no more is possible; that changes with an event, or with time
	case d.since.IsZero():
		g.arm()
	case wanted == 0, now.Sub(d.since) >= growAfter && g.board.Waiting(g.number) > g.starting()*g.config.Threads:
		d.since = now
		for i := range g.places {
			if p := &g.places[i]; !p.wanted {
				p.wanted = true
				break
			}
		}
		g.log.Printf(errorlog.Info, 0, "the group '%s' gets a process more, %d of at most %d: requests wait and no thread is free", g.config.Name, wanted+1, len(g.places))
	}
}

// enough tells whether there is a thread for every request that waits. A child of Apache's that is killed may leave requests that do not exist.
func (g *group) enough() bool {
	free := 0
	for i := range g.places {
		if m := g.places[i].current; m != nil {
			if w := g.board.Slot(g.slot(m)); w.State == daemon.SlotReady && w.Serial == m.serial {
				free += int(w.Permits)
			}
		}
	}
	return g.board.Waiting(g.number) <= free
}

// starting is how many processes will soon take requests.
func (g *group) starting() int {
	n := 0
	for i := range g.places {
		if p := &g.places[i]; p.wanted && (p.current == nil || p.current.ready.IsZero()) {
			n++
		}
	}
	return n
}

// shrink retires processes that have had nothing to do for long enough. Apache's children prefer slots in front, so those behind go first.
func (g *group) shrink() {
	limit := g.config.IdleTimeout
	if limit == 0 || g.deployment.culprit != nil { // who has the old code is needed
		return
	}
	for i := len(g.members) - 1; i >= 0 && g.surplus() > 0; i-- {
		m := g.members[i]
		if m == nil || !m.dispensable() {
			continue
		}
		g.lookAtRest(m)
		if time.Since(m.rest.since) < limit {
			continue
		}
		g.arm() // before there may be no process: a request that finds none rings
		if g.board.RetireIdle(g.slot(m), m.serial, g.config.Threads) {
			g.dismiss(m)
		} else {
			m.rest.since = time.Now() // it has a request, or the board does not say what it should
		}
	}
}

// dispensable tells whether a process serves, and is not on its way out.
func (m *member) dispensable() bool {
	return m.place != nil && m.place.current == m && m.place.successor == nil && !m.ready.IsZero() && m.due == "" && !m.shutting
}

func (g *group) lookAtRest(m *member) {
	if served := g.board.Served(g.slot(m)); served != m.rest.served {
		m.rest = rest{served: served, since: time.Now()}
	}
}

// dismiss lets a process go that rests.
func (g *group) dismiss(m *member) {
	p := m.place
	p.wanted = false
	p.vacate(m)
	m.due = "idle_timeout"
	g.log.Printf(errorlog.Info, 0, "%s has had no request for idle-timeout, %v: it ends, and the group has %d of at least %d", g.name(m), g.config.IdleTimeout, g.wanted(),
		g.config.LeastProcesses())
	g.retire(m)
}

// nextLook is when to look at the group although nothing happens; zero: never.
func (g *group) nextLook() (at time.Time) {
	now := time.Now()
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	if !g.demand.since.IsZero() {
		sooner(now.Add(lookPause))
	}
	if again := g.startsAgain(); again.After(now) {
		sooner(again)
	}
	if limit := g.config.IdleTimeout; limit > 0 && g.surplus() > 0 && g.deployment.culprit == nil {
		for _, m := range g.members {
			if m != nil && m.dispensable() {
				sooner(now.Add(limit / restLooks))
				sooner(m.rest.since.Add(limit))
			}
		}
	}
	return at
}
