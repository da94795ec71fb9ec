package server

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
	"modwsgi/daemon/life"
)

// A monitor watches over the process, from one goroutine: signals, the supervisor, the request threads, and the time.
type monitor struct {
	process *process
	machine *life.Machine
	signals int // the pipe that signals are written to
}

func newMonitor(p *process) (*monitor, error) {
	signals, err := catchSignals()
	if err != nil {
		return nil, err
	}
	p.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("create an eventfd: %w", err)
	}
	if err := keepFromCopies(p.wake, daemon.ControlFD, daemon.ListenerFD); err != nil {
		return nil, err
	}
	return &monitor{process: p, machine: life.New(p.limits(), now()), signals: signals}, nil
}

// run ends with the process.
func (m *monitor) run() {
	for {
		actions, wait := m.machine.Look(m.process.view())
		m.carryOut(actions)
		m.listen(wait)
	}
}

// listen waits until there is something to hear, for at most so long, and acts on it.
func (m *monitor) listen(limit time.Duration) {
	sources := []unix.PollFd{{Fd: int32(m.signals), Events: unix.POLLIN}, {Fd: daemon.ControlFD, Events: unix.POLLIN},
		{Fd: int32(m.process.wake), Events: unix.POLLIN}}
	const longest = time.Hour
	_, _ = unix.Poll(sources, int(milliseconds(min(limit, longest)))+1) // interrupted: nothing to hear
	if sources[0].Revents != 0 {
		m.readSignals()
	}
	if sources[1].Revents != 0 {
		m.readOrders()
	}
	if sources[2].Revents != 0 {
		m.readEvents()
	}
}

// happened tells the machine. Where there are no requests to finish, what would replace the process stops it; nobody needs to wait for the successor of
// one that does not serve yet.
func (m *monitor) happened(event life.Event) {
	p := m.process
	if p.group.Threads == 0 && (event == life.GracefulAsked || event == life.CPUTimeUsed) || event == life.EndAsked && !p.isServing() {
		event = life.StopAsked
	}
	m.carryOut(m.machine.Happened(event, now()))
}

func (m *monitor) readSignals() {
	var numbers [64]byte
	n, err := unix.Read(m.signals, numbers[:])
	for _, number := range numbers[:max(n, 0)] {
		signal := syscall.Signal(number)
		m.process.logf(levelInfo, "received %s", unix.SignalName(signal))
		if event, ok := signalEvents[signal]; ok {
			m.happened(event)
		} else if slices.Contains(publishedSignals, signal) {
			m.process.publish(signal)
		}
	}
	if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
		logAt(levelAlert, "WSGI0023: %s can't read its signals, and ends: %v", m.process.name(), err)
		m.happened(life.StopAsked)
	}
}

func (m *monitor) readOrders() {
	packet, descriptor, err := receive(daemon.ControlFD)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return
	case err != nil || len(packet) == 0:
		m.happened(life.ControlLost)
		return
	}
	order, err := daemon.DecodeMessage[daemon.Order](packet)
	if descriptor != nil {
		m.process.answer(order.Kind, descriptor)
		return
	}
	switch {
	case err == nil && order.Kind == daemon.Retire:
		m.carryOut(m.machine.RetireNow(life.Reason(order.Reason), now()))
	case err == nil && order.Kind == daemon.Reply:
		m.process.questions.answer(order)
	case err == nil && order.Kind == daemon.Keep:
		m.keep(order)
	case err == nil && order.Kind == daemon.Stop:
		m.happened(life.StopAsked)
	default:
		m.process.logf(levelWarning, "was given an order that makes no sense: %q, %v", packet, err)
	}
}

// readEvents asks the request threads what they had to say.
func (m *monitor) readEvents() {
	var count [8]byte
	_, _ = unix.Read(m.process.wake, count[:]) // what counts are the events
	if m.process.done.Load() {
		m.happened(life.ScriptsDone)
	}
	if m.process.failed.Load() {
		m.happened(life.LoadFailed)
	}
	events := takeEvents()
	if events&eventLoaded != 0 {
		m.process.tellLoaded()
	}
	for _, e := range []struct {
		bit   int
		event life.Event
	}{{eventFirstRequest, life.FirstRequest}, {eventScriptChanged, life.ScriptChanged}, {eventRequestsDone, life.RequestsDone}} {
		if events&e.bit != 0 {
			m.happened(e.event)
		}
	}
}
