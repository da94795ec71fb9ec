package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"

	"golang.org/x/sys/unix"

	"modwsgi/daemon/supervisor"
)

// Descriptors that Apache's parent starts a supervisor with, beside the control socket, 0, and the main error log, 2.
const (
	boardFD  = 3
	usersFD  = 4
	formerFD = 5 // the board of the last configuration; the same as boardFD if there is none
)

// runSupervise looks after the daemon processes of one configuration until Apache has no more use for them.
func runSupervise(_ io.Reader, _, errors io.Writer) int {
	for _, fd := range []int{0, boardFD, usersFD, formerFD} {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			fmt.Fprintf(errors, "mod_wsgi-daemon supervise: descriptor %d is missing; Apache's module starts this command\n", fd)
			return exitUsage
		}
	}
	if err := keepDescriptors(); err != nil {
		fmt.Fprintf(errors, "mod_wsgi-daemon supervise: keep descriptors from daemon processes: %v\n", err)
		return exitFailed
	}
	// SIGPIPE: a log that nobody reads any more must not end this process. SIGHUP, SIGUSR1 and SIGWINCH mean something to Apache's parent
	// and may reach its whole process group.
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, unix.SIGPIPE, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM, unix.SIGINT)
	parent := os.Getppid()
	former := formerFD
	if sameFile(formerFD, boardFD) {
		former = 0
	}
	err := supervisor.Run(supervisor.Surroundings{
		Former:  former,
		Control: os.NewFile(0, "control"), Users: os.NewFile(usersFD, "users"), Board: boardFD, Errors: os.Stderr, Program: supervisor.Program,
		Parent: func() bool { return os.Getppid() == parent }, Signals: stop,
	})
	if err != nil {
		fmt.Fprintf(errors, "mod_wsgi-daemon supervise: %v\n", err)
		return exitFailed
	}
	return exitDone
}

func sameFile(a, b int) bool {
	var one, other unix.Stat_t
	return unix.Fstat(a, &one) == nil && unix.Fstat(b, &other) == nil && one.Dev == other.Dev && one.Ino == other.Ino
}

// keepDescriptors sees to it that a daemon process gets what the supervisor gives it and nothing that Apache, or whoever started Apache, left
// open. A descriptor for the standard streams is replaced there anyway.
func keepDescriptors() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
