package integration

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Configurations change while requests run.

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
