package supervisor

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/daemon/fate"
	"modwsgi/daemon/life"
)

// An ending is how a process ended.
type ending struct {
	status    syscall.WaitStatus
	processor time.Duration // time that it used
	means     fate.Means    // CgroupMemory or SystemMemory, if the kernel was short of it
	limit     int64         // with CgroupMemory: of the cgroup, in bytes
}

// ordinary tells whether the process ended as it should.
func (e ending) ordinary() bool { return e.status.Exited() && e.status.ExitStatus() == 0 }

// killed tells whether it was ended by what nobody can catch.
func (e ending) killed() bool { return e.status.Signaled() && e.status.Signal() == syscall.SIGKILL }

// fateOf puts together what the supervisor knows of the end of a process.
func (g *group) fateOf(m *member, e ending) fate.Fate {
	f := fate.Fate{Serial: m.serial, PID: m.process.pid(), Status: uint32(e.status), Reason: life.Reason(m.reason), Spent: m.spent}
	if m.unfit != 0 {
		f.Means, f.Value = fate.NotSetUp, fate.Failure{Code: m.unfit}.Pack()
		return f
	}
	if !e.killed() {
		return f
	}
	allowed := g.config.CPUTimeLimit
	switch {
	case m.killed:
		f.Means = fate.BySupervisor
	case e.means != fate.ByItself:
		f.Means, f.Value = e.means, e.limit
	case allowed > 0 && e.processor > allowed:
		f.Means, f.Value = fate.ProcessorTime, int64(e.processor/time.Second)
	}
	return f
}

// why is the reason that a process is counted under.
func (m *member) why(e ending) string {
	switch {
	case m.reason != "":
		return m.reason
	case e.killed() && e.means != fate.ByItself:
		return "out_of_memory"
	case e.status.Signaled():
		return unix.SignalName(e.status.Signal())
	case !e.ordinary():
		return fmt.Sprintf("exit_status_%d", e.status.ExitStatus())
	}
	return "exit"
}
