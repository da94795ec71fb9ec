package servetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"modwsgi/daemon"
)

// What a process loads before it is ready, and what it does when there is no successor with what has changed.

func beginSuccessor(t *testing.T, options string, preload *daemon.Preload, more ...Line) *Process {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	p, err := StartSuccessor(program, dir, nil, preload, append([]Line{{"WSGIDaemonProcess", "test " + options}}, more...)...)
	must(t, err)
	t.Cleanup(p.Kill)
	return p
}

func versionOf(t *testing.T, path string) daemon.FileVersion {
	t.Helper()
	var about unix.Stat_t
	must(t, unix.Stat(path, &about))
	return daemon.FileVersion{Modified: about.Mtim.Nano(), Size: about.Size, Inode: about.Ino}
}

func applicationIn(path string) daemon.Application {
	return daemon.Application{Script: daemon.Text(path), Callable: "application"}
}

func strictly(paths ...string) *daemon.Preload {
	p := &daemon.Preload{Strict: true}
	for _, path := range paths {
		p.Applications = append(p.Applications, applicationIn(path))
	}
	return p
}

func failed(t *testing.T, p *Process) daemon.Notice {
	t.Helper()
	n, err := p.Next()
	must(t, err)
	if n.Kind != daemon.Failed || n.Load == nil {
		t.Fatalf("notice %+v instead of a failure\n%s", n, p.Log())
	}
	return n
}

func TestWhatThePredecessorHadIsLoadedBeforeTheProcessIsReady(t *testing.T) {
	path := script(t, "import threading", "thread = threading.get_ident()", "def application(environ, start_response):",
		"    start_response('200 OK', [])", "    return [b'%d' % (thread == threading.get_ident())]")
	p := beginSuccessor(t, "threads=1", strictly(path))
	must(t, p.Expect(daemon.Ready, ""))
	if !strings.Contains(p.Log(), "loading script "+path) {
		t.Errorf("it is not loaded\n%s", p.Log())
	}
	want := daemon.Load{Application: applicationIn(path), Version: versionOf(t, path)}
	for _, kind := range []daemon.NoticeKind{daemon.Loading, daemon.Loaded, daemon.Loaded} {
		n, err := p.NextLoad()
		must(t, err)
		load := want
		if kind == daemon.Loaded {
			load.Callable = "" // the script itself comes first
			kind, want.Callable = daemon.Loaded, "application"
		}
		if n.Kind != kind || n.Load == nil || (*n.Load != load && *n.Load != want) {
			t.Errorf("notice %+v, %+v instead of %s %+v", n, n.Load, kind, want)
		}
	}
	answers(t, p, path, "1") // by the thread that has loaded it
}

func TestAProcessThatCanNotLoadWhatItHasToSaysSoAndEnds(t *testing.T) {
	good := app(t)
	for want, lines := range map[string][]string{
		"cannot read or compile script":  {"def ("},
		"it raised SystemExit":           {"raise SystemExit(3)"},
		"ValueError was raised":          {"raise ValueError('unusual')"},
		"it defines no 'application'":    {"app = None"},
		"ModuleNotFoundError was raised": {"import nowhere_at_all"},
		"KeyboardInterrupt was raised":   {"raise KeyboardInterrupt"},
	} {
		bad := script(t, lines...)
		p := beginSuccessor(t, "threads=2", strictly(good, bad))
		n := failed(t, p)
		if !strings.Contains(n.Reason, want) || !strings.Contains(n.Reason, bad) || *n.Load != (daemon.Load{Application: applicationIn(bad), Version: versionOf(t, bad)}) {
			t.Errorf("%q: %+v %+v\n%s", want, n, n.Load, p.Log())
		}
		must(t, p.Expect(daemon.Ending, "bad_deployment"))
		must(t, p.ExpectEnd(0))
		if !strings.Contains(p.Log(), ":error]") {
			t.Errorf("%q is not logged\n%s", want, p.Log())
		}
	}
}

func TestWhatIsKnownToFailIsNotLoggedAgain(t *testing.T) {
	bad := script(t, "raise ValueError('unusual')")
	plan := strictly(bad)
	plan.Known = &daemon.Load{Application: applicationIn(bad), Version: versionOf(t, bad)}
	p := beginSuccessor(t, "threads=2", plan)
	if n := failed(t, p); !strings.Contains(n.Reason, "ValueError was raised") {
		t.Errorf("%+v", n)
	}
	must(t, p.ExpectEnd(0))
	if strings.Contains(p.Log(), ":error]") {
		t.Errorf("log:\n%s", p.Log())
	}
	plan.Known.Version.Modified++ // another version
	p = beginSuccessor(t, "threads=2", plan)
	must(t, p.ExpectLog("ValueError: unusual"))
}

func TestLoadingThatTakesTooLongEndsTheProcess(t *testing.T) {
	hanging := script(t, "import time", "def hang():", "    time.sleep(60)", "hang()")
	plan := strictly(hanging)
	plan.Limit = 500 * time.Millisecond
	p := beginSuccessor(t, "threads=2", plan)
	if n := failed(t, p); !strings.Contains(n.Reason, "longer than 500ms") {
		t.Errorf("%+v", n)
	}
	must(t, p.ExpectEnd(255))
	must(t, p.ExpectLog("in hang"))
}

func TestAScriptThatIsGoneKeepsNobodyFromStarting(t *testing.T) {
	good := app(t)
	p := beginSuccessor(t, "threads=2", strictly("/there/is/no.wsgi", good))
	must(t, p.Expect(daemon.Ready, ""))
	answers(t, p, good, "done")
}

func TestAProcessThatNeedNotLoadItIsReadyWithout(t *testing.T) {
	bad, good := script(t, "raise ValueError('unusual')"), app(t)
	plan := strictly(bad, good)
	plan.Strict = false
	p := beginSuccessor(t, "threads=2", plan)
	must(t, p.Expect(daemon.Ready, ""))
	answers(t, p, good, "done")
	if reply, err := p.Ask(bad); err != nil || reply.Status != 500 {
		t.Errorf("%+v, %v", reply, err)
	}
}

func TestAProcessLeavesChangesToOthersInAdvanceToo(t *testing.T) {
	path := script(t, "import time", "time.sleep(1.5)", "def application(environ, start_response):", "    start_response('200 OK', [])", "    return [b'done']")
	plan := strictly(path)
	plan.Strict = false
	p := beginSuccessor(t, "threads=2 startup-timeout=1", plan)
	p.Siblings(true, false, false)
	must(t, p.Expect(daemon.Ready, ""))
	again(t, p, path, true)
	must(t, p.ExpectLog("does not load script "+path))
	p.Siblings(false, false, false)
	answers(t, p, path, "done") // startup-timeout is over for a process that had nothing to load when it was first asked
}

// A request that was sent before a process retired is left to others as well.
func TestARetiringProcessLeavesChangesToOthers(t *testing.T) {
	goOn, started := flag(t), flag(t)
	holding, path := app(t, create(started), waitFor(goOn)), app(t)
	p := begin(t, "threads=2")
	must(t, p.Expect(daemon.Ready, ""))
	held, err := p.Send(holding)
	must(t, err)
	begun(t, started)
	p.Siblings(true, false, false)
	must(t, p.Order(daemon.Retire, "maximum_requests"))
	must(t, p.ExpectLog("takes no more requests"))
	again(t, p, path, true)
	p.Signal(syscall.SIGTERM)
	must(t, p.Expect(daemon.Ending, "maximum_requests"))
	again(t, p, path, true)
	must(t, os.WriteFile(goOn, nil, 0o644))
	if reply, err := held.Reply(); err != nil || reply.Body != "done" {
		t.Errorf("%+v, %v", reply, err)
	}
	must(t, p.ExpectEnd(0))
}

func TestAnImportedScriptIsNeededIfThePredecessorHadIt(t *testing.T) {
	bad := script(t, "raise ValueError('unusual')")
	had := &daemon.Preload{Strict: true, Applications: []daemon.Application{{Script: daemon.Text(bad)}}}
	p := beginSuccessor(t, "threads=2", had, imports(bad))
	failed(t, p)
	must(t, p.ExpectEnd(0))
	p = beginSuccessor(t, "threads=2", strictly(app(t)), imports(bad))
	must(t, p.Expect(daemon.Ready, ""))
}

// change gives a script another time of its last change.
func change(t *testing.T, path string, hours int) {
	t.Helper()
	must(t, os.Chtimes(path, time.Time{}, time.Now().Add(time.Duration(hours)*time.Hour)))
}

func again(t *testing.T, p *Process, path string, elsewhere bool) {
	t.Helper()
	if reply, err := p.Ask(path); err != nil || reply.Last != daemon.Again || reply.Elsewhere != elsewhere {
		t.Fatalf("%+v, %v\n%s", reply, err, p.Log())
	}
}

func kept(t *testing.T, p *Process, number uint32) {
	t.Helper()
	if n, err := p.Next(); err != nil || n.Kind != daemon.Kept || n.Number != number {
		t.Fatalf("%+v, %v\n%s", n, err, p.Log())
	}
}

// Others get the old code meanwhile, or all would wait for what the new one imports.
func TestOnlyTheRequestThatFindsAChangeWaitsForTheNewCode(t *testing.T) {
	p := begin(t, "threads=2")
	must(t, p.Expect(daemon.Ready, ""))
	path, other := app(t), app(t)
	answers(t, p, path, "done")
	answers(t, p, other, "done")
	change(t, path, -1)
	again(t, p, path, false)
	must(t, p.Expect(daemon.Due, "script_reload"))
	for range 3 {
		answers(t, p, path, "done")
	}
	change(t, other, -1)
	again(t, p, other, false)
	answers(t, p, other, "done")
	change(t, path, -2)
	again(t, p, path, false)
	answers(t, p, path, "done")
	must(t, p.Keep(&daemon.Load{Application: applicationIn(path), Version: daemon.FileVersion{Modified: 1}}, "", 1))
	kept(t, p, 1)
	again(t, p, path, false) // waits for the next successor
	answers(t, p, path, "done")
}

func TestAProcessKeepsItsCodeUntilAScriptChangesAgain(t *testing.T) {
	p := begin(t, "threads=2")
	must(t, p.Expect(daemon.Ready, ""))
	path, other := app(t), app(t)
	answers(t, p, path, "done")
	answers(t, p, other, "done")
	change(t, path, -1)
	again(t, p, path, false)
	must(t, p.Expect(daemon.Due, "script_reload"))
	must(t, p.Keep(&daemon.Load{Application: applicationIn(path), Version: versionOf(t, path)}, "", 5))
	kept(t, p, 5)
	for range 3 {
		answers(t, p, path, "done")
	}
	answers(t, p, other, "done")
	change(t, path, -2)
	again(t, p, path, false)
	must(t, p.Expect(daemon.Due, "script_reload"))
	// What was tried is the version before: the last one is still worth a try.
	must(t, p.Keep(&daemon.Load{Application: applicationIn(path), Version: daemon.FileVersion{Modified: 1}}, "", 6))
	kept(t, p, 6)
	again(t, p, path, false)
	must(t, p.Expect(daemon.Due, "script_reload"))
	must(t, p.Keep(nil, "script_reload", 7)) // nobody knows what is wrong
	kept(t, p, 7)
	answers(t, p, path, "done")
	change(t, path, -3)
	again(t, p, path, false)
	must(t, p.Expect(daemon.Due, "script_reload")) // although it is due: this is something new
}

// All scripts wait for the one that can't be loaded.
func TestAChangeThatIsNotToBlameIsKeptBackUntilTheCulpritIsMended(t *testing.T) {
	p := begin(t, "threads=2")
	must(t, p.Expect(daemon.Ready, ""))
	culprit, other := app(t), app(t)
	answers(t, p, culprit, "done")
	answers(t, p, other, "done")
	change(t, culprit, -1)
	change(t, other, -1)
	again(t, p, other, false)
	must(t, p.Expect(daemon.Due, "script_reload"))
	must(t, p.Keep(&daemon.Load{Application: applicationIn(culprit), Version: versionOf(t, culprit)}, "", 1))
	kept(t, p, 1)
	answers(t, p, other, "done")
	answers(t, p, culprit, "done")
	change(t, culprit, -2)
	again(t, p, other, false)
	must(t, p.Expect(daemon.Due, "script_reload"))
}

func TestWhatOthersHaveLoadedIsLeftToThem(t *testing.T) {
	loads := flag(t)
	path := script(t, fmt.Sprintf("open(%q, 'a').write('x')", loads), "raise ValueError('unusual')")
	p := begin(t, "threads=2")
	must(t, p.Expect(daemon.Ready, ""))
	p.Siblings(true, false, false)
	again(t, p, path, true) // it has changed since they loaded it
	p.Siblings(true, true, true)
	again(t, p, path, true) // it is known to be bad
	if _, err := os.Stat(loads); err == nil {
		t.Error("it was loaded")
	}
	p.Siblings(true, true, false)
	for range 3 {
		again(t, p, path, true) // it fails here only
	}
	if text, err := os.ReadFile(loads); err != nil || string(text) != "x" {
		t.Errorf("it was loaded %d times, %v", len(text), err)
	}
	p.Siblings(false, false, true)
	if reply, err := p.Ask(path); err != nil || reply.Status != 500 {
		t.Errorf("nobody else has it: %+v, %v", reply, err)
	}
	p.Siblings(true, true, false)
	answers(t, p, app(t), "done")
}
