package integration

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Daemon processes come and go with the server: architecture, section 5.

func daemonConfig(options string, mpm apachetest.MPM, mode apachetest.Mode, ordinaryUser bool) apachetest.Config {
	return apachetest.Config{
		MPM: mpm, Mode: mode, OrdinaryUser: ordinaryUser, Daemon: options,
		Conf:  "WSGIScriptAlias / {{.Root}}/process.wsgi",
		Files: map[string]string{"process.wsgi": processApp},
	}
}

// answeringProcess is the id of the daemon process that answers a request.
func answeringProcess(t *testing.T, s *apachetest.Server) int {
	t.Helper()
	pid, err := strconv.Atoi(answeringPid(t, s))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(s.DaemonProcesses(), pid) {
		t.Fatalf("process %d answers, but the daemon processes are %v", pid, s.DaemonProcesses())
	}
	return pid
}

// waitProcesses waits until exactly so many daemon processes and one supervisor are there, and none of the former ones.
func waitProcesses(t *testing.T, s *apachetest.Server, n int, former ...int) []int {
	t.Helper()
	var now []int
	apachetest.Eventually(t, 20*time.Second, fmt.Sprintf("%d daemon processes, none of %v", n, former), func() bool {
		now = s.DaemonProcesses()
		return len(now) == n && len(s.Supervisors()) == 1 && !slices.ContainsFunc(former, func(pid int) bool { return slices.Contains(now, pid) })
	})
	return now
}

func TestDaemonProcessesComeAndGoWithTheServer(t *testing.T) {
	forEachMPM(t, func(t *testing.T, mpm apachetest.MPM) {
		forEachUser(t, func(t *testing.T, ordinaryUser bool) {
			for _, mode := range []apachetest.Mode{apachetest.Foreground, apachetest.Daemonized} {
				if ordinaryUser && mode == apachetest.Daemonized && mpm != apachetest.Event {
					continue // the same as root, once is enough
				}
				t.Run(mode.String(), func(t *testing.T) {
					s := apachetest.Start(t, daemonConfig("processes=2 threads=2", mpm, mode, ordinaryUser))
					first := waitProcesses(t, s, 2)
					answeringProcess(t, s)
					expectParentWithoutGo(t, s)
					s.Graceful(t)
					second := waitProcesses(t, s, 2, first...)
					answeringProcess(t, s)
					s.Restart(t)
					waitProcesses(t, s, 2, second...)
					answeringProcess(t, s)
					if sockets := s.Sockets(); len(sockets) != 2 {
						t.Errorf("two processes have the sockets %v", sockets)
					}
					expectParentWithoutGo(t, s)
					s.GracefulStop()
					s.WaitStopped(t, 15*time.Second)
				})
			}
			t.Run("-X", func(t *testing.T) {
				s := apachetest.Start(t, daemonConfig("processes=1 threads=2", mpm, apachetest.Single, ordinaryUser))
				waitProcesses(t, s, 1)
				answeringProcess(t, s)
				s.Stop(t)
			})
		})
	})
}

func TestNoPythonRunsAsRoot(t *testing.T) {
	s := apachetest.Start(t, daemonConfig("processes=2 threads=2", apachetest.Event, apachetest.Foreground, false))
	for _, pid := range waitProcesses(t, s, 2) {
		for _, key := range []string{"Uid:", "Gid:"} { // real, effective, saved, of the file system
			apachetest.Eventually(t, 10*time.Second, fmt.Sprintf("process %d has left root", pid), func() bool {
				ids := strings.Fields(statusLine(t, pid, key))
				return (os.Getuid() != 0 || !slices.Contains(ids, "0")) && len(slices.Compact(ids)) == 1
			})
		}
	}
	for _, pid := range s.Supervisors() {
		if maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid)); err == nil && os.Getuid() == 0 && strings.Contains(string(maps), "/encodings/") {
			t.Error("the supervisor has started Python")
		}
	}
}

// statusLine is the rest of a line of /proc/<pid>/status.
func statusLine(t *testing.T, pid int, key string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			return strings.TrimSpace(rest)
		}
	}
	t.Fatalf("process %d: no %s in its status", pid, key)
	return ""
}

// Unlike the classic module, which answers some requests of that moment with 503.
func TestGracefulRestartsFailNoRequestOfAGroup(t *testing.T) {
	inSettings(t, sizes[:2], func(t *testing.T, in setting) {
		s := apachetest.Start(t, in.of(daemonConfig("", "", apachetest.Daemonized, false)))
		stop := requestContinuously(t, s)
		defer stop()
		var before usage
		const settled, times = 3, 13
		for n := range times {
			former := s.DaemonProcesses()
			s.Graceful(t)
			apachetest.Eventually(t, 20*time.Second, "another process answers", func() bool {
				pid, _ := strconv.Atoi(answeringPid(t, s))
				return !slices.Contains(former, pid)
			})
			if n == settled {
				before = usageOf(t, s)
			}
		}
		served := stop()
		processes := 1
		if strings.Contains(in.options, "processes=2") {
			processes = 2
		}
		waitProcesses(t, s, processes)
		after := usageOf(t, s)
		t.Logf("%d requests during %d graceful restarts; descriptors of the parent %d, then %d", served, times, before.descriptors, after.descriptors)
		if after.descriptors > before.descriptors {
			t.Errorf("the parent's open descriptors rose from %d to %d", before.descriptors, after.descriptors)
		}
		if sockets := s.Sockets(); len(sockets) != processes {
			t.Errorf("sockets of %d processes: %v", processes, sockets)
		}
	})
}
