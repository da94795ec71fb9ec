package supervisor

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// An ending is how a process ended.
type ending struct {
	status syscall.WaitStatus
}

// ordinary tells whether the process ended as it should.
func (e ending) ordinary() bool { return e.status.Exited() && e.status.ExitStatus() == 0 }

func (e ending) String() string {
	if e.status.Exited() {
		return fmt.Sprintf("ended with exit status %d", e.status.ExitStatus())
	}
	signal := e.status.Signal()
	name := unix.SignalName(signal)
	if name == "" {
		name = fmt.Sprintf("signal %d", int(signal))
	}
	text := fmt.Sprintf("was killed by %s (%s)", name, signal)
	if e.status.CoreDump() {
		text += ", core dumped"
	}
	return text
}

// why is the reason that a process is counted under.
func (m *member) why(e ending) string {
	switch {
	case m.reason != "":
		return m.reason
	case e.status.Signaled():
		return unix.SignalName(e.status.Signal())
	case !e.ordinary():
		return fmt.Sprintf("exit_status_%d", e.status.ExitStatus())
	}
	return "exit"
}
