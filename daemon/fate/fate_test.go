package fate

import (
	"math"
	"syscall"
	"testing"
	"time"

	"modwsgi/daemon"
	"modwsgi/daemon/life"
	"modwsgi/directives"
)

func exited(status int) uint32           { return uint32(status) << 8 }
func signaled(s syscall.Signal) uint32   { return uint32(s) }
func coreDumped(s syscall.Signal) uint32 { return uint32(s) | 0x80 }

var group = &directives.DaemonGroup{Name: "a", Threads: 1, MaximumRequests: 7, RequestTimeout: 60 * time.Second, GracefulTimeout: 15 * time.Second,
	EvictionTimeout: 3 * time.Second, ShutdownTimeout: 5 * time.Second, DeadlockTimeout: 300 * time.Second, CPUTimeLimit: 10 * time.Second,
	InactivityTimeout: 20 * time.Second, StartupTimeout: 30 * time.Second, RestartInterval: 40 * time.Second}

func TestFatesNameLimitAndValue(t *testing.T) {
	for _, c := range []struct {
		fate Fate
		says string
	}{
		{Fate{Status: coreDumped(syscall.SIGSEGV)}, "was killed by SIGSEGV (segmentation fault), core dumped"},
		{Fate{Status: signaled(40)}, "was killed by signal 40"},
		{Fate{Status: exited(3)}, "ended with exit status 3: nobody told it to, so the application or a library of it did that"},
		{Fate{Status: exited(0), Reason: life.MaximumRequests}, "ended with exit status 0: it had served maximum-requests=7"},
		{Fate{Status: exited(0), Reason: life.RestartInterval}, "ended with exit status 0: it was as old as restart-interval=40 allows"},
		{Fate{Status: exited(0), Reason: life.InactivityTimeout}, "ended with exit status 0: nothing happened in it for inactivity-timeout=20"},
		{Fate{Status: exited(0), Reason: life.StartupTimeout}, "ended with exit status 0: it loaded no script within startup-timeout=30 after its first request"},
		{Fate{Status: exited(0), Reason: life.ScriptReload}, "ended with exit status 0: a script has changed"},
		{Fate{Status: exited(255), Reason: life.RequestTimeout, Spent: ShutdownSpent},
			"ended with exit status 255: a request in it took longer than request-timeout=60 allows, and was not done within shutdown-timeout=5"},
		{Fate{Status: exited(255), Reason: life.GracefulSignal, Spent: DrainSpent | ShutdownSpent},
			"ended with exit status 255: it received SIGUSR1, and was not done within graceful-timeout=15 and then shutdown-timeout=5"},
		{Fate{Status: exited(255), Reason: life.EvictionSignal, Spent: DrainSpent}, "ended with exit status 255: it received SIGUSR1, and was not done within eviction-timeout=3"},
		{Fate{Status: signaled(syscall.SIGKILL), Reason: life.DeadlockTimeout, Means: BySupervisor},
			"was killed by SIGKILL (killed): its interpreter lock was stuck for deadlock-timeout=300, and was not done within shutdown-timeout=5, and it did not even end then"},
		{Fate{Status: signaled(syscall.SIGKILL)}, "was killed by SIGKILL (killed): not by its supervisor, nor for memory as far as the kernel tells, so by somebody"},
		{Fate{Status: signaled(syscall.SIGKILL), Reason: life.MaximumRequests}, "was killed by SIGKILL (killed): not by its supervisor, nor for memory as far as the kernel tells, so by somebody"},
		{Fate{Status: signaled(syscall.SIGKILL), Means: CgroupMemory, Value: 1000}, "was killed by SIGKILL (killed): its cgroup was out of memory (its limit is 1000 bytes)"},
		{Fate{Status: signaled(syscall.SIGKILL), Means: CgroupMemory}, "was killed by SIGKILL (killed): its cgroup was out of memory"},
		{Fate{Status: signaled(syscall.SIGKILL), Means: SystemMemory}, "was killed by SIGKILL (killed): the system was out of memory"},
		{Fate{Status: signaled(syscall.SIGKILL), Means: ProcessorTime, Value: 16}, "was killed by SIGKILL (killed): it went on using the processor for 6 s after cpu-time-limit=10"},
		{Fate{Means: NotStarted, Value: Failure{24, int(syscall.EACCES)}.Pack()},
			"could not be started: permission denied; see WSGI0024 in the error log of the server that declares the group"},
		{Fate{Means: NotSetUp, Status: exited(255), Value: Failure{Code: 9}.Pack()}, "could not be set up: see WSGI0009 in the error log of the server that declares the group"},
		{Fate{Status: exited(1), Means: unknownMeans}, "ended with exit status 1"},
	} {
		if got := c.fate.Words(group); got != c.says {
			t.Errorf("%+v:\n%s\nwant:\n%s", c.fate, got, c.says)
		}
		c.fate.Serial, c.fate.PID = 4, 444
		if got := Unpack(c.fate.Pack()); got != c.fate {
			t.Errorf("%+v comes back as %+v", c.fate, got)
		}
	}
}

func TestTheLimitOfRequestsIsThatOfAllThreads(t *testing.T) {
	g := &directives.DaemonGroup{Threads: 5, RequestTimeout: 10 * time.Second}
	if got, want := Reason(life.RequestTimeout, g), "a request in it took longer than request-timeout=10 allows (26.1 s with threads=5)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Processes of the group could write there.
func TestAnyNumbersMakeAFate(t *testing.T) {
	for _, n := range []uint32{0, 1, 255, 1 << 8, 0xff << 8, 0xff << 16, math.MaxUint32} {
		f := Unpack(daemon.Fate{Serial: n, PID: -1, Status: n, Cause: n, Value: math.MinInt64 + int64(n)})
		if text := f.Words(&directives.DaemonGroup{}); text == "" {
			t.Errorf("%x: no words", n)
		}
	}
}
