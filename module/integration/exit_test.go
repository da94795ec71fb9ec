package integration

import (
	"syscall"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// The end of a child process: reference runtime.md, 3.8.

const exitingScript = `import atexit, os, threading

def note(text):
    with open(os.path.join(os.path.dirname(__file__), "var", "exited"), "a") as f:
        f.write(text)

atexit.register(note, "x")

def application(environ, start_response):
    if environ["QUERY_STRING"]:
        open(environ["QUERY_STRING"]).read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"running"]
`

func TestExitFunctionsRunWhenTheServerStops(t *testing.T) {
	for _, in := range both([]apachetest.MPM{apachetest.Event, apachetest.Worker}, manyThreads) {
		for _, c := range []struct{ name, conf, want string }{
			{"main interpreter", "WSGIApplicationGroup %{GLOBAL}\n", "x"},
			{"sub-interpreter", "WSGIApplicationGroup sub\n", "x"},
			{"two interpreters", "WSGIApplicationGroup one\nWSGIScriptAlias /two {{.Root}}/exit.wsgi application-group=two\n", "xx"},
			{"switched off", "WSGIApplicationGroup %{GLOBAL}\nWSGIDestroyInterpreter Off\n", ""},
		} {
			for _, gracefully := range []bool{false, true} {
				name := in.String() + " " + c.name
				if gracefully {
					name += " gracefully"
				}
				t.Run(name, func(t *testing.T) {
					s := apachetest.Start(t, in.of(apachetest.Config{OneChild: true, Files: map[string]string{"exit.wsgi": exitingScript},
						Conf: c.conf + "WSGIScriptAlias / {{.Root}}/exit.wsgi\n"}))
					expectBody(t, s, "/", "running")
					expectBody(t, s, "/two", "running")
					if gracefully {
						s.GracefulStop()
						s.WaitStopped(t, 20*time.Second)
					} else {
						s.Stop(t)
					}
					if got, _ := s.ReadFile("var/exited"); got != c.want {
						t.Errorf("exit functions ran %d times, want %d", len(got), len(c.want))
					}
				})
			}
		}
	}
}

func TestGracefulStopLetsARunningRequestFinish(t *testing.T) {
	inSettings(t, both(apachetest.MPMs, singles), func(t *testing.T, in setting) {
		s := apachetest.Start(t, in.of(apachetest.Config{OneChild: true, Files: map[string]string{"exit.wsgi": exitingScript},
			Conf: "WSGIApplicationGroup %{GLOBAL}\nWSGIScriptAlias / {{.Root}}/exit.wsgi\n"}))
		gate := makeFIFO(t, s)
		done := make(chan *apachetest.Response, 1)
		go func() { done <- s.Get(t, "/?"+gate) }()
		open := holdGate(t, gate)
		s.GracefulStop()
		open()
		if r := <-done; string(r.Body) != "running" || r.Ending != apachetest.Complete {
			t.Errorf("the running request gets:\n%s", r)
		}
		s.WaitStopped(t, 20*time.Second)
	})
}

const stubbornScript = `import os, threading

class Crashing:
    """Stands for an extension that crashes when its interpreter is destroyed."""
    def __del__(self):
        os.abort()

crashing = Crashing()
for_ever = threading.Event()

def application(environ, start_response):
    if environ["PATH_INFO"] == "/thread":
        threading.Thread(target=for_ever.wait, name="stubborn one", daemon=False).start()
    if environ["PATH_INFO"] == "/wait":
        open(environ["QUERY_STRING"]).read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"running"]
`

func startStubborn(t *testing.T, in setting) *apachetest.Server {
	return apachetest.Start(t, in.of(apachetest.Config{OneChild: true, LogLevel: "warn wsgi:info", Files: map[string]string{"stubborn.wsgi": stubbornScript},
		Conf: "WSGIApplicationGroup sub\nWSGIScriptAlias / {{.Root}}/stubborn.wsgi\n"}))
}

// The harness fails a test in whose log a child ended by a signal.
func TestWhatWouldCrashInFinalizationDoesNotAtTheEnd(t *testing.T) {
	inSettings(t, both(apachetest.MPMs, manyThreads), func(t *testing.T, in setting) {
		s := startStubborn(t, in)
		expectBody(t, s, "/", "running")
		s.Stop(t)
	})
}

func TestThreadThatOverstaysIsNamedAndLeftBehind(t *testing.T) {
	inSettings(t, both([]apachetest.MPM{apachetest.Event, apachetest.Prefork}, manyThreads), func(t *testing.T, in setting) {
		t.Parallel()
		s := startStubborn(t, in)
		expectBody(t, s, "/thread", "running")
		s.Stop(t)
		s.WaitLog(t, "thread 'stubborn one' has not ended within")
	})
}

func TestChildToldToStopInTheMiddleOfARequestJustEnds(t *testing.T) {
	s := startStubborn(t, setting{mpm: apachetest.Prefork})
	gate := makeFIFO(t, s)
	go s.Dial(t).Send("GET /wait?" + gate + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
	open := holdGate(t, gate)
	s.Signal(syscall.SIGTERM)
	s.WaitStopped(t, 20*time.Second)
	s.WaitLog(t, "in the middle of a request")
	open()
}
