package supervisor

import (
	"time"

	"modwsgi/daemon/errorlog"
	"modwsgi/daemon/life"
)

// A roll replaces the processes of a group, one after the other.
type roll struct {
	waiting  []uint32 // serials of the processes that are still to be replaced, in this order
	replaced int
	done     chan struct{} // closed when none waits
}

// startRoll begins to replace the processes that there are. A missing one that is to be started later is started now.
func (g *group) startRoll() *roll {
	r := &roll{done: make(chan struct{})}
	for i := range g.places {
		p := &g.places[i]
		switch {
		case p.current == nil:
			p.retry.before = time.Time{}
		default:
			r.waiting = append(r.waiting, p.current.serial)
		}
	}
	g.rolls = append(g.rolls, r)
	g.log.Printf(errorlog.Info, 0, "the processes of group '%s' are to be replaced, %d of them", g.config.Name, len(r.waiting))
	return r
}

// advanceRolls takes each roll as far as it goes now.
func (g *group) advanceRolls() {
	for i := 0; i < len(g.rolls); {
		if g.advance(g.rolls[i]); len(g.rolls[i].waiting) > 0 && !g.stopping {
			i++
			continue
		}
		close(g.rolls[i].done)
		g.rolls = append(g.rolls[:i], g.rolls[i+1:]...)
	}
}

func (g *group) advance(r *roll) {
	for len(r.waiting) > 0 {
		m := g.member(r.waiting[0])
		if m != nil && m.place != nil {
			if !m.ready.IsZero() || g.service() { // otherwise it is not known yet whether it can serve
				g.due(m, string(life.RestartCommand))
			}
			return
		}
		r.waiting = r.waiting[1:]
		r.replaced++
	}
}
