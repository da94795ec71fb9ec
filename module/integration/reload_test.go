package integration

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// WSGIScriptReloading: reference runtime.md, 3.6.

// scriptText answers with a version and counts the times it was asked since it was loaded.
func scriptText(version string) string {
	return `count = 0

def application(environ, start_response):
    global count
    count += 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"` + version + ` %d" % count]
`
}

// rewrite replaces a script and sets when it was changed.
func rewrite(t *testing.T, s *apachetest.Server, name, text string, when time.Time) {
	t.Helper()
	if err := s.WriteFile(name, text); err != nil {
		t.Fatal(err)
	}
	touch(t, s, name, when)
}

func touch(t *testing.T, s *apachetest.Server, name string, when time.Time) {
	t.Helper()
	if err := os.Chtimes(filepath.Join(s.Root, name), when, when); err != nil {
		t.Fatal(err)
	}
}

func expectBody(t *testing.T, s *apachetest.Server, path, want string) {
	t.Helper()
	if r := s.Get(t, path); string(r.Body) != want {
		t.Fatalf("%s answers %q (%d), want %q", path, r.Body, r.Status, want)
	}
}

func TestTouchedScriptIsReloadedBeforeTheNextRequest(t *testing.T) {
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	forEachModule(t, "WSGIScriptAlias / {{.Root}}/app.wsgi\nWSGIApplicationGroup %{GLOBAL}\n", map[string]string{"app.wsgi": scriptText("first")}, func(t *testing.T, s *apachetest.Server) {
		expectBody(t, s, "/", "first 1")
		expectBody(t, s, "/", "first 2")
		touch(t, s, "app.wsgi", start)
		expectBody(t, s, "/", "first 1")
		rewrite(t, s, "app.wsgi", scriptText("second"), start.Add(time.Second))
		expectBody(t, s, "/", "second 1")
		rewrite(t, s, "app.wsgi", scriptText("older"), start.Add(-time.Hour))
		expectBody(t, s, "/", "older 1")
		rewrite(t, s, "app.wsgi", scriptText("microsecond"), start.Add(-time.Hour+time.Microsecond))
		expectBody(t, s, "/", "microsecond 1")
		expectBody(t, s, "/", "microsecond 2")

		rewrite(t, s, "app.wsgi", "x = (\n", start.Add(time.Hour))
		want := 500
		if len(s.DaemonProcesses()) > 0 {
			want = 200 // the old code, see daemon_deploy_test.go
		}
		if r := s.Get(t, "/"); r.Status != want {
			t.Errorf("a broken script answers %d, want %d", r.Status, want)
		}
		rewrite(t, s, "app.wsgi", scriptText("mended"), start.Add(2*time.Hour))
		expectBody(t, s, "/", "mended 1")
		if err := os.Remove(filepath.Join(s.Root, "app.wsgi")); err != nil {
			t.Fatal(err)
		}
		if r := s.Get(t, "/"); r.Status != 404 {
			t.Errorf("a removed script answers %d", r.Status)
		}
		rewrite(t, s, "app.wsgi", scriptText("back"), start.Add(2*time.Hour))
		if r := s.Get(t, "/"); !strings.Contains(string(r.Body), " ") || r.Status != 200 {
			t.Errorf("a restored script answers:\n%s", r)
		}
	})
}

func TestScriptIsNotReloadedWhereReloadingIsOff(t *testing.T) {
	forEachModule(t, "WSGIScriptAlias / {{.Root}}/app.wsgi\nWSGIApplicationGroup %{GLOBAL}\nWSGIScriptReloading Off\n", map[string]string{"app.wsgi": scriptText("first")}, func(t *testing.T, s *apachetest.Server) {
		expectBody(t, s, "/", "first 1")
		rewrite(t, s, "app.wsgi", scriptText("second"), time.Now())
		expectBody(t, s, "/", "first 2")
	})
}

func TestScriptMayDecideItselfToBeReloaded(t *testing.T) {
	script := scriptText("first") + `
import os
def reload_required(resource):
    with open(os.path.join(os.path.dirname(__file__), "var", "asked"), "a") as f:
        f.write(resource + "\n")
    if "raise" in os.listdir(os.path.join(os.path.dirname(__file__), "var")):
        raise ValueError("cannot tell")
    return "reload" in os.listdir(os.path.join(os.path.dirname(__file__), "var"))
`
	forEachModule(t, "WSGIScriptAlias / {{.Root}}/app.wsgi\nWSGIApplicationGroup %{GLOBAL}\n", map[string]string{"app.wsgi": script}, func(t *testing.T, s *apachetest.Server) {
		expectBody(t, s, "/", "first 1")
		expectBody(t, s, "/", "first 2")
		if got := waitForFile(t, s, "asked"); got != s.Root+"/app.wsgi\n" {
			t.Errorf("it was asked: %q", got)
		}
		if err := s.WriteFile("var/reload", "x"); err != nil {
			t.Fatal(err)
		}
		expectBody(t, s, "/", "first 1")
		expectBody(t, s, "/", "first 1")
		if err := s.WriteFile("var/raise", "x"); err != nil {
			t.Fatal(err)
		}
		mark := s.Mark()
		expectBody(t, s, "/", "first 2")
		mark.Wait(t, "ValueError: cannot tell")
	})
}

func TestRunningRequestKeepsTheOldScriptDuringAReload(t *testing.T) {
	script := func(version string) string {
		return `VERSION = "` + version + `"

def application(environ, start_response):
    if environ["QUERY_STRING"]:
        open(environ["QUERY_STRING"]).read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [VERSION.encode()]
`
	}
	forEachModule(t, "WSGIScriptAlias / {{.Root}}/app.wsgi\nWSGIApplicationGroup %{GLOBAL}\n", map[string]string{"app.wsgi": script("old")}, func(t *testing.T, s *apachetest.Server) {
		gate := makeFIFO(t, s)
		done := make(chan string, 1)
		go func() { done <- string(s.Get(t, "/?"+gate).Body) }()
		held := holdGate(t, gate)
		rewrite(t, s, "app.wsgi", script("new"), time.Now())
		expectBody(t, s, "/", "new")
		held()
		if got := <-done; got != "old" {
			t.Errorf("the running request answers %q", got)
		}
	})
}

func TestFirstRequestsLoadAScriptOnce(t *testing.T) {
	script := `import os, time
with open(os.path.join(os.path.dirname(__file__), "var", "loads"), "a") as f:
    f.write("x")
time.sleep(0.3)

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"loaded"]
`
	forEachModule(t, "WSGIScriptAlias / {{.Root}}/app.wsgi\nWSGIApplicationGroup %{GLOBAL}\n", map[string]string{"app.wsgi": script}, func(t *testing.T, s *apachetest.Server) {
		done := make(chan int, 6)
		for range cap(done) {
			go func() { done <- s.Get(t, "/").Status }()
		}
		for range cap(done) {
			if status := <-done; status != 200 {
				t.Errorf("status %d", status)
			}
		}
		if got := waitForFile(t, s, "loads"); got != "x" {
			t.Errorf("the script was loaded %d times", len(got))
		}
	})
}

func TestCaseOfScriptPathsIsFoldedOnRequest(t *testing.T) {
	script := `def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("%s|%s" % (__name__, environ["mod_wsgi.application_group"])).encode()]
`
	for _, setting := range []string{"On", "Off"} {
		s := apachetest.Start(t, apachetest.Config{
			Conf:  "WSGICaseSensitivity " + setting + "\nWSGIScriptAlias /Mixed {{.Root}}/App.wsgi\n",
			Files: map[string]string{"App.wsgi": script},
		})
		path, resource := s.Root+"/App.wsgi", "/Mixed"
		if setting == "Off" {
			path, resource = strings.ToLower(path), "/mixed"
		}
		if got, want := string(s.Get(t, "/Mixed").Body), "_mod_wsgi_"+md5Hex(path)+"|localhost|"+resource; got != want {
			t.Errorf("with %s module and group are %q, want %q", setting, got, want)
		}
	}
}

func TestEmbeddedModeCanBeForbidden(t *testing.T) {
	group{
		name: "embedded",
		config: apachetest.Config{Conf: `
WSGIRestrictEmbedded On
WSGIScriptAlias /app {{.Apps}}/hello.wsgi
`, Files: map[string]string{"htdocs/a.txt": "static"}},
		cases: []testCase{
			{name: "application", request: get("/app"), embedded: is(status(500)), daemon: is(body("hello\n"))},
			{name: "static file", request: get("/a.txt"), wants: is(body("static"))},
		},
	}.run(t)
	s := apachetest.Start(t, apachetest.Config{Conf: "WSGIRestrictEmbedded On\nWSGIScriptAlias /app {{.Apps}}/hello.wsgi\n"})
	s.Get(t, "/app")
	s.WaitLog(t, "WSGI0143")
}

func TestFailuresAreLoggedWithTheirCodes(t *testing.T) {
	inSettings(t, both([]apachetest.MPM{apachetest.Event}, manyThreads), provokeFailures)
}

func provokeFailures(t *testing.T, in setting) {
	s := apachetest.Start(t, in.of(apachetest.Config{
		Modules: []string{"mime"},
		Files: map[string]string{
			"broken.wsgi": "x = (\n", "raising.wsgi": "raise ValueError('at import')\n", "exiting.wsgi": "raise SystemExit(3)\n",
			"handler/app.wsgi": greeting("x"),
		},
		Conf: `
WSGIApplicationGroup %{GLOBAL}
WSGIScriptAlias /missing {{.Root}}/none.wsgi
WSGIScriptAlias /directory {{.Apps}}/
WSGIScriptAlias /broken {{.Root}}/broken.wsgi
WSGIScriptAlias /raising {{.Root}}/raising.wsgi
WSGIScriptAlias /exiting {{.Root}}/exiting.wsgi
WSGIScriptAlias /callable {{.Apps}}/hello.wsgi callable-object=nothing
WSGIScriptAlias /results {{.Apps}}/results.wsgi
WSGIScriptAlias /nopath {{.Apps}}/hello.wsgi
<Location /nopath>
    AcceptPathInfo Off
</Location>
Alias /noexec {{.Root}}/handler
<Directory {{.Root}}/handler>
    AddHandler wsgi-script .wsgi
</Directory>
`}))
	noCallable := 404
	if in.options != "" {
		noCallable = 500
	}
	for _, c := range []struct {
		request apachetest.Request
		status  int
		code    int
	}{
		{get("/noexec/app.wsgi"), 403, 134},
		{get("/missing"), 404, 135},
		{get("/directory"), 403, 136},
		{get("/nopath/x"), 404, 137},
		{apachetest.Request{Method: "POST", Target: "/results/list", Chunked: true, Body: []byte("x")}, 411, 139},
		{get("/callable"), noCallable, 89},
		{get("/broken"), 500, 105},
		{get("/raising"), 500, 109},
		{get("/exiting"), 500, 107},
		{get("/results/raise_before"), 500, 174},
		{get("/results/system_exit"), 500, 175},
	} {
		mark := s.Mark()
		if r := s.Do(t, c.request); r.Status != c.status {
			t.Errorf("%s: status %d, want %d", c.request.Target, r.Status, c.status)
		}
		number := strconv.Itoa(c.code)
		mark.Wait(t, "WSGI"+strings.Repeat("0", 4-len(number))+number)
	}
}
