package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// What Apache makes of answers that daemon processes give: reference runtime.md, sections 7.4 and 7.5.

const answersApp = `
import os, time
def application(environ, start_response):
    return globals()["case_" + environ["PATH_INFO"].strip("/")](environ, start_response)

def case_status(environ, start_response):
    start_response(environ["QUERY_STRING"].replace("+", " "), [("Content-Type", "text/plain"), ("X-Own", "1"), ("Set-Cookie", "a=1"), ("WWW-Authenticate", 'Basic realm="r"')])
    return [b"the application's own page"]

def case_named(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Status", environ["QUERY_STRING"].replace("+", " "))])
    return [b"the application's own page"]

def case_redirect(environ, start_response):
    "Reads nothing of its body."
    start_response("200 OK", [("Location", environ["QUERY_STRING"]), ("X-Own", "1")])
    return [b"not for the client"]

def case_show(environ, start_response):
    text = "%s %s %r" % (environ["REQUEST_METHOD"], environ.get("CONTENT_LENGTH"), environ["wsgi.input"].read())
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text.encode()]

def case_large(environ, start_response):
    "Says in a file when it is closed."
    class Body:
        def __iter__(self):
            for n in range(2000):
                yield bytes(65536)
        def close(self):
            with open(environ["QUERY_STRING"], "w") as file:
                file.write("closed")
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return Body()
`

func answersConfig(conf string) apachetest.Config {
	return apachetest.Config{
		Daemon: "threads=2",
		Conf:   "WSGIApplicationGroup %{GLOBAL}\nWSGIScriptAlias /app {{.Root}}/answers.wsgi\n" + conf,
		Files:  map[string]string{"answers.wsgi": answersApp, "htdocs/static.txt": "a static file\n"},
	}
}

func TestErrorPagesOfApacheReplaceThoseOfTheApplication(t *testing.T) {
	config := answersConfig(`
ErrorDocument 404 "our own 404"
<Location /app>
    WSGIErrorOverride On
</Location>
WSGIScriptAlias /plain {{.Root}}/answers.wsgi
`)
	pair := apachetest.StartPair(t, config, listed)
	for _, c := range []testCase{
		{name: "200", request: get("/app/status?200+OK"), wants: is(status(200), header("X-Own", "1"), body("the application's own page"))},
		{name: "302", request: get("/app/status?302+Found"), wants: is(status(302), header("X-Own", "1"))},
		{name: "404", request: get("/app/status?404+Not+Found"), wants: is(status(404), body("our own 404"), header("X-Own"), header("Set-Cookie"))},
		{name: "401", request: get("/app/status?401+Unauthorized"), wants: is(status(401), bodyLacks("own page"), header("WWW-Authenticate", `Basic realm="r"`))},
		{name: "500", request: get("/app/status?500+Mine"), wants: is(status(500), reason("Internal Server Error"), bodyLacks("own page"))},
		{name: "unknown", request: get("/app/status?599+Strange"), wants: is(status(500), bodyLacks("own page"))},
		{name: "by a header", request: get("/app/named?404+Not+Found"), wants: is(status(404), body("our own 404"))},
		{name: "off", request: get("/plain/status?404+Not+Found"), wants: is(status(404), body("the application's own page"), header("X-Own", "1"))},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, "override", pair, pair.Ours) })
	}
}

func TestLocalRedirectsAreFollowedWithinTheServer(t *testing.T) {
	pair := apachetest.StartPair(t, answersConfig(""), listed)
	for _, c := range []testCase{
		{name: "to a file", request: get("/app/redirect?/static.txt"), wants: is(status(200), body("a static file\n"), header("X-Own"), header("Location"))},
		{name: "to nothing", request: get("/app/redirect?/nothing"), wants: is(status(404))},
		{name: "of a POST", request: post("/app/redirect?/app/show", "a body"), wants: is(status(200), bodyHas("GET None b''"))},
		{name: "elsewhere", request: get("/app/redirect?http://other.test/"), wants: is(status(200), header("Location", "http://other.test/"), body("not for the client"))},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, "redirect", pair, pair.Ours) })
	}
	// The next request on the connection is not found in what is left of the body.
	connection := pair.Ours.Dial(t)
	large := strings.Repeat("GET /nonsense HTTP/1.1\r\n\r\n", 10000)
	connection.Send(fmt.Sprintf("POST /app/redirect?/static.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(large), large))
	if answer := connection.Read("POST"); answer.Status != 200 || string(answer.Body) != "a static file\n" {
		t.Errorf("redirect of a large POST: %s", answer)
	}
	connection.Send("GET /app/show HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	if answer := connection.Read("GET"); answer.Status != 200 || !strings.HasPrefix(string(answer.Body), "GET") {
		t.Errorf("the request after it: %s", answer)
	}
}

func TestAClientThatDoesNotReadIsGivenUp(t *testing.T) {
	for _, mpm := range []apachetest.MPM{apachetest.Event, apachetest.Prefork} {
		t.Run(string(mpm), func(t *testing.T) {
			config := answersConfig("Timeout 300\n")
			config.MPM, config.Daemon = mpm, "threads=1 response-socket-timeout=1"
			s := apachetest.Start(t, config)
			connection := s.Dial(t)
			closed := filepath.Join(s.Root, "var", "closed")
			connection.Send("GET /app/large?" + closed + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
			began := time.Now()
			apachetest.Eventually(t, 10*time.Second, "the application's iterable is closed", func() bool {
				_, err := os.Stat(closed)
				return err == nil
			})
			t.Logf("given up after %v", time.Since(began).Round(time.Millisecond))
			s.WaitLog(t, `WSGI0120: .*response-socket-timeout=1 of .*'test'`)
			if answer := s.Get(t, "/app/show"); answer.Status != 200 {
				t.Error(answer)
			}
		})
	}
}

// A supervisor that can't work is not the end of Apache.
func TestWithoutASupervisorOnlyProcessGroupsFail(t *testing.T) {
	ours := apachetest.Ours()
	folder := t.TempDir()
	openUp(t, folder)
	copyFile(t, ours.Path, filepath.Join(folder, "mod_wsgi.so"))
	real := filepath.Join(filepath.Dir(ours.Path), "mod_wsgi-daemon")
	script := fmt.Sprintf("#!/bin/sh\ncase $1 in supervise) echo 'supervise: no' >&2; exit 3;; esac\nexec %s \"$@\"\n", real)
	if err := os.WriteFile(filepath.Join(folder, "mod_wsgi-daemon"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	config := answersConfig("WSGIScriptAlias /embedded {{.Root}}/answers.wsgi process-group=%{GLOBAL}\n")
	config.Module = apachetest.Module{Name: "ours", Path: filepath.Join(folder, "mod_wsgi.so")}
	config.Tolerate = []string{"WSGI0024", "WSGI0116", "has ended unexpectedly"}
	s := apachetest.Start(t, config)
	s.WaitLog(t, "supervise: no")
	s.WaitLog(t, `:crit\].* WSGI0024: the supervisor of daemon processes is not at work.*(it ended|it stopped reading)`)
	if answer := s.Get(t, "/app/show"); answer.Status != 503 {
		t.Errorf("process group: %s", answer)
	}
	s.WaitLog(t, "WSGI0116: .*'test' is not there: daemon processes are not started")
	if answer := s.Get(t, "/embedded/show"); answer.Status != 200 {
		t.Errorf("embedded: %s", answer)
	}
	// It is started as soon as it can be.
	if err := os.WriteFile(filepath.Join(folder, "new"), []byte(fmt.Sprintf("#!/bin/sh\nexec %s \"$@\"\n", real)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(folder, "new"), filepath.Join(folder, "mod_wsgi-daemon")); err != nil {
		t.Fatal(err)
	}
	apachetest.Eventually(t, 40*time.Second, "the process group answers", func() bool { return s.Get(t, "/app/show").Status == 200 })
}

// copyFile copies the module to where its daemon binary is another one.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o755); err != nil {
		t.Fatal(err)
	}
}
