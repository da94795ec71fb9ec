package server

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
	"modwsgi/daemon/fate"
	"modwsgi/daemon/life"
	"modwsgi/interp"
)

// noLimit stands for a shutdown-timeout of 0.
const noLimit = 365 * 24 * time.Hour

// shutDown is the end of the process; it does not return. Whatever it waits for, the reaper ends the process after shutdown-timeout.
func (m *monitor) shutDown(a life.Action) {
	p := m.process
	limit := p.group.ShutdownTimeout
	if limit == 0 {
		limit = noLimit
	}
	end := time.Now().Add(limit)
	time.AfterFunc(limit, func() {
		p.notify(daemon.Late, a.Reason)
		p.logf(levelInfo, "was not done within shutdown-timeout, %v: it ends now, whatever still runs", limit)
		if len(p.view().Requests) > 0 {
			p.logStacks(fmt.Sprintf("%s, and was not done within shutdown-timeout=%.0f", fate.Reason(a.Reason, p.group), limit.Seconds()))
		}
		p.reportEnd(false)
		os.Exit(exitFailed)
	})
	p.retire()
	if p.group.Threads > 0 { // otherwise its successor is to begin when it is gone: its scripts may have to be alone
		p.tell(daemon.Notice{Kind: daemon.Ending, Reason: string(a.Reason), Spent: a.Spent})
	}
	p.stopStarting()
	p.reporter.Stopping(string(a.Reason))
	if a.Stacks {
		p.logStacks(fate.Reason(a.Reason, p.group))
	}
	p.publishStopping(a.Reason)
	m.finishRequests()
	p.stopPython(a.Reason, time.Until(end))
	p.logf(levelInfo, "ends")
	p.reportEnd(true)
	os.Exit(exitDone)
}

// reportEnd tells telemetry, unless the process is still starting.
func (p *process) reportEnd(drained bool) {
	select {
	case <-p.started:
		p.reporter.Stopped(drained)
	default:
	}
}

// stopStarting returns when the first thread of the process does nothing in Python any more.
func (p *process) stopStarting() {
	p.mu.Lock()
	p.stopping.Store(true)
	service := p.service
	p.mu.Unlock()
	if service {
		p.endService()
	}
	<-p.started
}

// finishRequests waits for the requests that were sent to the process before it retired, but not for those that are stuck.
func (m *monitor) finishRequests() {
	p := m.process
	if !p.isServing() {
		return
	}
	reportEnds()
	for !m.machine.Finished(p.view()) {
		p.waitForEvent()
	}
	stopThreads()
	for runningThreads() > len(p.view().Requests) {
		p.waitForEvent()
	}
}

// waitForEvent returns when a request thread says something, or after a while. Of what the supervisor says, only replies matter now.
func (p *process) waitForEvent() {
	source := []unix.PollFd{{Fd: int32(p.wake), Events: unix.POLLIN}, {Fd: daemon.ControlFD, Events: unix.POLLIN}}
	const aWhile = 20 // milliseconds
	if p.abandoned {
		source = source[:1]
	}
	if n, _ := unix.Poll(source, aWhile); n <= 0 {
		return
	}
	if source[0].Revents != 0 {
		var count [8]byte
		_, _ = unix.Read(p.wake, count[:])
		takeEvents()
	}
	if len(source) > 1 && source[1].Revents != 0 {
		p.abandoned = !p.readReply()
	}
}

// readReply tells whether the supervisor is still there.
func (p *process) readReply() bool {
	packet := make([]byte, daemon.MaxMessage)
	n, _, err := unix.Recvfrom(daemon.ControlFD, packet, unix.MSG_DONTWAIT)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return true
	}
	if err != nil || n == 0 {
		return false
	}
	if order, err := daemon.DecodeMessage[daemon.Order](packet[:n]); err == nil && order.Kind == daemon.Reply {
		p.questions.answer(order)
	}
	return true
}

// publishStopping tells applications before requests are waited for. A stuck lock is not waited for: shutdown-timeout may be unlimited.
func (p *process) publishStopping(reason life.Reason) {
	if p.group.Threads == 0 {
		return
	}
	told := make(chan struct{})
	close(p.signals)
	p.onMainThread(func() {
		<-p.published
		interp.PublishStopping(string(reason))
		close(told)
	})
	var late <-chan time.Time
	if reason == life.DeadlockTimeout {
		late = time.After(time.Second)
	}
	select {
	case <-told:
	case <-late:
	}
}

// stopPython waits for the applications' threads and runs their exit functions. Threads get nine tenths of the time, so that there is some left
// for the functions, and to name those that overstay. A stuck lock is not waited for: shutdown-timeout may be unlimited.
func (p *process) stopPython(reason life.Reason, limit time.Duration) {
	if !p.config.Process.DestroyInterpreter {
		return
	}
	if reason == life.DeadlockTimeout {
		limit = min(limit, 5*time.Second)
	}
	if !interp.Stop(limit * 9 / 10) {
		p.logf(levelInfo, "does not wait for exit functions any longer")
	}
}
