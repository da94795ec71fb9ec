package servetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"modwsgi/daemon"
)

const program = "../../build/mod_wsgi-daemon"

// begin starts a process of `WSGIDaemonProcess test` with these options.
func begin(t *testing.T, options string, more ...Line) *Process {
	t.Helper()
	return beginAs(t, nil, options, more...)
}

func beginAs(t *testing.T, facts map[string]string, options string, more ...Line) *Process {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // the process may be another user's
		t.Fatal(err)
	}
	p, err := Start(program, dir, facts, append([]Line{{"WSGIDaemonProcess", "test " + options}}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestProcessIsReadyWithAllItsThreads(t *testing.T) {
	p := begin(t, "threads=3")
	must(t, p.Expect(daemon.Ready, ""))
	if word := p.Board.Slot(0); word != (daemon.SlotWord{Serial: serial, State: daemon.SlotReady, Permits: 3}) {
		t.Errorf("slot %+v", word)
	}
}

func TestSIGTERMEndsTheProcess(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p := begin(t, "threads=3")
		must(t, p.Expect(daemon.Ready, ""))
		p.Signal(signal)
		must(t, p.Expect(daemon.Ending, "shutdown_signal"))
		must(t, p.ExpectEnd(0))
		if word := p.Board.Slot(0); word.State != daemon.SlotRetiring {
			t.Errorf("slot %+v", word)
		}
	}
}

func TestEndOfTheSupervisorEndsTheProcess(t *testing.T) {
	p := begin(t, "threads=3")
	must(t, p.Expect(daemon.Ready, ""))
	p.Abandon()
	must(t, p.ExpectEnd(0))
}

func TestOrderToStopEndsTheProcess(t *testing.T) {
	p := begin(t, "threads=3")
	must(t, p.Expect(daemon.Ready, ""))
	must(t, p.Order(daemon.Stop, "shutdown_signal"))
	must(t, p.Expect(daemon.Ending, "shutdown_signal"))
	must(t, p.ExpectEnd(0))
}

func TestSIGUSR1AsksForASuccessorAndEndsWhenItIsThere(t *testing.T) {
	p := begin(t, "threads=3")
	must(t, p.Expect(daemon.Ready, ""))
	p.Signal(syscall.SIGUSR1)
	must(t, p.Expect(daemon.Due, "graceful_signal"))
	if word := p.Board.Slot(0); word.State != daemon.SlotReady {
		t.Errorf("before its successor is ready, slot %+v", word)
	}
	must(t, p.Order(daemon.Retire, "graceful_signal"))
	must(t, p.Expect(daemon.Ending, "graceful_signal"))
	must(t, p.ExpectEnd(0))
}

func TestSignalsWithoutAMeaningChangeNothing(t *testing.T) {
	p := begin(t, "threads=1")
	must(t, p.Expect(daemon.Ready, ""))
	p.Signal(syscall.SIGHUP)
	p.Signal(syscall.SIGUSR2)
	p.Signal(syscall.SIGPIPE)
	must(t, p.ExpectLog("received SIGHUP"))
	must(t, p.ExpectLog("received SIGUSR2"))
	p.Signal(syscall.SIGTERM)
	must(t, p.Expect(daemon.Ending, "shutdown_signal"))
	must(t, p.ExpectEnd(0))
}

func TestProcessNeverRunsAsRoot(t *testing.T) {
	p := beginAs(t, map[string]string{"euid": "0", "uid": "0", "gid": "0"}, "threads=1")
	if os.Geteuid() != 0 { // the facts do not count then: it is what it is
		must(t, p.Expect(daemon.Ready, ""))
		return
	}
	must(t, p.ExpectEnd(255))
	if !strings.Contains(p.Log(), "WSGI0008") || !strings.Contains(p.Log(), "WSGI0025") {
		t.Errorf("log:\n%s", p.Log())
	}
}

func TestProcessBecomesApachesUser(t *testing.T) {
	p := begin(t, "threads=1")
	must(t, p.Expect(daemon.Ready, ""))
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID))
	must(t, err)
	want := "Uid:\t65534\t65534\t65534\t65534\nGid:\t65534\t65534\t65534\t65534\n"
	if os.Geteuid() == 0 && !strings.Contains(string(status), want) {
		t.Errorf("status:\n%s", status)
	}
}
