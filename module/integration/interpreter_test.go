package integration

import (
	"fmt"
	"strings"
	"testing"

	"modwsgi/module/apachetest"
)

// Interpreters, threads, forks and signals as an application sees them: reference runtime.md, section 3.

const statefulScript = `import os, sys, threading, time

state = {"count": 0}
local = threading.local()
lock = threading.Lock()

def application(environ, start_response):
    action = environ["PATH_INFO"].strip("/")
    body = globals()["do_" + action](environ)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(body).encode()]

def do_count(environ):
    with lock:
        state["count"] += 1
        return state["count"]

def do_module(environ):
    "An ordinary module is shared by the scripts of one interpreter."
    import string
    string.shared = getattr(string, "shared", 0) + 1
    return string.shared

def do_local(environ):
    local.count = getattr(local, "count", 0) + 1
    return "%d %d" % (threading.get_ident(), local.count)

def do_main(environ):
    return threading.main_thread() is threading.current_thread()

def do_argv(environ):
    return sys.argv

def do_stdin(environ):
    return repr(sys.stdin.read()) if sys.stdin else "None"

def do_name(environ):
    return __name__.startswith("_mod_wsgi_") and __spec__ is not None

def do_echo(environ):
    "Sleeps between reading and answering, so that requests overlap."
    token = environ["QUERY_STRING"]
    time.sleep(0.005)
    return token + environ["QUERY_STRING"] + environ["HTTP_X_TOKEN"]

def do_thread(environ):
    found = []
    t = threading.Thread(target=lambda: found.append("ran"))
    t.start()
    t.join()
    return found

def do_gc(environ):
    import gc
    return gc.collect() >= 0

def do_exception_state(environ):
    return sys.exc_info()
`

func TestApplicationGroupsAreInterpretersOfTheirOwn(t *testing.T) {
	// Only ours: under Python 3.11 the classic module may run the main interpreter's request in the sub-interpreter that its thread
	// was in before.
	for _, in := range both(apachetest.MPMs, singles) {
		t.Run(in.String(), func(t *testing.T) {
			s := apachetest.Start(t, in.of(apachetest.Config{OneChild: true, Files: map[string]string{"state.wsgi": statefulScript, "state2.wsgi": statefulScript}, Conf: `
WSGIScriptAlias /a {{.Root}}/state.wsgi application-group=one
WSGIScriptAlias /b {{.Root}}/state.wsgi application-group=two
WSGIScriptAlias /c {{.Root}}/state.wsgi application-group=one
WSGIScriptAlias /d {{.Root}}/state2.wsgi application-group=one
WSGIScriptAlias /m {{.Root}}/state.wsgi application-group=%{GLOBAL}
`}))
			for _, step := range []struct{ path, want string }{
				{"/a/count", "1"}, {"/a/count", "2"}, {"/b/count", "1"}, {"/c/count", "3"}, {"/d/count", "1"}, {"/m/count", "1"}, {"/a/count", "4"},
				{"/a/module", "1"}, {"/d/module", "2"}, {"/b/module", "1"}, {"/m/module", "1"}, {"/m/module", "2"},
				{"/a/argv", "['mod_wsgi']"}, {"/m/argv", "['mod_wsgi']"}, {"/a/stdin", "''"}, {"/a/name", "True"}, {"/m/name", "True"},
				{"/a/thread", "['ran']"}, {"/m/thread", "['ran']"}, {"/a/gc", "True"}, {"/a/exception_state", "(None, None, None)"},
			} {
				expectBody(t, s, step.path, step.want)
			}
		})
	}
}

func TestThreadLocalsOutliveARequest(t *testing.T) {
	for _, in := range both([]apachetest.MPM{apachetest.Prefork, apachetest.Event}, manyThreads) {
		for _, group := range []string{"%{GLOBAL}", "sub"} {
			t.Run(in.String()+" "+group, func(t *testing.T) {
				s := apachetest.Start(t, in.of(apachetest.Config{OneChild: true, Files: map[string]string{"state.wsgi": statefulScript},
					Conf: "WSGIScriptAlias / {{.Root}}/state.wsgi\nWSGIApplicationGroup " + group + "\n"}))
				perThread := map[string]int{}
				for range 40 {
					var count int
					var thread string
					r := s.Get(t, "/local")
					if _, err := fmt.Sscan(string(r.Body), &thread, &count); err != nil {
						t.Fatalf("%v:\n%s", err, r)
					}
					if perThread[thread]++; perThread[thread] != count {
						t.Fatalf("thread %s has served %d requests, its local counter says %d", thread, perThread[thread], count)
					}
				}
			})
		}
	}
}

func TestConcurrentRequestsDoNotMix(t *testing.T) {
	for _, in := range both(apachetest.MPMs, sizes[:2]) {
		t.Run(in.String(), func(t *testing.T) {
			s := apachetest.Start(t, in.of(apachetest.Config{Files: map[string]string{"state.wsgi": statefulScript}, Conf: `
WSGIScriptAlias /a {{.Root}}/state.wsgi application-group=one
WSGIScriptAlias /b {{.Root}}/state.wsgi application-group=two
WSGIScriptAlias /m {{.Root}}/state.wsgi application-group=%{GLOBAL}
`}))
			const workers, each = 12, 40
			failures := make(chan string, workers)
			for worker := range workers {
				go func() {
					for n := range each {
						token := fmt.Sprintf("%d-%d.", worker, n)
						r := s.Get(t, "/"+string("abm"[n%3])+"/echo?"+token, hd("X-Token", token))
						if want := strings.Repeat(token, 3); string(r.Body) != want {
							failures <- fmt.Sprintf("%q instead of %q (%s)", r.Body, want, r)
							return
						}
					}
					failures <- ""
				}()
			}
			for range workers {
				if failure := <-failures; failure != "" {
					t.Error(failure)
				}
			}
		})
	}
}

func TestPythonSettingsTakeEffect(t *testing.T) {
	script := `import sys, signal, json, os

def attempt(action):
    try:
        return repr(action())
    except BaseException as problem:
        return type(problem).__name__

def application(environ, start_response):
    report = {
        "optimize": sys.flags.optimize, "bytecode": sys.dont_write_bytecode, "warnings": sys.warnoptions,
        "path": [p for p in sys.path if p.endswith("/extra") or p.endswith("/more")], "first": sys.path[0].endswith("/extra"),
        "stdin": attempt(lambda: sys.stdin.read()), "stdout": attempt(lambda: sys.stdout.write("app: x\n")),
        "signal": attempt(lambda: signal.signal(signal.SIGUSR2, signal.SIG_IGN)), "hash": sys.flags.hash_randomization,
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(report, sort_keys=True).encode()]
`
	settings := map[string]string{
		"defaults": "",
		"optimize": "WSGIPythonOptimize 2\n", "bytecode": "WSGIDontWriteBytecode On\n",
		"path": "WSGIPythonPath {{.Root}}/extra:{{.Root}}/more\n", "stdin": "WSGIRestrictStdin On\n", "stdout": "WSGIRestrictStdout On\n",
		"seed": "WSGIPythonHashSeed 42\n", "warnings": "WSGIPythonWarnings ignore\nWSGIPythonWarnings default::UserWarning\n",
	}
	for name, conf := range settings {
		t.Run(name, func(t *testing.T) {
			group{
				name:    "python " + name,
				mpms:    []apachetest.MPM{apachetest.Event},
				options: map[string]string{"path": "python-path={{.Root}}/extra:{{.Root}}/more"}[name],
				config: apachetest.Config{Conf: conf + "WSGIScriptAlias /main {{.Root}}/settings.wsgi application-group=%{GLOBAL}\nWSGIScriptAlias /sub {{.Root}}/settings.wsgi application-group=sub\n",
					Files: map[string]string{"settings.wsgi": script, "extra/x.py": "", "more/y.py": ""}},
				cases: []testCase{
					{name: "main interpreter", request: get("/main"), wants: is(status(200))},
					{name: "sub-interpreter", request: get("/sub"), wants: is(status(200))},
				},
			}.run(t)
		})
	}
}
