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

	"golang.org/x/sys/unix"

	"modwsgi/module/apachetest"
)

// Apache's parent and the supervisors that it has started.

func TestTheParentGoesOnAfterItsSupervisorHasDied(t *testing.T) {
	for _, mpm := range []apachetest.MPM{apachetest.Event, apachetest.Prefork} {
		t.Run(string(mpm), func(t *testing.T) {
			config := daemonConfig("processes=1 threads=2", mpm, apachetest.Foreground, false)
			config.Tolerate = killed
			s := apachetest.Start(t, config)
			former := waitProcesses(t, s, 1)
			kill(t, s.Supervisors()[0])
			former = waitProcesses(t, s, 1, former...)
			s.Graceful(t)
			former = waitProcesses(t, s, 1, former...)
			s.Restart(t)
			waitProcesses(t, s, 1, former...)
			answeringProcess(t, s)
			s.Signal(syscall.SIGTERM)
			s.WaitStopped(t, 15*time.Second)
			s.WaitLog(t, "caught SIGTERM, shutting down")
		})
	}
}

// Apache would report the end of an old supervisor as that of a child it does not know.
func TestOldSupervisorsLeaveWithoutANoise(t *testing.T) {
	forEachMPM(t, func(t *testing.T, mpm apachetest.MPM) {
		s := apachetest.Start(t, apachetest.Config{MPM: mpm, Conf: daemonApp, Daemon: "processes=1 threads=2"})
		old := s.Supervisors()
		// A request keeps an old child, and with it the old supervisor and its process, over two restarts.
		gate := makeFIFO(t, s)
		connection := s.Dial(t)
		connection.Send("GET /hold?" + gate + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		busy := processAt(t, s, gate)
		for range 2 {
			s.Graceful(t)
			apachetest.Eventually(t, 20*time.Second, "a new process answers", func() bool { return pidOf(t, s.Get(t, "/pid")) != busy })
		}
		if !apachetest.Alive(old[0]) {
			t.Error("the first supervisor does not wait for a request that still runs")
		}
		openGate(t, gate)
		if answer := connection.Read("GET"); string(answer.Body) != strconv.Itoa(busy) {
			t.Errorf("the old request: %s", answer)
		}
		apachetest.Eventually(t, 10*time.Second, "the first supervisor has gone", func() bool { return !slices.ContainsFunc(old, apachetest.Alive) })
		s.Graceful(t)
		for _, text := range []string{"long lost child", "ended unexpectedly"} {
			if strings.Contains(s.Log(), text) {
				t.Errorf("the log says %q", text)
			}
		}
	})
}

// A process of the group could otherwise make the board smaller, and every other process that looks at it would crash.
func TestTheBoardKeepsItsSize(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{Conf: daemonApp, Daemon: "processes=1 threads=2", Tolerate: killed})
	former := waitProcesses(t, s, 1)
	sealed := func() {
		t.Helper()
		board := boardOf(t, s.Supervisors()[0])
		defer board.Close()
		if err := unix.Ftruncate(int(board.Fd()), 0); err != unix.EPERM {
			t.Errorf("making the board smaller: %v", err)
		}
		if err := unix.Ftruncate(int(board.Fd()), 1<<30); err != unix.EPERM {
			t.Errorf("making the board larger: %v", err)
		}
	}
	sealed()
	kill(t, s.Supervisors()[0])
	waitProcesses(t, s, 1, former...)
	sealed()
}

// boardOf opens the board of a supervisor.
func boardOf(t *testing.T, supervisor int) *os.File {
	t.Helper()
	folder := fmt.Sprintf("/proc/%d/fd/", supervisor)
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if target, _ := os.Readlink(folder + e.Name()); strings.Contains(target, "mod_wsgi-board") {
			board, err := os.OpenFile(folder+e.Name(), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			return board
		}
	}
	t.Fatalf("supervisor %d has no board", supervisor)
	return nil
}
