package integration

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// WSGISlowRequests: requests that take long are reported in the error log of their virtual host.

// slowScript waits at the gate, either with Python's lock or without it.
const slowScript = `import ctypes, os
c = ctypes.PyDLL(None)  # keeps the lock while it calls

def waits_at_the_gate(gate):
    with open(gate) as f:
        f.read()

def keeps_the_lock(gate):
    fd = os.open(gate, os.O_RDONLY)
    c.read(fd, ctypes.create_string_buffer(1), 1)
    os.close(fd)

def application(environ, start_response):
    how, _, gate = environ["QUERY_STRING"].partition("=")
    if gate:
        globals()[how](gate)
    start_response("201 Created", [("Content-Type", "text/plain")])
    return [b"done"]
`

const slowHosts = `
<VirtualHost *:{{.Port}}>
    ServerName one.test
</VirtualHost>
<VirtualHost *:{{.Port}}>
    ServerName two.test
    ErrorLog {{.Root}}/logs/two.log
    WSGIScriptAlias / {{.Root}}/slow.wsgi
</VirtualHost>
WSGIApplicationGroup %{GLOBAL}
`

func TestSlowRequestIsReportedWhileItRunsAndWhenItIsOver(t *testing.T) {
	inSettings(t, both(apachetest.MPMs, singles), func(t *testing.T, in setting) {
		t.Parallel()
		s := apachetest.Start(t, in.of(apachetest.Config{OneChild: true, Conf: slowHosts + "WSGISlowRequests 0.15\n", Files: map[string]string{"slow.wsgi": slowScript}}))
		s.Do(t, host("two.test", "/")) // loading the script may take longer than the limit
		for range 2 {                  // the second one is a request of its own
			mark, gate := s.MarkFile("two.log"), makeFIFO(t, s)
			answer := make(chan *apachetest.Response, 1)
			go func() { answer <- s.Do(t, host("two.test", "/path/x?waits_at_the_gate="+gate)) }()
			report := mark.Wait(t, "WSGI0305")
			elapsed := regexp.MustCompile(`wsgi:warn\].*a request has taken \d+(ms|\.\ds|s) so far \(the limit is WSGISlowRequests 150ms\): ` +
				`GET http://two.test/path/x\?waits_at_the_gate=\S+ of client 127\.0\.0\.1, application group '%\{GLOBAL\}', script \S+/slow.wsgi; it is in$`)
			if !elapsed.MatchString(report) {
				t.Errorf("the report is %s", report)
			}
			mark.Wait(t, `slow.wsgi\\?", line 5, in waits_at_the_gate`)
			openGate(t, gate)
			if r := <-answer; r.Status != 201 {
				t.Error(r)
			}
			over := mark.Wait(t, "WSGI0306")
			if !regexp.MustCompile(`wsgi:warn\].*a request is over after \d+(ms|\.\ds|s), with status 201 .*GET http://two.test/path/x`).MatchString(over) {
				t.Errorf("its end is told as %s", over)
			}
			if text := mark.Since(); strings.Count(text, "WSGI0305") != 1 || strings.Count(text, "WSGI0306") != 1 {
				t.Errorf("not once each:\n%s", text)
			}
		}
		if text := s.Log(); strings.Contains(text, "WSGI030") {
			t.Errorf("reported in the log of another host:\n%s", text)
		}
		mark := s.MarkFile("two.log")
		for range 20 {
			if r := s.Do(t, host("two.test", "/fast")); r.Status != 201 {
				t.Fatal(r)
			}
		}
		for line := range strings.Lines(mark.Since()) { // a request that was slow on a busy machine may be there
			if strings.Contains(line, "WSGI0306") && !regexp.MustCompile(`over after (1[5-9]\d|[2-9]\d\d)ms|\d(\.\d)?s`).MatchString(line) {
				t.Error(line)
			}
		}
	})
}

func TestSlowRequestsAreNotReportedUnlessThatIsWanted(t *testing.T) {
	for _, directive := range []string{"", "WSGISlowRequests 0\n"} {
		inSettings(t, both([]apachetest.MPM{apachetest.Event}, manyThreads), func(t *testing.T, in setting) {
			s := apachetest.Start(t, in.of(apachetest.Config{Conf: directive + "WSGIScriptAlias / {{.Root}}/slow.wsgi\n", Files: map[string]string{"slow.wsgi": slowScript}}))
			gate := makeFIFO(t, s)
			answer := make(chan *apachetest.Response, 1)
			go func() { answer <- s.Get(t, "/?waits_at_the_gate="+gate) }()
			openGate(t, gate)
			if r := <-answer; r.Status != 201 || strings.Contains(s.Log(), "WSGI030") {
				t.Errorf("%s\n%s", r, s.Log())
			}
		})
	}
}

// A lock that is not given back must not silence the reports.
func TestSlowRequestIsReportedWithoutItsStackWhenTheLockIsStuck(t *testing.T) {
	inSettings(t, both([]apachetest.MPM{apachetest.Event}, manyThreads), func(t *testing.T, in setting) {
		t.Parallel()
		s := apachetest.Start(t, in.of(apachetest.Config{OneChild: true, Conf: "WSGISlowRequests 0.5\nWSGIScriptAlias / {{.Root}}/slow.wsgi\n",
			Files: map[string]string{"slow.wsgi": slowScript}}))
		s.Get(t, "/") // loading the script may take longer than the limit
		stuck, free := makeFIFO(t, s), makeFIFO(t, s)
		answers := make(chan *apachetest.Response, 3)
		get := func(path string) { answers <- s.Get(t, path) }
		go get("/stuck?keeps_the_lock=" + stuck)
		open := holdGate(t, stuck)
		s.WaitLog(t, `WSGI0305: .*/stuck\?.*; where it is can't be found out: the interpreter lock has not been free for 2s`)
		go get("/waits-for-the-lock")
		s.WaitLog(t, `WSGI0305: .*/waits-for-the-lock.*; where it is can't be found out: the interpreter lock is stuck`)
		open()
		s.WaitLog(t, `WSGI0306: .*/stuck`)
		s.WaitLog(t, `WSGI0306: .*/waits-for-the-lock`)
		go get("/free?waits_at_the_gate=" + free)
		s.WaitLog(t, `WSGI0305: .*/free\?.*; it is in`)
		openGate(t, free)
		for range 3 {
			if r := <-answers; r.Status != 201 {
				t.Error(r)
			}
		}
	})
}

const floodScript = `
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    if environ["QUERY_STRING"]:
        with open(environ["QUERY_STRING"]) as f:
            f.read()
        return [b"done"]
    return (bytes(1 << 20) for _ in range(64))
`

// A client that does not take its answer must not keep the reports of others, whichever log its own is in.
func TestSlowRequestsAreReportedWhileAnotherClientDoesNotRead(t *testing.T) {
	inSettings(t, both([]apachetest.MPM{apachetest.Event}, manyThreads), func(t *testing.T, in setting) {
		t.Parallel()
		if in.options != "" {
			in.options += " buffer-size=0" // the application waits for its client
		}
		s := apachetest.Start(t, in.of(apachetest.Config{OneChild: true, Conf: slowHosts + "WSGISlowRequests 0.3\n", Files: map[string]string{"slow.wsgi": floodScript}}))
		connection := s.Dial(t)
		connection.Send("GET /flood HTTP/1.1\r\nHost: two.test\r\n\r\n")
		apachetest.Eventually(t, 10*time.Second, "the request is reported", func() bool {
			return regexp.MustCompile(`WSGI030[56]: .*/flood`).MatchString(s.Log() + s.LogFile("two.log"))
		})
		gate := makeFIFO(t, s)
		mark := s.MarkFile("two.log")
		answer := make(chan *apachetest.Response, 1)
		go func() { answer <- s.Do(t, host("two.test", "/other?"+gate)) }()
		mark.Wait(t, `WSGI0305: .*/other`)
		openGate(t, gate)
		if r := <-answer; string(r.Body) != "done" {
			t.Error(r)
		}
		mark.Wait(t, `WSGI0306: .*/other`)
		connection.Close()
	})
}
