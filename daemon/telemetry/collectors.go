package telemetry

import (
	"runtime"

	"modwsgi/daemon/telemetry/datagram"
	"modwsgi/interp"
)

// mostInterpreters of a process have their garbage collectors reported.
const mostInterpreters = 32

// watchCollectors looks at the garbage collectors of all interpreters whenever it is told to. Each look takes their locks, one after the
// other, so it may wait for ever, which costs nothing but these reports.
func (s *service) watchCollectors(look <-chan struct{}) {
	runtime.LockOSThread() // Python keeps a state for each thread
	for range look {
		s.sendCollections(interp.TakeCollections(mostInterpreters))
	}
}

func (s *service) sendCollections(all []interp.Collections) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	for i := range all {
		name := ""
		if len(all) > 1 {
			if name = all[i].ApplicationGroup; name == "" {
				name = "%{GLOBAL}"
			}
		}
		s.sendCollector(&all[i], name)
	}
}

func (s *service) sendCollector(c *interp.Collections, name string) {
	s.send(datagram.GCSnapshot, func(r *datagram.Record) {
		r.Text(datagram.InterpreterName, longestName, name)
		for _, list := range []struct {
			first  datagram.Field
			values [3]uint64
		}{{datagram.GCCount, c.Counts}, {datagram.GCThreshold, c.Thresholds}, {datagram.GCCollections, c.Done},
			{datagram.GCCollected, c.Collected}, {datagram.GCUncollectable, c.Uncollectable}} {
			for generation, value := range list.values {
				r.Unsigned(list.first+datagram.Field(generation), value)
			}
		}
		r.Unsigned(datagram.GCEnabled, truth(c.Enabled))
		r.Unsigned(datagram.GCFrozen, c.Frozen)
		r.Unsigned(datagram.GCDroppedEvents, c.Dropped)
	})
	for _, p := range c.Pauses {
		s.send(datagram.GCEvent, func(r *datagram.Record) {
			r.Text(datagram.InterpreterName, longestName, name)
			r.Double(datagram.GCEventStart, p.Start)
			r.Double(datagram.GCEventDuration, p.Duration)
			r.Unsigned(datagram.GCEventGeneration, p.Generation)
			r.Unsigned(datagram.GCEventCollected, p.Collected)
			r.Unsigned(datagram.GCEventUncollectable, p.Uncollectable)
		})
	}
}
