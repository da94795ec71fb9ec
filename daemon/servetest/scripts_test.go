package servetest

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"modwsgi/daemon"
)

func imports(path string) Line {
	return Line{"WSGIImportScript", path + " process-group=test application-group=%{GLOBAL}"}
}

func TestScriptsAreImportedBeforeTheFirstRequest(t *testing.T) {
	loads := flag(t)
	path := script(t, "import threading", fmt.Sprintf("open(%q, 'a').write('loaded on %%s\\n' %% threading.current_thread().name)", loads),
		"def application(environ, start_response):", "    start_response('200 OK', [])", "    return [b'imported']")
	p := begin(t, "threads=1", imports(path))
	must(t, p.Expect(daemon.Ready, ""))
	text, err := os.ReadFile(loads)
	must(t, err)
	answers(t, p, path, "imported")
	after, err := os.ReadFile(loads)
	must(t, err)
	if string(text) != "loaded on MainThread\n" || string(after) != string(text) {
		t.Errorf("%q, then %q", text, after)
	}
}

func TestScriptThatCannotBeImportedIsLoggedAndIgnored(t *testing.T) {
	for code, lines := range map[string][]string{
		"WSGI0106": {"def ("},
		"WSGI0108": {"raise SystemExit(3)"},
		"WSGI0110": {"raise ValueError('unusual')"},
	} {
		p := begin(t, "threads=1", imports(script(t, lines...)), imports("/there/is/no.wsgi"))
		must(t, p.Expect(daemon.Ready, ""))
		must(t, p.ExpectLog(code))
		must(t, p.ExpectLog("WSGI0106")) // of the second one
		answers(t, p, app(t), "done")
	}
}

func TestProcessThatIsStoppedImportsNothingMore(t *testing.T) {
	started, goOn, second := flag(t), flag(t), flag(t)
	p := begin(t, "threads=1 shutdown-timeout=20", imports(script(t, "import os, time", create(started), waitFor(goOn))), imports(script(t, create(second))))
	begun(t, started)
	p.Signal(syscall.SIGTERM)
	must(t, p.Expect(daemon.Ending, "shutdown_signal"))
	must(t, os.WriteFile(goOn, nil, 0o644))
	must(t, p.ExpectEnd(0))
	if _, err := os.Stat(second); err == nil {
		t.Error("the second script was imported")
	}
}

func TestScriptThatHangsDoesNotKeepAProcessFromEnding(t *testing.T) {
	started := flag(t)
	p := begin(t, "threads=1 shutdown-timeout=1", imports(script(t, "import time", create(started), "time.sleep(60)")))
	begun(t, started)
	p.Signal(syscall.SIGTERM)
	must(t, p.ExpectEnd(255))
}

func TestLoadedScriptStopsTheStartupTimer(t *testing.T) {
	path := app(t, "time.sleep(1.5)")
	p := begin(t, "threads=1 startup-timeout=1", imports(path))
	must(t, p.Expect(daemon.Ready, ""))
	answers(t, p, path, "done")
}

func TestExitFunctionsRun(t *testing.T) {
	ran := flag(t)
	p := begin(t, "threads=1")
	must(t, p.Expect(daemon.Ready, ""))
	answers(t, p, script(t, "import atexit", fmt.Sprintf("atexit.register(lambda: open(%q, 'w').close())", ran),
		"def application(environ, start_response):", "    start_response('200 OK', [])", "    return [b'done']"), "done")
	p.Signal(syscall.SIGTERM)
	must(t, p.ExpectEnd(0))
	if _, err := os.Stat(ran); err != nil {
		t.Errorf("%v\n%s", err, p.Log())
	}
}

func TestExitFunctionsDoNotRunWithoutDestroyInterpreter(t *testing.T) {
	ran := flag(t)
	p := begin(t, "threads=1", Line{"WSGIDestroyInterpreter", "Off"},
		imports(script(t, "import atexit", fmt.Sprintf("atexit.register(lambda: open(%q, 'w').close())", ran))))
	must(t, p.Expect(daemon.Ready, ""))
	p.Signal(syscall.SIGTERM)
	must(t, p.ExpectEnd(0))
	if _, err := os.Stat(ran); err == nil {
		t.Error("they ran")
	}
}

// ---- Processes without request threads ----

func TestServiceEndsWithItsScripts(t *testing.T) {
	first, second := flag(t), flag(t)
	p := begin(t, "threads=0", imports(script(t, create(first), "raise SystemExit")), imports(script(t, create(second))))
	must(t, p.Expect(daemon.Ready, ""))
	must(t, p.ExpectEnd(0))
	begun(t, first)
	begun(t, second)
	if strings.Contains(p.Log(), "SystemExit") || strings.Contains(p.Log(), ":error]") {
		t.Errorf("log:\n%s", p.Log())
	}
}

func TestSIGTERMEndsAService(t *testing.T) {
	for name, stop := range map[string]func(*Process){
		"SIGTERM":         func(p *Process) { p.Signal(syscall.SIGTERM) },
		"SIGUSR1":         func(p *Process) { p.Signal(syscall.SIGUSR1) },
		"SIGINT":          func(p *Process) { p.Signal(syscall.SIGINT) },
		"an order":        func(p *Process) { _ = p.Order(daemon.Stop, "shutdown_signal") },
		"the control end": func(p *Process) { p.Abandon() },
	} {
		t.Run(name, func(t *testing.T) {
			started, cleaned, second := flag(t), flag(t), flag(t)
			p := begin(t, "threads=0 shutdown-timeout=20", imports(script(t, "import time", "try:", "    "+create(started), "    time.sleep(60)",
				"finally:", "    "+create(cleaned))), imports(script(t, create(second))))
			must(t, p.Expect(daemon.Ready, ""))
			begun(t, started)
			stop(p)
			must(t, p.ExpectEnd(0))
			if _, err := os.Stat(cleaned); err != nil {
				t.Errorf("it ended without an exception: %v\n%s", err, p.Log())
			}
			if _, err := os.Stat(second); err == nil {
				t.Error("the second script ran")
			}
		})
	}
}

func TestServiceMayHaveItsOwnSignalHandlers(t *testing.T) {
	got, started := flag(t), flag(t)
	p := begin(t, "threads=0", imports(script(t, "import signal, time, sys",
		fmt.Sprintf("signal.signal(signal.SIGHUP, lambda n, f: open(%q, 'w').close())", got), create(started), "time.sleep(60)")))
	must(t, p.Expect(daemon.Ready, ""))
	begun(t, started)
	p.Signal(syscall.SIGHUP)
	begun(t, got)
	p.Signal(syscall.SIGTERM)
	must(t, p.ExpectEnd(0))
}

func TestServiceThatDoesNotEndIsEnded(t *testing.T) {
	started := flag(t)
	p := begin(t, "threads=0 shutdown-timeout=1", imports(script(t, "import time", "while True:", "    try:", "        "+create(started), "        time.sleep(60)",
		"    except BaseException: pass")))
	must(t, p.Expect(daemon.Ready, ""))
	begun(t, started)
	must(t, p.Order(daemon.Stop, "shutdown_signal"))
	must(t, p.ExpectEnd(255))
}
