package server

import (
	"runtime"
	"sync/atomic"
	"time"

	"modwsgi/daemon/life"
	"modwsgi/interp"
)

// A probe takes Python's lock now and then. One that does not come back tells that the lock is stuck.
type probe struct{ since atomic.Int64 }

var probing probe

// began is when the probe that has not come back began, 0 if there is none.
func (p *probe) began() life.Time { return life.Time(p.since.Load()) }

// run never ends, unless Python does not run. A deadlock is noticed within a twentieth of its timeout, and a second at the least.
func (p *probe) run(timeout time.Duration) {
	runtime.LockOSThread() // Python keeps a state for each thread
	pause := min(max(timeout/20, time.Second), 15*time.Second)
	for {
		p.since.Store(int64(now()))
		running := interp.Probe()
		p.since.Store(0)
		if !running {
			return
		}
		time.Sleep(pause)
	}
}
