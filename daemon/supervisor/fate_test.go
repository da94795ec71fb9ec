package supervisor

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"modwsgi/daemon"
	"modwsgi/daemon/fate"
	"modwsgi/daemon/life"
	"modwsgi/directives"
)

// What the board says of processes that have ended.

func (s *stage) wantFate(a *actor, want fate.Fate) {
	s.t.Helper()
	want.Serial, want.PID = a.serial, a.pid()
	if got := fate.Unpack(s.board.Fate(a.slot)); got != want {
		s.t.Errorf("the fate of process %d is %+v, want %+v\n%s", a.pid(), got, want, s.text)
	}
}

func TestTheBoardSaysHowAProcessEnded(t *testing.T) {
	killedBy := func(signal syscall.Signal) uint32 { return uint32(signal) }
	limits := func(_ *stage, g *directives.DaemonGroup) {
		g.CPUTimeLimit, g.ShutdownTimeout = 10*time.Second, 5*time.Second
	}
	for name, c := range map[string]struct {
		says []daemon.Notice
		ends ending
		want fate.Fate
		log  string
	}{
		"a crash":   {ends: ending{status: syscall.WaitStatus(syscall.SIGSEGV)}, want: fate.Fate{Status: killedBy(syscall.SIGSEGV)}, log: "SIGSEGV"},
		"by itself": {ends: ending{status: 3 << 8}, want: fate.Fate{Status: 3 << 8}, log: "nobody told it to"},
		"a limit": {says: []daemon.Notice{{Kind: daemon.Ending, Reason: "deadlock_timeout"}, {Kind: daemon.Late}}, ends: ending{status: 255 << 8},
			want: fate.Fate{Status: 255 << 8, Reason: life.DeadlockTimeout, Spent: fate.ShutdownSpent}, log: "shutdown-timeout=5"},
		"a limit of its last requests": {says: []daemon.Notice{{Kind: daemon.Ending, Reason: "graceful_signal", Spent: true}}, ends: ending{status: 0},
			want: fate.Fate{Reason: life.GracefulSignal, Spent: fate.DrainSpent}, log: "graceful-timeout"},
		"a reason that nobody knows": {says: []daemon.Notice{{Kind: daemon.Ending, Reason: "boredom"}}, ends: ending{status: 0}, log: "boredom"},
		"somebody": {ends: ending{status: syscall.WaitStatus(syscall.SIGKILL), processor: 9 * time.Second},
			want: fate.Fate{Status: killedBy(syscall.SIGKILL)}, log: "by somebody"},
		"the kernel, for memory": {ends: ending{status: syscall.WaitStatus(syscall.SIGKILL), means: fate.CgroupMemory, limit: 1000},
			want: fate.Fate{Status: killedBy(syscall.SIGKILL), Means: fate.CgroupMemory, Value: 1000}, log: "its limit is 1000 bytes"},
		"the kernel, for time": {ends: ending{status: syscall.WaitStatus(syscall.SIGKILL), processor: 16 * time.Second},
			want: fate.Fate{Status: killedBy(syscall.SIGKILL), Means: fate.ProcessorTime, Value: 16}, log: "cpu-time-limit=10"},
		"not set up": {says: []daemon.Notice{{Kind: daemon.Unfit, Code: 9}}, ends: ending{status: 255 << 8},
			want: fate.Fate{Status: 255 << 8, Means: fate.NotSetUp, Value: fate.Failure{Code: 9}.Pack()}, log: "WSGI0009"},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, 1, limits, func(s *stage) {
				one := s.process(0)
				one.say(daemon.Ready, "")
				s.after(time.Minute)
				for _, notice := range c.says {
					one.report(event{serial: one.serial, notice: notice})
				}
				one.report(event{serial: one.serial, end: &c.ends})
				s.after(0)
				s.wantFate(one, c.want)
				s.wantLog(fmt.Sprintf("daemon process %d of group 'a'", one.pid()), c.log)
				if n := strings.Count(s.text.String(), fmt.Sprintf("daemon process %d of group 'a' %s", one.pid(), c.want.Ending())); n != 1 {
					t.Errorf("%d records about the end of the process:\n%s", n, s.text)
				}
			})
		})
	}
}

func TestTheBoardSaysThatTheSupervisorKilledAProcess(t *testing.T) {
	play(t, 1, func(_ *stage, g *directives.DaemonGroup) { g.ShutdownTimeout = time.Second }, func(s *stage) {
		one := s.process(0)
		one.say(daemon.Ready, "")
		one.say(daemon.Ending, "request_timeout")
		s.after(time.Minute)
		one.wantKilled(true)
		one.die(syscall.SIGKILL)
		s.wantFate(one, fate.Fate{Status: uint32(syscall.SIGKILL), Reason: life.RequestTimeout, Means: fate.BySupervisor})
	})
}

func TestTheBoardSaysWhyThereIsNoProcess(t *testing.T) {
	play(t, 1, nil, func(s *stage) {
		first := s.process(0)
		first.exit(1)
		if got := fate.Unpack(s.board.Trouble(0)); got.PID != first.pid() || got.Status != 1<<8 {
			t.Errorf("%+v", got)
		}
		s.refuseStarts(&fault{codeNoProcess, "start a process", syscall.EAGAIN})
		s.after(time.Second)
		want := fate.Fate{Serial: first.serial + 1, Means: fate.NotStarted, Value: fate.Failure{Code: codeNoProcess, Errno: int(syscall.EAGAIN)}.Pack()}
		if got := fate.Unpack(s.board.Trouble(0)); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		s.refuseStarts(nil)
		s.after(time.Minute)
		s.process(1).say(daemon.Ready, "")
		if got := s.board.Trouble(0); got.Serial != 0 {
			t.Errorf("a process is ready, and %+v", got)
		}
	})
}

func TestRequestsOfAGroupThatIsNotStartedNeedNotWait(t *testing.T) {
	for refuses, err := range map[bool]error{false: nil, true: &fault{codeNoBind, "bind", errors.New("read-only")}} {
		refuse := func(s *stage, _ *directives.DaemonGroup) { s.refuseStarts(err) }
		play(t, 1, refuse, func(s *stage) {
			if got := s.hopelessForEver(); got != refuses {
				t.Errorf("given up: %v, want %v\n%s", got, refuses, s.text)
			}
		})
	}
}

func (s *stage) hopelessForEver() bool {
	const hopeless, forEver = 8, 2
	return atomic.LoadUint32((*uint32)(unsafe.Add(s.board.Part(0), hopeless))) == forEver
}
