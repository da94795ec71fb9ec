package server

/*
#include "server.h"
*/
import "C"

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"modwsgi/daemon/life"
)

// signalEvents says what a signal means. SIGHUP and SIGUSR2 mean nothing yet, but must not end the process.
var signalEvents = map[syscall.Signal]life.Event{
	unix.SIGTERM: life.StopAsked,
	unix.SIGINT:  life.StopAsked,
	unix.SIGUSR1: life.GracefulAsked,
	unix.SIGXCPU: life.CPUTimeUsed,
}

// catchSignals has signals written to a pipe, whose other end it returns.
func catchSignals() (int, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return 0, fmt.Errorf("create a pipe: %w", err)
	}
	C.mwd_own(C.int(ends[0]))
	C.mwd_own(C.int(ends[1]))
	numbers := []C.int{C.int(unix.SIGHUP), C.int(unix.SIGUSR2)}
	for signal := range signalEvents {
		numbers = append(numbers, C.int(signal))
	}
	if errno := C.mwd_signals_catch(&numbers[0], C.size_t(len(numbers)), C.int(ends[1])); errno != 0 {
		return 0, fmt.Errorf("catch signals: %w", syscall.Errno(errno))
	}
	return ends[0], nil
}
