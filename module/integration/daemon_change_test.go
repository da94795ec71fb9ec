package integration

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Configurations change while requests run.

// waitServing waits until so many processes answer that are none of the former ones.
func waitServing(t *testing.T, s *apachetest.Server, n int, former ...int) {
	t.Helper()
	serving := map[int]bool{}
	apachetest.Eventually(t, 20*time.Second, fmt.Sprintf("%d processes answer, none of %v", n, former), func() bool {
		if pid := pidOf(t, s.Get(t, "/")); !slices.Contains(former, pid) {
			serving[pid] = true
		}
		return len(serving) >= n
	})
}

func TestARunningRequestOutlivesAGracefulRestart(t *testing.T) {
	inSettings(t, sizes, func(t *testing.T, in setting) {
		s := apachetest.Start(t, in.of(apachetest.Config{Conf: daemonApp}))
		gate := makeFIFO(t, s)
		running := asking(t, s, "/hold?"+gate)
		old := processAt(t, s, gate)
		supervisors := s.Supervisors()
		s.Graceful(t)
		apachetest.Eventually(t, 20*time.Second, "another process answers", func() bool { return pidOf(t, s.Get(t, "/pid")) != old })
		if !apachetest.Alive(old) {
			t.Error("the process of a running request has ended")
		}
		openGate(t, gate)
		if pid := pidOf(t, <-running); pid != old {
			t.Errorf("process %d answers, %d was asked", pid, old)
		}
		apachetest.Eventually(t, 20*time.Second, "the old supervisor and its processes have gone", func() bool {
			return !apachetest.Alive(old) && !slices.ContainsFunc(supervisors, apachetest.Alive)
		})
	})
}

// slowToStart waits, when it is imported while the file "gate" is there, for the file "open".
const slowToStart = `import os, time
folder = os.path.join(os.path.dirname(__file__), "var", "")
while os.path.exists(folder + "gate") and not os.path.exists(folder + "open"):
    time.sleep(0.01)

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
`

const preloaded = "WSGIScriptAlias / {{.Root}}/slow.wsgi process-group=test application-group=%{GLOBAL}\n"

func note(t *testing.T, s *apachetest.Server, name string) {
	t.Helper()
	if err := s.WriteFile("var/"+name, ""); err != nil {
		t.Fatal(err)
	}
}

// Until the new processes are ready, those from before a graceful restart serve.
func TestNobodyWaitsForTheProcessesOfANewGeneration(t *testing.T) {
	for _, in := range sizes[:2] {
		t.Run(in.String(), func(t *testing.T) {
			t.Parallel()
			s := apachetest.Start(t, in.of(apachetest.Config{Conf: preloaded, Files: map[string]string{"slow.wsgi": slowToStart}}))
			former := waitProcesses(t, s, 1+strings.Count(in.options, "processes=2"))
			pidOf(t, s.Get(t, "/"))
			note(t, s, "gate")
			s.Graceful(t)
			for range 5 {
				if pid := pidOf(t, s.Get(t, "/")); !slices.Contains(former, pid) {
					t.Errorf("process %d answers, and can't be ready", pid)
				}
			}
			note(t, s, "open")
			apachetest.Eventually(t, 20*time.Second, "another process answers", func() bool { return !slices.Contains(former, pidOf(t, s.Get(t, "/"))) })
			waitProcesses(t, s, len(former), former...)
		})
	}
}

// slowToReload is another version of a script, which waits at its import for the file "open": in each process if the file "all" is there, or
// in all but the first.
const slowToReload = `import os, time
folder = os.path.join(os.path.dirname(__file__), "var", "")
try:
    os.close(os.open(folder + "first", os.O_CREAT | os.O_EXCL))
    waits = os.path.exists(folder + "all")
except FileExistsError:
    waits = True
while waits and not os.path.exists(folder + "open"):
    time.sleep(0.01)

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"new"]
`

func waitLoaded(t *testing.T, s *apachetest.Server, processes int) {
	t.Helper()
	apachetest.Eventually(t, 20*time.Second, fmt.Sprintf("%d processes are ready", processes), func() bool {
		return strings.Count(s.Log(), "of group 'test' is ready, with") == processes
	})
}

func replacements(mark apachetest.Mark) int {
	return strings.Count(mark.Since(), "is to be replaced: script_reload")
}

func TestWhileAChangedScriptIsLoadedOthersGetTheOldCode(t *testing.T) {
	for _, in := range sizes[:2] {
		t.Run(in.String(), func(t *testing.T) {
			t.Parallel()
			s := apachetest.Start(t, in.of(apachetest.Config{Conf: preloaded, Files: map[string]string{"slow.wsgi": scriptText("old")}, LogLevel: "warn wsgi:info"}))
			processes := 1 + strings.Count(in.options, "processes=2")
			waitLoaded(t, s, processes)
			note(t, s, "all")
			rewrite(t, s, "slow.wsgi", slowToReload, time.Now().Add(time.Hour))
			mark := s.Mark()
			noticed := asking(t, s, "/") // by the one process, then by the other
			apachetest.Eventually(t, 10*time.Second, "each process is to be replaced", func() bool { return replacements(mark) == processes })
			for range 5 {
				if r := s.Get(t, "/"); !strings.HasPrefix(string(r.Body), "old") {
					t.Errorf("while the new code is loaded:\n%s", r)
				}
			}
			note(t, s, "open")
			if r := <-noticed; string(r.Body) != "new" {
				t.Errorf("who noticed the change gets:\n%s", r)
			}
			expectBody(t, s, "/", "new")
		})
	}
}

// A client that has seen the new code is not to see the old one again, although another process still has it.
func TestNewCodeIsPreferred(t *testing.T) {
	t.Parallel()
	s := apachetest.Start(t, apachetest.Config{Conf: preloaded, Daemon: "processes=2 threads=3", Files: map[string]string{"slow.wsgi": scriptText("old")}, LogLevel: "warn wsgi:info"})
	waitLoaded(t, s, 2)
	rewrite(t, s, "slow.wsgi", slowToReload, time.Now().Add(time.Hour))
	mark := s.Mark()
	for range 40 {
		expectBody(t, s, "/", "new")
	}
	if got := replacements(mark); got != 2 {
		t.Errorf("%d processes have noticed the change, of 2", got)
	}
	note(t, s, "open")
}

// But not if they have another configuration: then there are only the new ones.
func TestAChangedConfigurationIsServedByItsOwnProcesses(t *testing.T) {
	t.Parallel()
	s := apachetest.Start(t, apachetest.Config{Conf: preloaded, Daemon: "processes=1 threads=3", Files: map[string]string{"slow.wsgi": slowToStart}})
	former := waitProcesses(t, s, 1)
	pidOf(t, s.Get(t, "/"))
	note(t, s, "gate")
	s.SetConf(t, preloaded+"WSGIScriptReloading Off\n")
	s.Graceful(t)
	answer := asking(t, s, "/")
	apachetest.Eventually(t, 20*time.Second, "the old process has gone", func() bool { return !apachetest.Alive(former[0]) })
	note(t, s, "open")
	if pid := pidOf(t, <-answer); pid == former[0] {
		t.Errorf("process %d answers, which has another configuration", pid)
	}
}

// A stop and a restart wait for nobody for long: Apache gives its own children ten seconds, and then the processes have their
// shutdown-timeout.
func TestABusyGroupHoldsUpNoStop(t *testing.T) {
	for name, stop := range map[string]func(s *apachetest.Server){
		"stop":    func(s *apachetest.Server) { s.Signal(syscall.SIGTERM); s.WaitStopped(t, 20*time.Second) },
		"restart": func(s *apachetest.Server) { s.Restart(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := apachetest.Start(t, apachetest.Config{Conf: daemonApp, Daemon: "processes=1 threads=2 shutdown-timeout=2", OneChild: true, Tolerate: killed})
			gate := makeFIFO(t, s)
			c := s.Dial(t)
			c.Send("GET /hold?" + gate + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
			busy := processAt(t, s, gate)
			start := time.Now()
			stop(s)
			apachetest.Eventually(t, 20*time.Second, fmt.Sprintf("process %d has gone", busy), func() bool { return !apachetest.Alive(busy) })
			t.Logf("after %v", time.Since(start).Round(time.Millisecond))
			if name == "restart" {
				if r := s.Get(t, "/pid"); r.Status != 200 {
					t.Error(r)
				}
			}
		})
	}
}
