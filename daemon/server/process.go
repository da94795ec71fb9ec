package server

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
	"modwsgi/daemon/life"
	"modwsgi/daemon/telemetry"
	"modwsgi/directives"
)

// A process is this daemon process. There is one.
type process struct {
	config     *directives.Config
	group      *directives.DaemonGroup
	assignment daemon.Assignment
	board      *daemon.Board
	mailbox    *daemon.Mailbox // nil unless the group has server-metrics=On
	memory     *memoryGauge    // nil if there is none
	wake       int             // an eventfd: the request threads have something to say

	stopping atomic.Bool         // no further scripts, no request threads
	done     atomic.Bool         // a process that only runs scripts has run them
	failed   atomic.Bool         // what its predecessor serves can't be loaded
	started  chan struct{}       // closed when the first thread has done its part
	reporter *telemetry.Reporter // set before that; nil in a process without request threads

	mainThread chan func()         // what the first thread, Python's main thread, does then; see onMainThread
	signals    chan syscall.Signal // for applications, see publishSignals; the monitor sends and closes it
	published  chan struct{}       // closed when they are told of no more

	stacks stacks // what the log was told of them

	mu      sync.Mutex // guards what follows, and the change of stopping
	serving bool       // request threads run
	retired bool
	service bool // SIGTERM ends the script that runs

	questions questions
	abandoned bool // the supervisor was found to be gone while the process shut down; the monitor's

	telling sync.Mutex // guards what follows, and the order of such notices
	told    int        // of the applications, to the supervisor
}

func newProcess(a daemon.Assignment, config *directives.Config) *process {
	return &process{config: config, group: config.Process.Groups[a.Group], assignment: a, started: make(chan struct{}),
		mainThread: make(chan func(), 1), signals: make(chan syscall.Signal, mostSignals), published: make(chan struct{})}
}

// onMainThread has something done on Python's main thread, once everything is started. It does not wait for it. To be called once.
func (p *process) onMainThread(work func()) { p.mainThread <- work }

// name is how log records begin.
func (p *process) name() string {
	return fmt.Sprintf("process %d of group '%s'", os.Getpid(), p.group.Name)
}

func (p *process) logf(level int, format string, args ...any) {
	logAt(level, "%s %s", p.name(), fmt.Sprintf(format, args...))
}

func (p *process) notify(kind daemon.NoticeKind, reason life.Reason) {
	p.tell(daemon.Notice{Kind: kind, Reason: string(reason)})
}

// tell never waits: a supervisor that does not read its messages must not keep a process from ending.
func (p *process) tell(notice daemon.Notice) {
	packet, err := daemon.EncodeMessage(notice)
	if err == nil {
		_, err = unix.SendmsgN(daemon.ControlFD, packet, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	}
	if err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) { // the supervisor is gone: the monitor knows
		p.logf(levelWarning, "can't tell the supervisor that it is %s: %v", notice.Kind, err)
	}
}

// rouse has the monitor look at what the process's other threads have noted.
func (p *process) rouse() {
	one := [8]byte{1} // or 1 << 56; what counts is that it is not 0
	_, _ = unix.Write(p.wake, one[:])
}

// retire takes the process out of the choice of Apache's children, for good.
func (p *process) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired = true
	p.board.SetState(p.assignment.Slot, p.assignment.Serial, daemon.SlotRetiring)
}

func (p *process) isServing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.serving
}

// limits of time: a process that only runs scripts has none.
func (p *process) limits() life.Limits {
	g := p.group
	if g.Threads == 0 {
		return life.Limits{}
	}
	return life.Limits{Threads: g.Threads, Request: g.RequestTimeout, Interrupt: g.InterruptTimeout, Startup: g.StartupTimeout,
		Inactivity: g.InactivityTimeout, Deadlock: g.DeadlockTimeout, RestartInterval: g.RestartInterval,
		Graceful: g.GracefulTimeout, Eviction: g.EvictionTimeout, Shutdown: g.ShutdownTimeout,
		Memory: life.SpreadMemory(g.MemoryRecycle, p.assignment.Serial), MemoryConfigured: g.MemoryRecycle}
}

// now is the clock that the request threads use, too.
func now() life.Time {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // fails only for an unknown clock
	return life.Time(t.Nano())
}

func milliseconds(d time.Duration) int64 { return int64(d / time.Millisecond) }
