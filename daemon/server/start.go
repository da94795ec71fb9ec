package server

/*
#include <time.h>
#include "server.h"

static int mwd_set_time_zone(int unused) { (void)unused; tzset(); return 0; }
static int mwd_restore_limit(int unused) { (void)unused; return mwd_restore_descriptor_limit(); }
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
	"modwsgi/daemon/setup"
	"modwsgi/daemon/telemetry"
	"modwsgi/directives"
)

const (
	exitDone   = 0
	exitFailed = 255 // the classic module's -1
)

// Run is the whole life of a daemon process. To be called on the first thread of the process, which becomes Python's main thread; what it
// returns is the exit status of a process that could not begin.
func Run() int {
	for fd := daemon.ControlFD; fd <= daemon.RecordingFD; fd++ {
		unix.CloseOnExec(fd)
	}
	signal.Ignore(syscall.SIGPIPE)
	debug.SetGCPercent(400) // there is hardly anything to collect
	p, err := begin()
	if err != nil {
		logAt(levelAlert, "WSGI0025: this daemon process can't begin: %v", err)
		return exitFailed
	}
	if err := p.setUp(); err != nil {
		logAt(levelAlert, "%v, for process group '%s'", err, p.group.Name)
		logAt(levelAlert, "WSGI%04d: daemon process %d of group '%s' can't be set up, and ends", codeSetUp, os.Getpid(), p.group.Name)
		p.tell(daemon.Notice{Kind: daemon.Unfit, Code: codeOf(err)})
		return exitFailed
	}
	m, err := newMonitor(p)
	if err != nil {
		logAt(levelAlert, "WSGI0027: daemon process %d of group '%s' can't receive signals, and ends: %v", os.Getpid(), p.group.Name, err)
		return exitFailed
	}
	go m.run()
	p.startPython()
	p.prepareDumps()
	if p.group.Threads == 0 {
		p.runService()
	} else {
		go p.publishSignals()
		if err := p.prepareThreads(); err != nil {
			p.cannotServe(err)
		}
		if p.preload() {
			p.reporter = telemetry.Start(p.config, p.group.Name, p.group.Threads, func(text string) { logAt(levelWarning, "%s", text) })
			p.serve()
		}
		close(p.started)
	}
	for work := range p.mainThread { // the monitor ends the process
		work()
	}
	return exitDone
}

// begin reads the messages and files that the supervisor has prepared.
func begin() (*process, error) {
	assignment, err := readAssignment(daemon.ControlFD)
	if err != nil {
		return nil, err
	}
	config, err := readRecording(daemon.RecordingFD)
	if err != nil {
		return nil, err
	}
	if assignment.Group < 0 || assignment.Group >= len(config.Process.Groups) {
		return nil, fmt.Errorf("it is said to belong to process group %d of %d", assignment.Group, len(config.Process.Groups))
	}
	p := newProcess(assignment, config)
	if err := useLogFormat(config, p.group.Server); err != nil {
		logAt(levelWarning, "daemon process of group '%s': %v; its records have Apache's default format", p.group.Name, err)
	}
	p.board, err = daemon.OpenPart(daemon.BoardFD, daemon.Slots(config.Process.Groups), assignment.Group)
	if err != nil {
		return nil, err
	}
	if p.group.ServerMetrics {
		if p.mailbox, err = daemon.OpenMailbox(daemon.BoardFD, daemon.Slots(config.Process.Groups)); err != nil {
			return nil, err
		}
	}
	unix.Close(daemon.BoardFD)
	return p, nil
}

func readAssignment(fd int) (daemon.Assignment, error) {
	packet := make([]byte, daemon.MaxAssignment)
	n, err := readPacket(fd, packet)
	if err != nil {
		return daemon.Assignment{}, fmt.Errorf("read who it is: %w", err)
	}
	return daemon.DecodeMessage[daemon.Assignment](packet[:n])
}

// readPacket reads one message; end of file is an error.
func readPacket(fd int, packet []byte) (int, error) {
	for {
		n, err := unix.Read(fd, packet)
		switch {
		case err == nil && n == 0:
			return 0, errors.New("the supervisor is gone")
		case !errors.Is(err, unix.EINTR):
			return n, err
		}
	}
}

// readRecording does not move the file's position, which other processes share.
func readRecording(fd int) (*directives.Config, error) {
	var about unix.Stat_t
	if err := unix.Fstat(fd, &about); err != nil {
		return nil, fmt.Errorf("look at the recorded configuration: %w", err)
	}
	recording := make([]byte, about.Size)
	for at := 0; at < len(recording); {
		n, err := unix.Pread(fd, recording[at:], int64(at))
		if err != nil || n == 0 {
			return nil, fmt.Errorf("read the recorded configuration: %d of %d bytes, %v", at, len(recording), err)
		}
		at += n
	}
	unix.Close(fd)
	decoded, err := directives.Decode(recording)
	if err != nil {
		return nil, err
	}
	return directives.Compile(decoded)
}

// codeOf is the code of a failure to set the process up.
func codeOf(err error) int {
	if failure := (*setup.Failure)(nil); errors.As(err, &failure) {
		return failure.Code
	}
	return codeSetUp
}

// codeSetUp is for a process that can't become what its group says.
const codeSetUp = 25

// setUp makes the process what its group says.
func (p *process) setUp() error {
	plan, failure := setup.Decide(p.config, p.group, setup.Surroundings{
		EUID: os.Geteuid(), Accounts: setup.SystemAccounts,
		IsSet: func(variable string) bool { _, set := os.LookupEnv(variable); return set },
	})
	if failure != nil {
		return failure
	}
	if dir := p.config.Facts["core_dump_directory"]; dir != "" {
		C.mwd_crash_directory(C.CString(dir)) // kept until the process ends
	}
	var err error
	if p.memory, err = openMemoryGauge(); err != nil && p.group.MemoryRecycle > 0 {
		p.logf(levelWarning, "can't %v: memory-recycle has no effect", err)
	}
	C.mwd_set_time_zone(0) // before a chroot, where there are no time zones
	warnings, failure := plan.Apply()
	for _, w := range warnings {
		logAt(levelWarning, "%v, for process group '%s'", w, p.group.Name)
	}
	if failure != nil {
		return failure
	}
	if errno := C.mwd_restore_limit(0); errno != 0 {
		p.logf(levelInfo, "has Go's limit of open files, not the server's: %v", syscall.Errno(errno))
	}
	if plan.Locale != "" && !setLocale(plan.Locale) {
		logAt(levelWarning, "WSGI0079: the system has no locale %q (locale= of process group '%s'); the inherited one stays", plan.Locale, p.group.Name)
	}
	return nil
}
