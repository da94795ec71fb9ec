package interp

/*
#include <stdlib.h>
#include "meter.h"
*/
import "C"

import (
	"time"
	"unsafe"
)

// Phases of a request, in the order of Metrics.Phases.
const (
	ServerTime = iota
	QueueTime
	DaemonTime
	ApplicationTime
	RequestTime
	InputTime
	OutputTime
	GILWaitTime
	Phases
)

// Buckets of a phase: four for each of sixteen octaves from a millisecond on, and one for what is longer.
const Buckets = C.MW_BUCKETS

// A Phase is how long a phase took, in seconds. Shortest and Longest mean something if a request was recorded.
type Phase struct {
	Sum, Shortest, Longest float64
	Buckets                [Buckets]uint32
}

// A Slot is what one request thread has done.
type Slot struct {
	Completed                   uint64
	Busy, CPU, Elapsed, Longest float64 // seconds
}

// Metrics are what the request threads of this process have done since somebody last asked.
type Metrics struct {
	Now, Period        float64 // seconds since the epoch; since the last time
	Completed          uint64  // requests
	Recorded           uint64  // those of them that came as far as the application
	Busy               float64 // seconds in requests, of all threads
	CPUUser, CPUSystem float64 // seconds of the process

	Phases                                                      [Phases]Phase
	GILWaits, InputBytes, InputReads, OutputBytes, OutputWrites uint64
	Classes                                                     [5]uint64 // of recorded requests, by the first digit of the status

	Slots           []Slot // as many as there can be threads
	Started, Active int    // threads that have been seen so far, and that did anything
	Lifetime        uint64 // requests since recording began
}

// RecordForTelemetry begins to record. Applications get no metrics then, see Options.Telemetry.
func RecordForTelemetry() { C.mw_metrics_record(C.MW_METER_TELEMETRY) }

// DrainMetrics takes what was recorded. False when out of memory.
func DrainMetrics() (m Metrics, ok bool) {
	s := C.mw_metrics_drain()
	if s == nil {
		return m, false
	}
	defer C.mw_sum_free(s)
	w := &s.total
	m = Metrics{
		Now: float64(s.now), Period: float64(s.period), Completed: uint64(w.completed), Recorded: uint64(w.recorded),
		Busy: (time.Duration(w.busy) * time.Nanosecond).Seconds(), CPUUser: float64(s.cpu_user), CPUSystem: float64(s.cpu_system),
		GILWaits: uint64(w.gil_waits), InputBytes: uint64(w.input_bytes), InputReads: uint64(w.input_reads),
		OutputBytes: uint64(w.output_bytes), OutputWrites: uint64(w.output_writes),
		Started: int(s.threads), Active: int(s.active), Lifetime: uint64(s.requests),
	}
	for i := range m.Phases {
		p := &w.phases[i]
		m.Phases[i] = Phase{Sum: float64(p.sum), Shortest: float64(p.shortest), Longest: float64(p.longest)}
		for j := range p.buckets {
			m.Phases[i].Buckets[j] = uint32(p.buckets[j])
		}
	}
	for i := range m.Classes {
		m.Classes[i] = uint64(w.classes[i])
	}
	for _, slot := range unsafe.Slice(s.each, int(s.slots)) {
		m.Slots = append(m.Slots, Slot{Completed: uint64(slot.completed), Busy: float64(slot.busy), CPU: float64(slot.cpu),
			Elapsed: float64(slot.elapsed), Longest: float64(slot.longest)})
	}
	return m, true
}
