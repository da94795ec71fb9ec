package integration

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// When a daemon process is replaced, and what its requests notice of it: reference directives.md, 5.4 and 5.5.

// lifeServer has one group with these options; the rest of the configuration comes after the application's.
func lifeServer(t *testing.T, options, conf string) *apachetest.Server {
	t.Helper()
	t.Parallel() // most of the time is waiting
	return apachetest.Start(t, apachetest.Config{Daemon: options, Conf: daemonApp + conf, Tolerate: killed, LogLevel: "warn wsgi:info", Tuning: threadedTuning})
}

// asking is one request in a goroutine of its own.
func asking(t *testing.T, s *apachetest.Server, target string) <-chan *apachetest.Response {
	answer := make(chan *apachetest.Response, 1)
	go func() { answer <- s.Do(t, apachetest.Request{Target: target, Wait: 40 * time.Second}) }()
	return answer
}

func pidOf(t *testing.T, r *apachetest.Response) int {
	t.Helper()
	pid, err := strconv.Atoi(string(r.Body))
	if err != nil || r.Status != 200 {
		t.Fatalf("no process id:\n%s", r)
	}
	return pid
}

func TestMaximumRequestsReplacesAProcessAndFailsNoRequest(t *testing.T) {
	s := lifeServer(t, "processes=1 threads=3 maximum-requests=10", "")
	seen := map[int]int{}
	apachetest.Eventually(t, 20*time.Second, "three processes have served in turn", func() bool {
		seen[pidOf(t, s.Get(t, "/pid"))]++
		return len(seen) == 3
	})
	for pid, n := range seen {
		if n < 10 && apachetest.Alive(pid) == false {
			t.Errorf("process %d ended after %d requests", pid, n)
		}
	}
	s.WaitLog(t, "maximum-requests")
	waitProcesses(t, s, 1)
}

func TestAnOldProcessIsReplacedWithoutARequest(t *testing.T) {
	s := lifeServer(t, "processes=1 threads=3 restart-interval=1", "")
	former := waitProcesses(t, s, 1)
	stop := requestContinuouslyOf(t, s, "/pid")
	defer stop()
	for range 3 {
		former = waitProcesses(t, s, 1, former...)
	}
	stop()
	s.WaitLog(t, "restart-interval")
}

func TestHealthChecksLeaveAProcessIdle(t *testing.T) {
	s := lifeServer(t, "processes=1 threads=3 inactivity-timeout=2", "<Location /pid>\nWSGIIgnoreActivity On\n</Location>")
	former := waitProcesses(t, s, 1)
	stop := requestContinuouslyOf(t, s, "/pid")
	defer stop()
	waitProcesses(t, s, 1, former...)
	s.WaitLog(t, "inactivity-timeout")
}

func TestAnIdleProcessIsReplacedOnceItHasServed(t *testing.T) {
	s := lifeServer(t, "processes=2 threads=3 inactivity-timeout=1", "")
	former := waitProcesses(t, s, 2)
	served := pidOf(t, s.Get(t, "/pid"))
	mark := s.Mark()
	mark.Wait(t, "inactivity-timeout")
	now := waitProcesses(t, s, 2, served)
	for _, pid := range former {
		if pid != served && !slices.Contains(now, pid) {
			t.Errorf("process %d never served, and was replaced", pid)
		}
	}
}

func TestALongRequestIsInterruptedWithin504(t *testing.T) {
	s := lifeServer(t, "processes=1 threads=1 request-timeout=1 interrupt-timeout=5", "")
	former := waitProcesses(t, s, 1)
	start := time.Now()
	if r := s.Get(t, "/sleep?20"); r.Status != 504 || time.Since(start) > 10*time.Second {
		t.Errorf("after %v:\n%s", time.Since(start), r)
	}
	if pid := pidOf(t, s.Get(t, "/pid")); pid != former[0] {
		t.Errorf("process %d was replaced by %d", former[0], pid)
	}
}

func TestAProcessWithARequestThatHangsIsReplaced(t *testing.T) {
	for name, options := range map[string]string{
		"no interruption":        "request-timeout=1",
		"interruption in vain":   "request-timeout=1 interrupt-timeout=1",
		"two threads, both hang": "request-timeout=1 graceful-timeout=1",
	} {
		t.Run(name, func(t *testing.T) {
			s := lifeServer(t, "processes=1 threads=1 shutdown-timeout=1 "+options, "")
			former := waitProcesses(t, s, 1)
			hanging := asking(t, s, "/stuck?30")
			waitProcesses(t, s, 1, former...)
			if r := <-hanging; r.Status != 502 {
				t.Errorf("the request that hangs:\n%s", r)
			}
			if pid := pidOf(t, s.Get(t, "/pid")); pid == former[0] {
				t.Error("the same process answers")
			}
		})
	}
}

func TestAProcessThatLoadsNoScriptIsReplaced(t *testing.T) {
	t.Parallel()
	s := apachetest.Start(t, apachetest.Config{Daemon: "processes=1 threads=2 startup-timeout=1", LogLevel: "warn wsgi:info",
		Conf: "WSGIScriptAlias / {{.Root}}/broken.wsgi\n", Files: map[string]string{"broken.wsgi": "raise ValueError('always')\n"}})
	former := waitProcesses(t, s, 1)
	if r := s.Get(t, "/"); r.Status != 500 {
		t.Fatal(r)
	}
	waitProcesses(t, s, 1, former...)
	s.WaitLog(t, "startup-timeout")
}

func TestAStuckInterpreterLockEndsTheProcess(t *testing.T) {
	s := lifeServer(t, "processes=1 threads=3 deadlock-timeout=1 shutdown-timeout=1", "")
	former := waitProcesses(t, s, 1)
	stuck := asking(t, s, "/stuck?30")
	waitProcesses(t, s, 1, former...)
	if r := <-stuck; r.Status != 502 {
		t.Errorf("the request that is stuck:\n%s", r)
	}
	s.WaitLog(t, "deadlock-timeout")
}

func TestProcessorTimeIsLimited(t *testing.T) {
	s := lifeServer(t, "processes=1 threads=3 cpu-time-limit=1 graceful-timeout=10", "")
	former := waitProcesses(t, s, 1)
	if pid := pidOf(t, <-asking(t, s, "/spin?1.5")); pid != former[0] {
		t.Errorf("process %d answers, %d has begun", pid, former[0])
	}
	waitProcesses(t, s, 1, former...)
	s.WaitLog(t, "cpu-time-limit")
}

func TestMemoryIsLimited(t *testing.T) {
	for _, option := range []string{"memory-limit=800000000", "virtual-memory-limit=4000000000"} {
		t.Run(option, func(t *testing.T) {
			s := lifeServer(t, "processes=1 threads=3 "+option, "")
			former := waitProcesses(t, s, 1)
			if r := s.Get(t, "/memory?4000"); string(r.Body) != "MemoryError" {
				t.Errorf("4 GB:\n%s", r)
			}
			if r := s.Get(t, "/memory?50"); string(r.Body) != strconv.Itoa(50<<20) {
				t.Errorf("50 MB:\n%s", r)
			}
			if pid := pidOf(t, s.Get(t, "/pid")); pid != former[0] {
				t.Errorf("process %d was replaced by %d", former[0], pid)
			}
		})
	}
}

func TestSignalsToAProcess(t *testing.T) {
	for _, c := range []struct {
		name    string
		signal  syscall.Signal
		options string
		served  bool // the request that runs meanwhile
		ends    bool // the process
	}{
		{"SIGUSR1", syscall.SIGUSR1, "", true, true},
		{"SIGUSR1 and eviction-timeout", syscall.SIGUSR1, "eviction-timeout=20 graceful-timeout=1", true, true},
		{"SIGUSR1 and a short time", syscall.SIGUSR1, "graceful-timeout=1 shutdown-timeout=1", false, true},
		{"SIGTERM", syscall.SIGTERM, "shutdown-timeout=20", true, true},
		{"SIGINT", syscall.SIGINT, "shutdown-timeout=20", true, true},
		{"SIGTERM and a short time", syscall.SIGTERM, "shutdown-timeout=1", false, true},
		{"SIGHUP", syscall.SIGHUP, "", true, false},
		{"SIGUSR2", syscall.SIGUSR2, "", true, false},
		{"SIGPIPE", syscall.SIGPIPE, "", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := lifeServer(t, "processes=1 threads=3 "+c.options, "")
			former := waitProcesses(t, s, 1)
			gate := makeFIFO(t, s)
			running := asking(t, s, "/hold?"+gate)
			open := holdGate(t, gate)
			if err := syscall.Kill(former[0], c.signal); err != nil {
				t.Fatal(err)
			}
			if !c.ends {
				if pid := pidOf(t, s.Get(t, "/pid")); pid != former[0] {
					t.Errorf("another process answers: %d", pid)
				}
				open()
				if pid := pidOf(t, <-running); pid != former[0] || !apachetest.Alive(pid) {
					t.Errorf("process %d has gone", former[0])
				}
				return
			}
			// Requests that come now are for a successor; the one that is running has its time.
			apachetest.Eventually(t, 20*time.Second, "another process answers", func() bool { return pidOf(t, s.Get(t, "/pid")) != former[0] })
			if c.served {
				open()
				if pid := pidOf(t, <-running); pid != former[0] {
					t.Errorf("the running request was answered by %d, not %d", pid, former[0])
				}
			} else if r := <-running; r.Status != 502 {
				t.Errorf("the request whose time is over:\n%s", r)
			}
			waitProcesses(t, s, 1, former...)
		})
	}
}

func TestFullGroupsAnswerInTime(t *testing.T) {
	for _, c := range []struct {
		name, options string
		status        int
		logged        string
	}{
		{"queue-timeout", "queue-timeout=1", 504, "WSGI0084"},
		{"listen-backlog", "listen-backlog=0 connect-timeout=1", 503, "WSGI0116.*listen-backlog=0"},
		{"at once", "listen-backlog=0 connect-timeout=0", 503, "WSGI0116.*connect-timeout=0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := lifeServer(t, "processes=1 threads=2 "+c.options, "")
			apachetest.Eventually(t, 20*time.Second, "the process is ready", func() bool { return s.Get(t, "/pid").Status == 200 })
			gate := makeFIFO(t, s)
			inside := []<-chan *apachetest.Response{asking(t, s, "/hold?"+gate), asking(t, s, "/hold?"+gate)}
			open := holdGate(t, gate)
			apachetest.Eventually(t, 10*time.Second, "both threads are busy", func() bool { return readersOf(s, gate) == 2 })
			start := time.Now()
			r := <-asking(t, s, "/pid")
			if took := time.Since(start); r.Status != c.status || took > 5*time.Second {
				t.Errorf("after %v:\n%s", took, r)
			}
			if seconds, err := strconv.Atoi(r.Get("Retry-After")); err != nil || seconds < 1 || seconds > 60 {
				t.Errorf("Retry-After:\n%s", r)
			}
			s.WaitLog(t, c.logged)
			open()
			for _, one := range inside {
				pidOf(t, <-one)
			}
			pidOf(t, s.Get(t, "/pid"))
		})
	}
}

// A request that waits for a process that is being replaced is served, not refused.
func TestWaitingRequestsAreServedByTheSuccessor(t *testing.T) {
	s := lifeServer(t, "processes=1 threads=1", "")
	former := waitProcesses(t, s, 1)
	gate := makeFIFO(t, s)
	inside := asking(t, s, "/hold?"+gate)
	processAt(t, s, gate)
	var waiting []<-chan *apachetest.Response
	for range 10 {
		waiting = append(waiting, asking(t, s, "/pid"))
	}
	kill(t, former[0])
	if r := <-inside; r.Status != 502 {
		t.Errorf("the killed process's request:\n%s", r)
	}
	for _, one := range waiting {
		if pid := pidOf(t, <-one); pid == former[0] {
			t.Errorf("process %d is dead, and answers", pid)
		}
	}
}

func TestASilentApplicationIsGivenUp(t *testing.T) {
	s := lifeServer(t, "processes=1 threads=2 socket-timeout=1", "")
	start := time.Now()
	r := s.Get(t, "/sleep?5")
	if took := time.Since(start); r.Status != 504 || took > 4*time.Second {
		t.Errorf("after %v:\n%s", took, r)
	}
	s.WaitLog(t, "WSGI0145")
	pidOf(t, s.Get(t, "/pid"))
}

func TestHowAProcessEndedIsLogged(t *testing.T) {
	for query, says := range map[string]string{"exit3": "'test'.*status 3", "exit0": "WSGI0146.*'test'", "crash": "'test'.*SIGSEGV", "abort": "'test'.*SIGABRT", "9": "'test'.*SIGKILL"} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			s := apachetest.Start(t, apachetest.Config{Daemon: "processes=2 threads=2", Conf: daemonApp, Tolerate: []string{"SIGABRT"}})
			former := waitProcesses(t, s, 2)
			mark := s.Mark()
			if r := s.Get(t, "/die?"+query); r.Status != 502 {
				t.Errorf("the request:\n%s", r)
			}
			mark.Wait(t, says)
			apachetest.Eventually(t, 20*time.Second, "one of the two processes is replaced", func() bool {
				now := s.DaemonProcesses()
				return len(now) == 2 && now[0] == former[0] != (now[0] == former[1]) && !slices.Equal(now, former)
			})
			if n := strings.Count(mark.Since(), "WSGI0"); n > 3 || strings.Count(mark.Since(), "\n") > 10 { // of the request, the process, and its stacks
				t.Errorf("%d records for the end of a process:\n%.3000s", n, mark.Since())
			}
		})
	}
}

// A group whose processes can't start costs no processor time, and its requests fail in time.
func TestAGroupThatCannotStartIsTriedAgainSlowly(t *testing.T) {
	t.Parallel()
	s := apachetest.Start(t, apachetest.Config{Conf: daemonApp, Daemon: "processes=1 threads=2 connect-timeout=2 home={{.Root}}/later"})
	start := time.Now()
	if r := <-asking(t, s, "/pid"); r.Status != 503 || r.Get("Retry-After") == "" || time.Since(start) > 10*time.Second {
		t.Errorf("after %v:\n%s", time.Since(start), r)
	}
	s.WaitLog(t, "WSGI0009")
	if n := strings.Count(s.Log(), "WSGI0009"); n > 5 {
		t.Errorf("%d attempts in %v", n, time.Since(start))
	}
	folder("later")(t, s, "")
	apachetest.Eventually(t, 40*time.Second, "the group starts when its home is there", func() bool { return s.Get(t, "/pid").Status == 200 })
}

func TestServiceScriptsRunAndAreStartedAgain(t *testing.T) {
	t.Parallel()
	s := apachetest.Start(t, apachetest.Config{LogLevel: "warn wsgi:info", Conf: `
WSGIDaemonProcess service processes=1 threads=0
WSGIImportScript {{.Root}}/service.wsgi process-group=service application-group=%{GLOBAL}
WSGIScriptAlias / {{.Apps}}/hello.wsgi
`, Files: map[string]string{"service.wsgi": `import os, threading, time
folder = os.path.join(os.path.dirname(__file__), "var")
main = threading.current_thread() is threading.main_thread()
with open(os.path.join(folder, "runs"), "a") as f:
    f.write("main\n" if main else "another thread\n")
while not os.path.exists(os.path.join(folder, "end")):
    time.sleep(0.01)
os.unlink(os.path.join(folder, "end"))
`}})
	for run := 1; run <= 3; run++ {
		apachetest.Eventually(t, 20*time.Second, fmt.Sprintf("the service runs for the %dth time", run), func() bool {
			text, _ := s.ReadFile("var/runs")
			return text == strings.Repeat("main\n", run)
		})
		if err := os.WriteFile(s.Root+"/var/end", nil, 0o666); err != nil { // the script removes it at once
			t.Fatal(err)
		}
	}
	expectBody(t, s, "/", "hello\n")
}
