package life

import (
	"fmt"
	"time"
)

// A child of Apache's takes a permit just before it sends its request, so that requests are under way for microseconds. A child that is killed in
// between takes the permit with it. Under load there may be requests under way whenever one looks; but not as many every time.
const (
	lostAfter   = 2 * time.Second // for so long, and
	leastLooks  = 10              // at so many looks, requests were under way
	missingLook = lostAfter / (2 * leastLooks)
	busyLook    = time.Second // how long at most a loss stays unnoticed while requests run
)

// A shortfall is a time in which requests were under way whenever somebody looked. The zero value: they were not at the last look.
type shortfall struct {
	since Time
	least int // of them
	looks int
}

// permitsLost tells how many permits will not come back.
func (m *Machine) permitsLost(v View) int {
	underWay := min(v.UnderWay, m.limits.Threads-len(v.Requests)) // what has been sent waits while no thread is free
	if underWay <= 0 {
		m.missing = shortfall{}
		return 0
	}
	if m.missing.since == 0 {
		m.missing = shortfall{since: v.Now, least: underWay}
	}
	m.missing.least = min(m.missing.least, underWay)
	m.missing.looks++
	if v.Now.Since(m.missing.since) < lostAfter || m.missing.looks < leastLooks {
		return 0
	}
	return m.missing.least
}

func (m *Machine) judgePermits(v View) []Action {
	lost := m.permitsLost(v)
	if lost == 0 || m.phase >= Retiring {
		return nil
	}
	m.missing = shortfall{}
	return []Action{{Kind: Restore, Number: uint64(lost),
		Text: fmt.Sprintf("counts %d free threads again: the children of Apache's that had reserved them are gone", lost)}}
}
