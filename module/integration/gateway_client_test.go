package integration

import (
	"strings"
	"testing"

	"modwsgi/module/apachetest"
)

// Clients that leave, wait, or hurry: reference runtime.md, 2.10, 2.16 and 2.17; PEP 3333's own checker.

func TestReferenceValidatorFindsNothingToObjectTo(t *testing.T) {
	answer := "written|" + "fir|st\n|se|cond line\nthird"
	group{
		name:   "validate",
		config: apachetest.Config{Conf: "WSGIScriptAlias / {{.Apps}}/validate.wsgi\nWSGIApplicationGroup %{GLOBAL}\n"},
		cases: []testCase{
			{name: "GET", request: get("/"), wants: is(status(200), body("written||||")), logs: []string{"app: validated"}},
			{name: "POST", request: post("/a/b?c=d", threeLines), wants: is(status(200), body(answer)), logs: []string{"app: validated"}},
			{name: "HEAD", request: head("/"), wants: is(status(200)), logs: []string{"app: validated"}},
			{name: "odd path", request: get("/%C3%A9//x?%20"), wants: is(status(200)), logs: []string{"app: validated"}},
		},
	}.run(t)
}

// leavingScript tells in files below var how its answers ended.
const leavingScript = `import os

def note(name, text):
    path = os.path.join(os.path.dirname(__file__), "var", name)
    with open(path + ".new", "w") as f:
        f.write(text)
    os.rename(path + ".new", path)

class Endless:
    def __init__(self, environ):
        self.name = environ["QUERY_STRING"]

    def __iter__(self):
        while True:
            yield b"x" * 10000

    def close(self):
        note(self.name, "closed")

def generator(name):
    try:
        while True:
            yield b"x" * 10000
    except GeneratorExit:
        note(name, "GeneratorExit")
        raise

def application(environ, start_response):
    path, name = environ["PATH_INFO"], environ["QUERY_STRING"]
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/class":
        return Endless(environ)
    if path == "/generator":
        return generator(name)
    if path == "/write":
        try:
            while True:
                write(b"x" * 10000)
        except OSError as problem:
            note(name, "OSError")
            raise
    if path == "/read":
        try:
            data = environ["wsgi.input"].read()
            note(name, "read %d" % len(data))
        except OSError:
            note(name, "OSError")
        return [b"late"]
    return [b"alive"]
`

func TestCloseIsCalledWhenTheClientHasGone(t *testing.T) {
	for _, in := range both(apachetest.MPMs, sizes) {
		for _, module := range []apachetest.Module{apachetest.Classic(), apachetest.Ours()} {
			t.Run(in.String()+"/"+module.Name, func(t *testing.T) {
				s := apachetest.Start(t, in.of(apachetest.Config{Module: module, Conf: "WSGIScriptAlias / {{.Root}}/leaving.wsgi\nWSGIApplicationGroup %{GLOBAL}\n", Files: map[string]string{"leaving.wsgi": leavingScript}}))
				for path, want := range map[string]string{"class": "closed", "generator": "GeneratorExit", "write": "OSError"} {
					mark := s.Mark()
					c := s.Dial(t)
					c.Send("GET /" + path + "?" + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
					c.ReadUntil("xxxx")
					c.Reset()
					if got := waitForFile(t, s, path); got != want {
						t.Errorf("%s: the application saw %q, want %q", path, got, want)
					}
					if path == "write" { // it let the OSError out: its traceback must not be taken for another one's
						mark.Wait(t, "OSError: ")
						continue
					}
					if log := mark.Since(); strings.Contains(log, "Traceback") {
						t.Errorf("%s: a client that leaves is no error of the application, but the log says:\n%s", path, log)
					}
				}
				c := s.Dial(t)
				c.Send("POST /read?read HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
				c.Reset()
				if got := waitForFile(t, s, "read"); got != "OSError" {
					t.Errorf("reading from a client that has gone: %s", got)
				}
				expectBody(t, s, "/", "alive")
			})
		}
	}
}

func TestClientThatWaitsForContinueGetsIt(t *testing.T) {
	forEachModule(t, "WSGIScriptAlias / {{.Apps}}/bodies.wsgi\nWSGIApplicationGroup %{GLOBAL}\n", nil, func(t *testing.T, s *apachetest.Server) {
		for _, path := range []string{"/length", "/digest", "/echo", "/first_byte"} {
			c := s.Dial(t)
			c.Send("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
			if got := c.ReadUntil("\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 100 Continue") && path != "/echo" {
				t.Errorf("%s: instead of 100 Continue: %q", path, got)
			}
			c.Send("abc")
			if r := c.Read("POST"); r.Status != 200 && path != "/echo" {
				t.Errorf("%s: %s", path, r)
			}
		}
		c := s.Dial(t)
		c.Send("POST /ignore HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
		if r := c.Read("POST"); r.Status != 200 || string(r.Body) != "ignored" || len(r.Interim) != 0 {
			t.Errorf("an application that does not read:\n%s", r)
		}
	})
}

func TestBodyMayArriveSlowly(t *testing.T) {
	forEachModule(t, "WSGIScriptAlias / {{.Apps}}/bodies.wsgi\nWSGIApplicationGroup %{GLOBAL}\nWSGIChunkedRequest On\n", nil, func(t *testing.T, s *apachetest.Server) {
		c := s.Dial(t)
		c.Send("POST /length HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
		c.SendSlowly(pause, "a", "bc", "def", "ghi")
		if r := c.Read("POST"); string(r.Body) != "9" {
			t.Errorf("with a length:\n%s", r)
		}
		c.Send("POST /length HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
		c.SendSlowly(pause, "3\r\nab", "c\r\n2\r", "\nde\r\n", "0\r\n\r\n")
		if r := c.Read("POST"); string(r.Body) != "5" {
			t.Errorf("in chunks, on the same connection:\n%s", r)
		}
		// A dialogue: each block is answered before the next is sent.
		c = s.Dial(t)
		c.Send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
		block := strings.Repeat("a", 16384)
		c.Send("4000\r\n" + block + "\r\n")
		c.ReadUntil(block)
		block = strings.Repeat("b", 16384)
		c.Send("4000\r\n" + block + "\r\n0\r\n\r\n")
		c.ReadUntil(block)
	})
}

func TestUnreadBodyDoesNotDisturbTheNextRequest(t *testing.T) {
	forEachModule(t, "WSGIScriptAlias / {{.Apps}}/bodies.wsgi\nWSGIApplicationGroup %{GLOBAL}\n", nil, func(t *testing.T, s *apachetest.Server) {
		c := s.Dial(t)
		for range 3 {
			for path, want := range map[string]string{"/ignore": "ignored", "/first_byte": "b'x'"} {
				c.Send("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000\r\n\r\n" + longText(50000))
				if r := c.Read("POST"); string(r.Body) != want {
					t.Fatalf("%s:\n%s", path, r)
				}
			}
		}
	})
}

// TestOverlongChunkedBodyIsRefusedOnce: the classic module appends the application's answer to Apache's 413 page.
func TestOverlongChunkedBodyIsRefusedOnce(t *testing.T) {
	inSettings(t, both([]apachetest.MPM{apachetest.Event}, singles), func(t *testing.T, in setting) {
		s := apachetest.Start(t, in.of(apachetest.Config{Conf: "WSGIScriptAlias / {{.Apps}}/bodies.wsgi\nWSGIChunkedRequest On\nLimitRequestBody 1000\n"}))
		r := s.Do(t, apachetest.Request{Method: "POST", Target: "/length", Chunked: true, Body: []byte(longText(5000))})
		if r.Status != 413 || strings.Count(string(r.Body), "</html>") != 1 || len(r.Extra) != 0 {
			t.Errorf("not one plain 413:\n%s", r)
		}
	})
}
