package servetest

import (
	"strings"
	"syscall"
	"testing"

	"modwsgi/daemon"
)

// A crash ends the process by its signal, with no pages about Go in the log.

func expectSignal(t *testing.T, p *Process, signal syscall.Signal) {
	t.Helper()
	must(t, p.ExpectEnd(-1))
	if got := p.EndedBy(); got != signal {
		t.Errorf("it ended by %v instead of %v", got, signal)
	}
	if strings.Contains(p.Log(), "goroutine") {
		t.Errorf("log:\n%s", p.Log())
	}
}

func TestCrashInARequestEndsTheProcessByItsSignal(t *testing.T) {
	for line, signal := range map[string]syscall.Signal{
		"ctypes.string_at(0)": syscall.SIGSEGV,
		"os.abort()":          syscall.SIGABRT,
		"threading.Thread(target=ctypes.string_at, args=(0,)).start(); time.sleep(60)": syscall.SIGSEGV,
	} {
		p := begin(t, "threads=2")
		must(t, p.Expect(daemon.Ready, ""))
		call, err := p.Send(app(t, "import ctypes, threading", line))
		must(t, err)
		expectSignal(t, p, signal)
		if reply, err := call.Reply(); err == nil {
			t.Errorf("an answer %+v", reply)
		}
	}
}

func TestCrashInAnImportedScriptEndsTheProcessByItsSignal(t *testing.T) {
	for line, signal := range map[string]syscall.Signal{"ctypes.string_at(0)": syscall.SIGSEGV, "os.abort()": syscall.SIGABRT} {
		expectSignal(t, begin(t, "threads=1", imports(script(t, "import ctypes, os", line))), signal)
	}
}

func TestFatalSignalThatIsSentEndsTheProcess(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGSEGV, syscall.SIGABRT, syscall.SIGBUS, syscall.SIGQUIT} {
		p := begin(t, "threads=1")
		must(t, p.Expect(daemon.Ready, ""))
		p.Signal(signal)
		expectSignal(t, p, signal)
	}
}
