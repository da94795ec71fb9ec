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
