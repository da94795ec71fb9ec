package integration

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Interpreters with their own GIL, and options for single interpreters: reference directives.md, section 6.

// gilScript works for as long as the query asks, and counts how much it got done.
const gilScript = `import sys, time

def application(environ, start_response):
    action = environ["PATH_INFO"].strip("/")
    body = globals()["do_" + action](environ)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(body).encode()]

def schedule():
    "Seconds that this thread ran, and that it waited for a core; waiting for a GIL is neither."
    with open("/proc/thread-self/schedstat") as f:
        ran, waited, slices = f.read().split()
    return int(ran) / 1e9, int(waited) / 1e9

def do_work(environ):
    ran, waited = schedule()
    start = time.monotonic()
    end, done = start + float(environ["QUERY_STRING"]), 0
    while time.monotonic() < end:
        x = 0
        for i in range(500):
            x += i * i % 7
        done += 1
    end = time.monotonic()
    ran, waited = (after - before for after, before in zip(schedule(), (ran, waited)))
    return f"{done} {start} {end} {ran} {waited}"

def do_interval(environ):
    return sys.getswitchinterval()

def do_path(environ):
    return ":".join(sys.path[:int(environ["QUERY_STRING"])])

def do_streams(environ):
    return type(sys.stdin).__name__, type(sys.stdout).__name__

def do_signal(environ):
    import signal
    return signal.signal.__module__ == "signal"

def do_extension(environ):
    import numpy

def do_flask(environ):
    import flask, json, sqlite3, ssl, decimal, datetime, hashlib, subprocess, threading
    app = flask.Flask("x")
    @app.route("/")
    def index():
        return flask.render_template_string("{{ a }}", a="<")
    thread = threading.Thread(target=lambda: None, daemon=True)
    thread.start()
    thread.join()
    child = subprocess.run(["/bin/echo", "child"], capture_output=True, text=True).stdout.strip()
    return app.test_client().get("/").text, child
`

const gilConf = `
WSGIPerInterpreterGIL On
<WSGIInterpreterOptions application-group=shared-1>
WSGIPerInterpreterGIL Off
</WSGIInterpreterOptions>
<WSGIInterpreterOptions application-group=shared-2>
WSGIPerInterpreterGIL Off
</WSGIInterpreterOptions>
WSGIScriptAlias /own-1 {{.Root}}/gil.wsgi application-group=own-1
WSGIScriptAlias /own-2 {{.Root}}/gil.wsgi application-group=own-2
WSGIScriptAlias /shared-1 {{.Root}}/gil.wsgi application-group=shared-1
WSGIScriptAlias /shared-2 {{.Root}}/gil.wsgi application-group=shared-2
WSGIScriptAlias /main {{.Root}}/gil.wsgi application-group=%{GLOBAL}
`

func startGIL(t *testing.T, mpm apachetest.MPM, conf string, tolerate ...string) (s *apachetest.Server, ownGILs bool) {
	t.Helper()
	s = apachetest.Start(t, apachetest.Config{MPM: mpm, OneChild: true, LogLevel: "info", Conf: conf, Tolerate: tolerate,
		Files: map[string]string{"gil.wsgi": gilScript, "first/marker": "", "second/marker": "", "third/marker": ""}})
	return s, pythonMinor(t, s) >= 12
}

// pythonMinor is 13 when the server runs Python 3.13.
func pythonMinor(t *testing.T, s *apachetest.Server) int {
	t.Helper()
	r := s.Get(t, "/")
	for _, h := range r.Headers {
		if _, version, found := strings.Cut(h.Value, "Python/3."); found && h.Name == "Server" {
			if minor, err := strconv.Atoi(version); err == nil {
				return minor
			}
		}
	}
	t.Fatalf("which Python is this?\n%s", r)
	return 0
}

// pace is how fast requests to all the paths work at the same time, in units per second: raw as it was, and free as it would have been
// had each thread worked on whenever it waited for a core. quiet tells that it hardly ever did.
type pace struct {
	raw, free float64
	quiet     bool
}

func measurePace(t *testing.T, s *apachetest.Server, paths ...string) pace {
	t.Helper()
	const seconds = 0.1
	answers := make(chan string, len(paths))
	for _, path := range paths {
		go func() { answers <- string(s.Get(t, fmt.Sprint(path, "/work?", seconds)).Body) }()
	}
	first, last := math.Inf(1), math.Inf(-1)
	p := pace{quiet: true}
	for range paths {
		var done, start, end, ran, waited float64
		answer := <-answers
		if _, err := fmt.Sscan(answer, &done, &start, &end, &ran, &waited); err != nil {
			t.Fatalf("%q: %v", answer, err)
		}
		first, last = min(first, start), max(last, end)
		p.raw += done
		p.free += done * (ran + waited) / ran
		p.quiet = p.quiet && waited < 0.05*seconds
	}
	p.raw /= last - first
	p.free /= last - first
	return p
}

// speedUp is how much more the two paths get done together than one of them alone: the ratio of the medians of at least 31 rounds that
// other processes left alone. On a machine that gives no such rounds it is calculated from what the kernel says each thread has waited for
// a core, and quiet is false.
func speedUp(t *testing.T, s *apachetest.Server, one, two string) (ratio float64, quiet bool) {
	t.Helper()
	const wanted = 31
	measurePace(t, s, one, two) // loads the script
	var raw, free [2][]float64
	for end := time.Now().Add(40 * time.Second); !quiet && time.Now().Before(end); {
		for i, paths := range [2][]string{{one}, {one, two}} {
			p := measurePace(t, s, paths...)
			free[i] = append(free[i], p.free)
			if p.quiet {
				raw[i] = append(raw[i], p.raw)
			}
		}
		quiet = min(len(raw[0]), len(raw[1])) >= wanted
	}
	how, paces := "measured", raw
	if !quiet {
		how, paces = "calculated, for the machine is busy", free
	}
	ratio = median(paces[1]) / median(paces[0])
	t.Logf("%s and %s do %.2f times the work of one (%s; %d rounds, quiet %d and %d)", one, two, ratio, how, len(free[0]), len(raw[0]), len(raw[1]))
	return ratio, quiet
}

func TestInterpretersWithTheirOwnGILsUseSeveralCores(t *testing.T) {
	s, ownGILs := startGIL(t, apachetest.Event, gilConf)
	if !ownGILs {
		s.WaitLog(t, "WSGI0198")
		expectBody(t, s, "/own-1/signal", "False")
		if strings.Contains(s.Log(), "with its own GIL") {
			t.Error("an interpreter is said to have its own GIL")
		}
		return
	}
	for _, pair := range [][2]string{{"/own-1", "/own-2"}, {"/main", "/own-1"}, {"/shared-1", "/own-2"}} {
		if ratio, _ := speedUp(t, s, pair[0], pair[1]); ratio < 1.8 {
			t.Errorf("%s and %s together do %.2f times the work of one, want 1.8", pair[0], pair[1], ratio)
		}
	}
	if ratio, quiet := speedUp(t, s, "/shared-1", "/shared-2"); quiet && ratio > 1.3 {
		t.Errorf("two interpreters that share a GIL do %.2f times the work of one: this test does not see GILs", ratio)
	}
	s.WaitLog(t, "application group 'own-1' with its own GIL")
	if strings.Contains(s.Log(), "WSGI0198") {
		t.Error("WSGI0198 in the log")
	}
}

func TestApplicationsRunUnderTheirOwnGIL(t *testing.T) {
	for _, mpm := range apachetest.MPMs {
		t.Run(string(mpm), func(t *testing.T) {
			s, _ := startGIL(t, mpm, gilConf)
			for _, path := range []string{"/own-1", "/own-2", "/shared-1", "/main", "/own-1"} {
				expectBody(t, s, path+"/flask", "('&lt;', 'child')")
			}
		})
	}
}

func TestExtensionsThatNeedASharedGILAreNamed(t *testing.T) {
	s, ownGILs := startGIL(t, apachetest.Event, gilConf)
	if !ownGILs {
		expectBody(t, s, "/own-1/extension", "None")
		return
	}
	expectBody(t, s, "/main/extension", "None")
	if r := s.Get(t, "/own-1/extension"); r.Status != 500 {
		t.Errorf("numpy was imported under an own GIL:\n%s", r)
	}
	s.WaitLog(t, "numpy.*WSGIPerInterpreterGIL Off")
}

func TestOptionsActOnTheInterpretersThatTheySelect(t *testing.T) {
	for _, mpm := range apachetest.MPMs {
		t.Run(string(mpm), func(t *testing.T) {
			s, ownGILs := startGIL(t, mpm, `
WSGIPythonPath {{.Root}}/first
WSGISwitchInterval 0.011
WSGIRestrictStdin On
<WSGIInterpreterOptions process-group=%{GLOBAL} application-group=own-1>
WSGIPythonPath {{.Root}}/third
WSGIRestrictStdin Off
WSGISwitchInterval 0.022
</WSGIInterpreterOptions>
<WSGIInterpreterOptions application-group=own-1>
WSGIPythonPath {{.Root}}/second
WSGIRestrictSignal Off
WSGIRestrictStdin On
WSGIRestrictStdout On
WSGISwitchInterval 0.033
</WSGIInterpreterOptions>
<WSGIInterpreterOptions process-group=%{GLOBAL} application-group=shared-2>
WSGISwitchInterval 0.044
</WSGIInterpreterOptions>
<WSGIInterpreterOptions application-group=%{GLOBAL}>
WSGIRestrictStdout On
</WSGIInterpreterOptions>
<WSGIInterpreterOptions process-group=elsewhere>
WSGIPythonPath /elsewhere
WSGIRestrictStdin Off
</WSGIInterpreterOptions>
`+gilConf, "WSGI0150")
			interval := "0.011" // of the GIL that the main interpreter shares
			if ownGILs {
				interval = "0.022"
			}
			root := s.Root
			for _, step := range []struct{ path, want string }{
				{"/main/path?1", root + "/first"}, {"/own-1/path?3", root + "/third:" + root + "/second:" + root + "/first"}, {"/own-2/path?1", root + "/first"},
				{"/main/streams", "('Restricted', 'Restricted')"}, {"/own-1/streams", "('TextIOWrapper', 'Restricted')"}, {"/own-2/streams", "('Restricted', 'TextIOWrapper')"},
				{"/main/signal", "False"}, {"/own-1/signal", "True"}, {"/own-2/signal", "False"},
				{"/own-1/interval", interval}, {"/own-2/interval", "0.011"}, {"/shared-1/interval", "0.011"}, {"/shared-2/interval", "0.011"}, {"/main/interval", "0.011"},
			} {
				expectBody(t, s, step.path, step.want)
			}
			s.WaitLog(t, "WSGI0199.*'shared-2'")
			if strings.Contains(s.Log(), "'own-2': its") || ownGILs && strings.Contains(s.Log(), "'own-1': its") {
				t.Errorf("too many warnings:\n%s", s.Log())
			}
		})
	}
}
