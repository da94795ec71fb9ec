package fate

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/daemon/life"
	"modwsgi/directives"
)

// Words say how the process ended and why, to go on after its name: "was killed by SIGSEGV (segmentation fault)". They name the limit that
// struck and its value, which is the group's.
func (f Fate) Words(g *directives.DaemonGroup) string {
	text := f.Ending()
	if why := f.Why(g); why != "" {
		text += ": " + why
	}
	return text
}

func (f Failure) words() string {
	text := fmt.Sprintf("see WSGI%04d in the error log of the server that declares the group", f.Code)
	if f.Errno != 0 {
		return syscall.Errno(f.Errno).Error() + "; " + text
	}
	return text
}

// Ending is the first half of the Words.
func (f Fate) Ending() string {
	switch f.Means {
	case NotStarted:
		return "could not be started"
	case NotSetUp:
		return "could not be set up"
	}
	status := syscall.WaitStatus(f.Status)
	if !status.Signaled() {
		return fmt.Sprintf("ended with exit status %d", status.ExitStatus())
	}
	text := "was killed by " + signalName(status.Signal())
	if status.CoreDump() {
		text += ", core dumped"
	}
	return text
}

func signalName(signal syscall.Signal) string {
	if name := unix.SignalName(signal); name != "" {
		return fmt.Sprintf("%s (%s)", name, signal)
	}
	return fmt.Sprintf("signal %d", int(signal))
}

// Why is the second half, "" where the first says it all.
func (f Fate) Why(g *directives.DaemonGroup) string {
	status := syscall.WaitStatus(f.Status)
	killed := status.Signaled() && status.Signal() == syscall.SIGKILL
	switch f.Means {
	case NotStarted, NotSetUp:
		return unpackFailure(f.Value).words()
	case CgroupMemory:
		return "its cgroup was out of memory" + bytes(f.Value)
	case SystemMemory:
		return "the system was out of memory"
	case ProcessorTime:
		return fmt.Sprintf("it went on using the processor for %d s after cpu-time-limit=%d", f.Value-seconds(g.CPUTimeLimit), seconds(g.CPUTimeLimit))
	case BySupervisor:
		return f.late(g) + ", and it did not even end then"
	case ByItself:
		switch {
		case f.Reason != "" && (!killed || f.Spent != 0):
			return f.late(g)
		case killed:
			return "not by its supervisor, nor for memory as far as the kernel tells, so by somebody"
		case f.Reason == "" && status.Exited():
			return "nobody told it to, so the application or a library of it did that"
		}
	}
	return ""
}

func bytes(n int64) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" (its limit is %d bytes)", n)
}

// late says why the process was to end, and what its requests were given.
func (f Fate) late(g *directives.DaemonGroup) string {
	text := Reason(f.Reason, g)
	var spent []string
	if f.Spent&DrainSpent != 0 {
		name, limit := "graceful-timeout", g.GracefulTimeout
		if f.Reason == life.EvictionSignal {
			name, limit = "eviction-timeout", g.EvictionTimeout
		}
		spent = append(spent, fmt.Sprintf("%s=%d", name, seconds(limit)))
	}
	if f.Spent&ShutdownSpent != 0 || f.Means == BySupervisor {
		spent = append(spent, fmt.Sprintf("shutdown-timeout=%d", seconds(g.ShutdownTimeout)))
	}
	switch len(spent) {
	case 1:
		text += ", and was not done within " + spent[0]
	case 2:
		text += ", and was not done within " + spent[0] + " and then " + spent[1]
	}
	return text
}

// Reason says why a process of the group was to end, with the option's value.
func Reason(reason life.Reason, g *directives.DaemonGroup) string {
	switch reason {
	case life.MaximumRequests:
		return fmt.Sprintf("it had served maximum-requests=%d", g.MaximumRequests)
	case life.RestartInterval:
		return fmt.Sprintf("it was as old as restart-interval=%d allows", seconds(g.RestartInterval))
	case life.CPUTimeLimit:
		return fmt.Sprintf("it had used the processor for as long as cpu-time-limit=%d allows", seconds(g.CPUTimeLimit))
	case life.RequestTimeout:
		text := fmt.Sprintf("a request in it took longer than request-timeout=%d allows", seconds(g.RequestTimeout))
		if fire := (life.Limits{Threads: g.Threads, Request: g.RequestTimeout}).Fire(); g.Threads > 1 {
			text += fmt.Sprintf(" (%.1f s with threads=%d)", fire.Seconds(), g.Threads)
		}
		return text
	case life.DeadlockTimeout:
		return fmt.Sprintf("its interpreter lock was stuck for deadlock-timeout=%d", seconds(g.DeadlockTimeout))
	case life.InactivityTimeout:
		return fmt.Sprintf("nothing happened in it for inactivity-timeout=%d", seconds(g.InactivityTimeout))
	case life.StartupTimeout:
		return fmt.Sprintf("it loaded no script within startup-timeout=%d after its first request", seconds(g.StartupTimeout))
	case life.MemoryRecycle:
		return fmt.Sprintf("it held as much memory as memory-recycle=%d allows", g.MemoryRecycle)
	case life.IdleTimeout:
		return fmt.Sprintf("it had no request for idle-timeout=%d, and its group could do without it", seconds(g.IdleTimeout))
	}
	return reason.Text()
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
