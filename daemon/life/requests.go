package life

import (
	"fmt"
	"time"
)

// judgeRequests finds those that take too long: the first is interrupted, one at a look; one that goes on after that, or that may not be
// interrupted, costs the process.
func (m *Machine) judgeRequests(v View) []Action {
	if m.limits.Request == 0 {
		return nil
	}
	for _, r := range v.Requests {
		if v.Now < m.strikes(r) {
			continue
		}
		known := m.pending[r.Thread]
		if known == nil || known.number != r.Number {
			known = &interruption{number: r.Number, at: v.Now}
			m.pending[r.Thread] = known
			if m.limits.Interrupt > 0 {
				return []Action{{Kind: Interrupt, Thread: r.Thread, Number: r.Number,
					Text: fmt.Sprintf("interrupts a request that has taken %v", v.Now.Since(r.Since).Round(100*time.Millisecond))}}
			}
		}
		known.escalated = true
		if actions := m.escalate(v); actions != nil {
			return actions
		}
	}
	if m.phase == Due && m.stuck(v) && !m.Busy(v) {
		return m.strike(RequestTimeout, "") // the successor takes long, and here nothing works any more
	}
	return nil
}

// stuck tells whether a request that cost the process is still there.
func (m *Machine) stuck(v View) bool {
	for _, r := range v.Requests {
		if known := m.pending[r.Thread]; known != nil && known.number == r.Number && known.escalated {
			return true
		}
	}
	return false
}

// strikes is when the limit strikes a request, for the first time or after an interrupt; never after it has cost the process.
func (m *Machine) strikes(r Request) Time {
	known := m.pending[r.Thread]
	switch {
	case known == nil || known.number != r.Number:
		return r.Since.Plus(m.limits.Fire())
	case known.escalated:
		return never
	}
	return known.at.Plus(m.limits.Interrupt)
}

const never Time = 1<<63 - 1

// escalate replaces the process. While other requests work it goes on until its successor is ready, if it may.
func (m *Machine) escalate(v View) []Action {
	switch {
	case m.phase == Retiring:
		return nil // the stuck request is not waited for anyway
	case m.Busy(v) && m.limits.Graceful > 0:
		return m.due(RequestTimeout)
	}
	return m.strike(RequestTimeout, "")
}
