package server

/*
#include "server.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"modwsgi/daemon/life"
	"modwsgi/interp"
)

// signalEvents says what a signal means.
var signalEvents = map[syscall.Signal]life.Event{
	unix.SIGTERM: life.EndAsked,
	unix.SIGINT:  life.EndAsked,
	unix.SIGUSR1: life.GracefulAsked,
	unix.SIGXCPU: life.CPUTimeUsed,
}

// publishedSignals are those that only applications know a meaning of.
var publishedSignals = []syscall.Signal{unix.SIGHUP, unix.SIGUSR2}

// mostSignals wait for subscribers that are busy with earlier ones; more are dropped.
const mostSignals = 64

// publishSignals tells applications of signals, on a thread of its own, until the process stops.
func (p *process) publishSignals() {
	runtime.LockOSThread() // Python keeps a state for each thread
	defer close(p.published)
	for signal := range p.signals {
		if !p.stopping.Load() {
			interp.PublishSignal(unix.SignalName(signal), int(signal))
		}
	}
}

// publish has a signal published, unless too many are. A process that only runs scripts leaves them the signals.
func (p *process) publish(signal syscall.Signal) {
	if p.group.Threads == 0 {
		return
	}
	select {
	case p.signals <- signal:
	default:
		p.logf(levelWarning, "drops a %s: its subscribers have not dealt with the last %d signals", unix.SignalName(signal), mostSignals)
	}
}

// catchSignals has signals written to a pipe, whose other end it returns.
func catchSignals() (int, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return 0, fmt.Errorf("create a pipe: %w", err)
	}
	C.mwd_own(C.int(ends[0]))
	C.mwd_own(C.int(ends[1]))
	var numbers []C.int
	for _, signal := range publishedSignals {
		numbers = append(numbers, C.int(signal))
	}
	for signal := range signalEvents {
		numbers = append(numbers, C.int(signal))
	}
	if errno := C.mwd_signals_catch(&numbers[0], C.size_t(len(numbers)), C.int(ends[1])); errno != 0 {
		return 0, fmt.Errorf("catch signals: %w", syscall.Errno(errno))
	}
	return ends[0], nil
}
