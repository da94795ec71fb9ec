package integration

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Processes and configurations change while requests come: nobody notices.

// underLoad sends requests over several connections until the change is over; a change returns when it has happened. It returns how many
// were served.
func underLoad(t *testing.T, s *apachetest.Server, path string, change func()) int64 {
	t.Helper()
	var over atomic.Bool
	var served atomic.Int64
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for !over.Load() {
				answer, err := fetch(s.URL(path))
				if err != nil || answer.StatusCode != http.StatusOK {
					t.Errorf("a request meanwhile: %v, %v", answer, err)
					return
				}
				served.Add(1)
			}
		})
	}
	change()
	over.Store(true)
	clients.Wait()
	return served.Load()
}

func TestChangesUnderLoadFailNoRequest(t *testing.T) {
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, options string
		change        func(t *testing.T, s *apachetest.Server, n int)
	}{
		{"script touched", "processes=2 threads=5", func(t *testing.T, s *apachetest.Server, n int) {
			former := s.DaemonProcesses()
			touch(t, s, "process.wsgi", start.Add(time.Duration(n)*time.Second))
			waitServing(t, s, 2, former...)
		}},
		{"maximum-requests", "processes=2 threads=5 maximum-requests=50", func(t *testing.T, s *apachetest.Server, _ int) {
			waitServing(t, s, 2, s.DaemonProcesses()...)
		}},
		{"SIGUSR1", "processes=2 threads=5", func(t *testing.T, s *apachetest.Server, _ int) { signalAll(t, s, syscall.SIGUSR1) }},
		{"SIGTERM", "processes=2 threads=5", func(t *testing.T, s *apachetest.Server, _ int) { signalAll(t, s, syscall.SIGTERM) }},
		{"graceful restart", "processes=2 threads=5", func(t *testing.T, s *apachetest.Server, _ int) {
			former := s.DaemonProcesses()
			s.Graceful(t)
			waitServing(t, s, 2, former...)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := daemonConfig(c.options, apachetest.Event, apachetest.Foreground, false)
			config.Tuning, config.LogLevel = threadedTuning, "warn wsgi:info"
			config.Conf += "\nWSGIApplicationGroup %{GLOBAL}\n"
			s := apachetest.Start(t, config)
			const times = 4
			served := underLoad(t, s, "/", func() {
				waitServing(t, s, 2) // both have loaded the script
				for n := range times {
					c.change(t, s, n)
				}
			})
			t.Logf("%d changes, %d requests", times, served)
		})
	}
}

// signalAll sends a signal to every daemon process and waits until all are replaced.
func signalAll(t *testing.T, s *apachetest.Server, signal syscall.Signal) {
	t.Helper()
	former := s.DaemonProcesses()
	for _, pid := range former {
		_ = syscall.Kill(pid, signal)
	}
	waitServing(t, s, 2, former...)
}

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
