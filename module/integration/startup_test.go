package integration

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// A naive smoke test passes even when Go was started before the fork: a trivial export works, while a goroutine, a
// timer or a collection hangs for ever. So each child uses all three when it starts, and says this when it has.
var runtimeReady = regexp.MustCompile(`(?m)^.*\[pid (\d+)[^]]*\].*Go runtime ready`)

const processApp = `
import os
def application(environ, start_response):
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
`

func startupConfig(mpm apachetest.MPM, mode apachetest.Mode, ordinaryUser bool) apachetest.Config {
	return apachetest.Config{
		MPM: mpm, Mode: mode, OrdinaryUser: ordinaryUser,
		LogLevel: "info",
		Conf:     "WSGIScriptAlias / {{.Root}}/process.wsgi",
		Files:    map[string]string{"process.wsgi": processApp},
	}
}

// forEachUser runs a test as root with children of www-data, and as an ordinary user. Somebody who is not root runs
// only the latter; CI is root.
func forEachUser(t *testing.T, test func(t *testing.T, ordinaryUser bool)) {
	if os.Getuid() == 0 {
		t.Run("root", func(t *testing.T) { test(t, false) })
	}
	t.Run("ordinary user", func(t *testing.T) { test(t, true) })
}

func forEachMPM(t *testing.T, test func(t *testing.T, mpm apachetest.MPM)) {
	for _, mpm := range apachetest.MPMs {
		t.Run(string(mpm), func(t *testing.T) { test(t, mpm) })
	}
}

// readyPids are the processes that have said that Go works in them.
func readyPids(s *apachetest.Server) map[int]bool {
	ready := map[int]bool{}
	for _, match := range runtimeReady.FindAllStringSubmatch(s.Log(), -1) {
		pid, _ := strconv.Atoi(match[1])
		ready[pid] = true
	}
	return ready
}

// expectServing sends requests, and waits until every child that is there has a working Go runtime.
func expectServing(t *testing.T, s *apachetest.Server, when string) {
	t.Helper()
	for range 5 {
		answer := s.Get(t, "/")
		if answer.Status != 200 {
			t.Fatalf("%s: not served:\n%s", when, answer)
		}
		pid, err := strconv.Atoi(string(answer.Body))
		if err != nil {
			t.Fatalf("%s: no process id:\n%s", when, answer)
		}
		if !readyPids(s)[pid] {
			t.Fatalf("%s: process %d answers but has not said `Go runtime ready`; the log:\n%s", when, pid, s.Log())
		}
	}
	apachetest.Eventually(t, 10*time.Second, when+": a working Go runtime in each child", func() bool {
		ready := readyPids(s)
		for _, child := range s.Children() {
			if !ready[child] {
				return false
			}
		}
		return true
	})
}

// expectParentWithoutGo relies on Go being unable to run with one thread: its monitor is a second one.
func expectParentWithoutGo(t *testing.T, s *apachetest.Server) {
	t.Helper()
	threads, err := apachetest.Threads(s.Pid())
	if err != nil || threads != 1 {
		t.Errorf("the parent has %d threads (%v), not 1: something runs in a process that forks", threads, err)
	}
}

func TestGoWorksInEveryChildThroughStartsRestartsAndStops(t *testing.T) {
	modes := []apachetest.Mode{apachetest.Foreground, apachetest.Daemonized}
	forEachMPM(t, func(t *testing.T, mpm apachetest.MPM) {
		forEachUser(t, func(t *testing.T, ordinaryUser bool) {
			for _, mode := range modes {
				t.Run(mode.String(), func(t *testing.T) {
					s := apachetest.Start(t, startupConfig(mpm, mode, ordinaryUser))
					expectServing(t, s, "after the start")
					s.Graceful(t)
					expectServing(t, s, "after a graceful restart")
					s.Restart(t)
					expectServing(t, s, "after a restart")
					s.Graceful(t)
					expectServing(t, s, "after a second graceful restart")
					expectParentWithoutGo(t, s)
					s.GracefulStop()
					s.WaitStopped(t, 15*time.Second)
				})
			}
			t.Run("stop", func(t *testing.T) {
				s := apachetest.Start(t, startupConfig(mpm, apachetest.Daemonized, ordinaryUser))
				expectServing(t, s, "after the start")
				s.Stop(t)
			})
			t.Run("-X", func(t *testing.T) {
				s := apachetest.Start(t, startupConfig(mpm, apachetest.Single, ordinaryUser))
				expectServing(t, s, "after the start")
				if !readyPids(s)[s.Pid()] {
					t.Errorf("-X: the only process, %d, has not said that Go works", s.Pid())
				}
			})
		})
	})
}

// A crash of the parent, or of -X's only process, is in no log: only who started it learns how it ended.
func TestTheStartedProcessItselfEndsInOrder(t *testing.T) {
	forEachMPM(t, func(t *testing.T, mpm apachetest.MPM) {
		forEachUser(t, func(t *testing.T, ordinaryUser bool) {
			for _, mode := range []string{"-DFOREGROUND", "-X"} {
				t.Run(mode, func(t *testing.T) {
					s := apachetest.New(t, startupConfig(mpm, apachetest.Foreground, ordinaryUser))
					state := startAndTerminate(t, s, mode, ordinaryUser)
					if !state.Success() {
						t.Errorf("httpd %s: ended with %v", mode, state)
					}
				})
			}
		})
	})
}

// startAndTerminate runs httpd until it has answered a request, then sends SIGTERM.
func startAndTerminate(t *testing.T, s *apachetest.Server, mode string, ordinaryUser bool) *os.ProcessState {
	t.Helper()
	httpd := exec.Command("/usr/sbin/apache2", "-f", s.Root+"/httpd.conf", mode)
	httpd.Env = append(os.Environ(), strings.Fields(os.Getenv("MODWSGI_HTTPD_ENV"))...)
	httpd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if ordinaryUser && os.Getuid() == 0 {
		httpd.SysProcAttr.Credential = credentialOf(t, "www-data")
	}
	if err := httpd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- httpd.Wait() }()
	defer func() { _ = syscall.Kill(-httpd.Process.Pid, syscall.SIGKILL) }()

	apachetest.Eventually(t, 20*time.Second, "httpd accepts connections", func() bool {
		conn, err := net.Dial("tcp", s.Addr())
		if err == nil {
			_ = conn.Close()
		}
		return err == nil || httpd.ProcessState != nil
	})
	if answer := s.Get(t, "/"); answer.Status != 200 {
		t.Errorf("not served:\n%s", answer)
	}
	s.Settle(httpd.Process.Pid) // Apache's own race, see there
	_ = httpd.Process.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(15 * time.Second):
		t.Fatal("httpd does not end after SIGTERM")
	}
	return httpd.ProcessState
}

func credentialOf(t *testing.T, name string) *syscall.Credential {
	t.Helper()
	account, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	var uid, gid uint32
	if _, err := fmt.Sscan(account.Uid+" "+account.Gid, &uid, &gid); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uid, Gid: gid}
}
