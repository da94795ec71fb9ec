package servetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"modwsgi/daemon"
)

// app writes a script whose application runs these lines and answers with what they leave in the variable body.
func app(t *testing.T, lines ...string) string {
	t.Helper()
	return script(t, append([]string{"import os, sys, time", "def application(environ, start_response):", "    body = 'done'"},
		append(indented(lines), "    start_response('200 OK', [('Content-Type', 'text/plain')])", "    return [body.encode()]")...)...)
}

func indented(lines []string) []string {
	for i, line := range lines {
		lines[i] = "    " + line
	}
	return lines
}

func script(t *testing.T, lines ...string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	path := filepath.Join(dir, "app.wsgi")
	must(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644))
	return path
}

func answers(t *testing.T, p *Process, path, want string) {
	t.Helper()
	reply, err := p.Ask(path)
	must(t, err)
	if reply.Status != 200 || reply.Body != want {
		t.Fatalf("%+v instead of %q\n%s", reply, want, p.Log())
	}
}

// begun waits until a request has created the file.
func begun(t *testing.T, path string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the request never began: no %s", path)
		}
	}
}

// flag is a path that the process may create.
func flag(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, os.Chmod(dir, 0o777))
	return filepath.Join(dir, "flag")
}

func create(path string) string { return fmt.Sprintf("open(%q, 'w').close()", path) }

func waitFor(path string) string {
	return fmt.Sprintf("while not os.path.exists(%q): time.sleep(0.005)", path)
}

func TestRequestsAreAnswered(t *testing.T) {
	p := begin(t, "threads=2")
	must(t, p.Expect(daemon.Ready, ""))
	path := app(t, "body = '%s %s %s' % (environ['wsgi.multithread'], environ['wsgi.multiprocess'], environ['wsgi.run_once'])")
	for range 5 {
		answers(t, p, path, "True False False")
	}
	if word := p.Board.Slot(0); word.Permits != 2 {
		t.Errorf("slot %+v", word)
	}
}

func TestMaximumRequestsReplacesTheProcess(t *testing.T) {
	p := begin(t, "threads=1 processes=1 maximum-requests=2")
	must(t, p.Expect(daemon.Ready, ""))
	path := app(t, "body = '%s %s' % (environ['wsgi.multithread'], environ['wsgi.multiprocess'])")
	answers(t, p, path, "False True")
	answers(t, p, path, "False True")
	must(t, p.Expect(daemon.Due, "maximum_requests"))
	answers(t, p, path, "False True") // until the successor is ready
	must(t, p.Order(daemon.Retire, "maximum_requests"))
	must(t, p.Expect(daemon.Ending, "maximum_requests"))
	must(t, p.ExpectEnd(0))
}

func TestRetiringProcessFinishesWhatItHas(t *testing.T) {
	p := begin(t, "threads=2")
	must(t, p.Expect(daemon.Ready, ""))
	started, goOn := flag(t), flag(t)
	path := app(t, create(started), waitFor(goOn))
	call, err := p.Send(path)
	must(t, err)
	begun(t, started)
	must(t, p.Order(daemon.Retire, "graceful_signal"))
	must(t, p.ExpectLog("takes no more requests"))
	must(t, os.WriteFile(goOn, nil, 0o644))
	if reply, err := call.Reply(); err != nil || reply.Body != "done" {
		t.Errorf("%+v, %v\n%s", reply, err, p.Log())
	}
	must(t, p.Expect(daemon.Ending, "graceful_signal"))
	must(t, p.ExpectEnd(0))
}

func TestGracefulTimeoutBoundsHowLongARetiringProcessWaits(t *testing.T) {
	p := begin(t, "threads=2 graceful-timeout=1 shutdown-timeout=1")
	must(t, p.Expect(daemon.Ready, ""))
	started := flag(t)
	if _, err := p.Send(app(t, create(started), "time.sleep(60)")); err != nil {
		t.Fatal(err)
	}
	begun(t, started)
	must(t, p.Order(daemon.Retire, "restart_interval"))
	must(t, p.Expect(daemon.Ending, "restart_interval"))
	must(t, p.ExpectEnd(255))
	must(t, p.ExpectLog("shutdown-timeout"))
}

func TestStoppedProcessFinishesItsRequestsWithinShutdownTimeout(t *testing.T) {
	p := begin(t, "threads=2 shutdown-timeout=20")
	must(t, p.Expect(daemon.Ready, ""))
	started, goOn := flag(t), flag(t)
	call, err := p.Send(app(t, create(started), waitFor(goOn)))
	must(t, err)
	begun(t, started)
	p.Signal(syscall.SIGTERM)
	must(t, p.Expect(daemon.Ending, "shutdown_signal"))
	must(t, os.WriteFile(goOn, nil, 0o644))
	if reply, err := call.Reply(); err != nil || reply.Body != "done" {
		t.Errorf("%+v, %v\n%s", reply, err, p.Log())
	}
	must(t, p.ExpectEnd(0))
}

func TestRestartIntervalReplacesTheProcess(t *testing.T) {
	p := begin(t, "threads=1 restart-interval=1")
	must(t, p.Expect(daemon.Ready, ""))
	must(t, p.Expect(daemon.Due, "restart_interval"))
}

func TestInactivityEndsAProcessThatHadARequest(t *testing.T) {
	p := begin(t, "threads=1 inactivity-timeout=1")
	must(t, p.Expect(daemon.Ready, ""))
	answers(t, p, app(t), "done")
	must(t, p.Expect(daemon.Ending, "inactivity_timeout"))
	must(t, p.ExpectEnd(0))
}

func TestStartupTimeoutEndsAProcessThatLoadsNothing(t *testing.T) {
	p := begin(t, "threads=1 startup-timeout=1")
	must(t, p.Expect(daemon.Ready, ""))
	if reply, err := p.Ask(script(t, "raise ValueError('no')")); err != nil || reply.Status != 500 {
		t.Fatalf("%+v, %v", reply, err)
	}
	must(t, p.Expect(daemon.Ending, "startup_timeout"))
	must(t, p.ExpectEnd(0))
}

func TestStuckRequestIsInterrupted(t *testing.T) {
	p := begin(t, "threads=1 request-timeout=1 interrupt-timeout=20")
	must(t, p.Expect(daemon.Ready, ""))
	stuck := app(t, "while True: pass")
	reply, err := p.Ask(stuck)
	if err != nil || reply.Status != 504 {
		t.Fatalf("%+v, %v\n%s", reply, err, p.Log())
	}
	must(t, p.ExpectLog("raised mod_wsgi.RequestTimeout"))
	if !strings.Contains(p.Log(), "while True: pass") {
		t.Errorf("the log does not show where the request was:\n%s", p.Log())
	}
	answers(t, p, app(t), "done")
}

func TestRequestThatCannotBeInterruptedCostsTheProcess(t *testing.T) {
	p := begin(t, "threads=1 request-timeout=1 shutdown-timeout=10")
	must(t, p.Expect(daemon.Ready, ""))
	call, err := p.Send(app(t, "time.sleep(60)"))
	must(t, err)
	must(t, p.Expect(daemon.Ending, "request_timeout"))
	must(t, p.ExpectEnd(0))
	if reply, err := call.Reply(); err == nil {
		t.Errorf("an answer %+v", reply)
	}
	if !strings.Contains(p.Log(), "time.sleep(60)") {
		t.Errorf("the log does not show where the request was:\n%s", p.Log())
	}
}

func TestStuckInterpreterLockEndsTheProcess(t *testing.T) {
	p := begin(t, "threads=2 deadlock-timeout=1 shutdown-timeout=1")
	must(t, p.Expect(daemon.Ready, ""))
	// A call into C that keeps the lock: PyDLL does not release it.
	if _, err := p.Send(app(t, "import ctypes", "ctypes.PyDLL(None).sleep(60)")); err != nil {
		t.Fatal(err)
	}
	must(t, p.Expect(daemon.Ending, "deadlock_timeout"))
	must(t, p.ExpectEnd(255))
}

func TestChangedScriptReplacesTheProcess(t *testing.T) {
	p := begin(t, "threads=1")
	must(t, p.Expect(daemon.Ready, ""))
	path := app(t)
	answers(t, p, path, "done")
	must(t, os.Chtimes(path, time.Time{}, time.Now().Add(-time.Hour)))
	if reply, err := p.Ask(path); err != nil || reply.Last != daemon.Again {
		t.Fatalf("%+v, %v", reply, err)
	}
	must(t, p.Expect(daemon.Due, "script_reload"))
}

func TestPermitThatAKilledChildHadIsGivenBack(t *testing.T) {
	p := begin(t, "threads=1")
	must(t, p.Expect(daemon.Ready, ""))
	p.Board.AddPermits(0, serial, -1)
	must(t, p.ExpectLog("counts 1 free threads again"))
	if word := p.Board.Slot(0); word.Permits != 1 {
		t.Errorf("slot %+v", word)
	}
}

// Under load, too: there is always a request somewhere, but never as many as permits are out.
func TestPermitThatAKilledChildHadIsGivenBackUnderLoad(t *testing.T) {
	p := begin(t, "threads=3")
	must(t, p.Expect(daemon.Ready, ""))
	path := app(t, "time.sleep(0.002)")
	answers(t, p, path, "done")
	over := make(chan struct{})
	var clients sync.WaitGroup
	for range 2 {
		clients.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				if reply, err := p.Ask(path); err != nil || reply.Status != 200 {
					t.Errorf("%+v, %v", reply, err)
					return
				}
			}
		})
	}
	p.Board.AddPermits(0, serial, -1)
	err := p.ExpectLog("counts 1 free threads again")
	close(over)
	clients.Wait()
	must(t, err)
	if word := p.Board.Slot(0); word.Permits != 3 {
		t.Errorf("slot %+v", word)
	}
}

func TestCPUTimeLimitReplacesTheProcess(t *testing.T) {
	p := begin(t, "threads=2 cpu-time-limit=1")
	must(t, p.Expect(daemon.Ready, ""))
	if _, err := p.Send(app(t, "while True: pass")); err != nil {
		t.Fatal(err)
	}
	must(t, p.Expect(daemon.Due, "cpu_time_limit"))
}

func TestScriptThatHangsWhileItIsLoadedIsInterrupted(t *testing.T) {
	p := begin(t, "threads=1 request-timeout=1 interrupt-timeout=20")
	must(t, p.Expect(daemon.Ready, ""))
	reply, err := p.Ask(script(t, "while True: pass"))
	if err != nil || reply.Status != 500 { // as for every other exception there
		t.Fatalf("%+v, %v\n%s", reply, err, p.Log())
	}
	answers(t, p, app(t), "done")
}
