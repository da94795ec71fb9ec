package life

import (
	"fmt"
	"time"
)

// lostAfter is for how long permits may be out without a request that uses them. A child takes one just before it sends its request.
const lostAfter = 2 * time.Second

// idleness is a time in which permits were out and no request ran or came.
type idleness struct {
	since   Time // 0: it is not so
	started uint64
}

// permitsLost tells whether the permits that are out will not come back: children that were killed had them.
func (m *Machine) permitsLost(v View) bool {
	if v.PermitsOut <= 0 || len(v.Requests) > 0 {
		m.idle = idleness{}
		return false
	}
	if m.idle.since == 0 || m.idle.started != v.Started {
		m.idle = idleness{since: v.Now, started: v.Started}
	}
	return v.Now.Since(m.idle.since) >= lostAfter
}

func (m *Machine) judgePermits(v View) []Action {
	if !m.permitsLost(v) || m.phase >= Retiring {
		return nil
	}
	m.idle = idleness{}
	return []Action{{Kind: Restore, Number: uint64(v.PermitsOut),
		Text: fmt.Sprintf("counts %d free threads again: the children of Apache's that had reserved them are gone", v.PermitsOut)}}
}
