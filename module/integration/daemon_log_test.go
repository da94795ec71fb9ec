package integration

import (
	"regexp"
	"strings"
	"testing"

	"modwsgi/module/apachetest"
)

// Where log records of daemon mode go, and when: reference runtime.md, section 6.

const twoHosts = `
ErrorLogFormat "[%t] [%-m:%l] [pid %P] [host %v] [client %a] [id %L] %M"
<VirtualHost *:{{.Port}}>
    ServerName one.test
    ErrorLog {{.Root}}/logs/one.log
    ErrorLogFormat "one: [%t] [%-m:%l] [pid %P] [host %v] [client %a] [id %L] %M"
    WSGIDaemonProcess of-one processes=1 threads=3
    WSGIProcessGroup of-one
    WSGIScriptAlias /noise {{.Root}}/noise.wsgi
    WSGIScriptAlias / {{.Apps}}/daemon.wsgi
    LogLevel wsgi:info
</VirtualHost>
<VirtualHost *:{{.Port}}>
    ServerName two.test
    ErrorLog {{.Root}}/logs/two.log
    WSGIProcessGroup of-all
    WSGIScriptAlias /noise {{.Root}}/noise.wsgi
    WSGIScriptAlias / {{.Apps}}/daemon.wsgi
</VirtualHost>
WSGIDaemonProcess of-all processes=1 threads=3
WSGIApplicationGroup %{GLOBAL}
`

// noiseScript writes from outside its request as well.
const noiseScript = `import os, sys, threading
print("app: while loading")

def application(environ, start_response):
    def speak():
        print("app: from a thread")
        os.write(2, b"app: to descriptor 2\n")
    thread = threading.Thread(target=speak)
    thread.start()
    thread.join()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
`

func TestLogLinesAppearDuringTheirRequestThroughApache(t *testing.T) {
	for _, mpm := range []apachetest.MPM{apachetest.Event, apachetest.Prefork} {
		t.Run(string(mpm), func(t *testing.T) {
			s := apachetest.Start(t, apachetest.Config{MPM: mpm, Conf: twoHosts, Files: map[string]string{"noise.wsgi": noiseScript}})
			for name, file := range map[string]string{"one.test": "one.log", "two.test": "two.log"} {
				gate := makeFIFO(t, s)
				mark := s.MarkFile(file)
				answer := make(chan *apachetest.Response, 1)
				go func() { answer <- s.Do(t, host(name, "/log?"+gate)) }()
				early := mark.Wait(t, "app: before the gate")
				openGate(t, gate)
				r := <-answer
				late := mark.Wait(t, "app: behind the gate")
				id := string(r.Body)
				for _, line := range []string{early, late} {
					want := regexp.MustCompile(`^(one: )?\[.*\] \[wsgi:error\] \[pid \d+\] \[host ` + name + `\] \[client 127\.0\.0\.1:\d+\] \[id ` + regexp.QuoteMeta(id) + `\] app: `)
					if id == "" || !want.MatchString(line) {
						t.Errorf("%s: request %q has the line %s", name, id, line)
					}
				}
			}
		})
	}
}

func TestLinesOutsideRequestsGoToTheLogOfTheirGroup(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{Conf: twoHosts, Files: map[string]string{"noise.wsgi": noiseScript}})
	formats := map[string]string{"one.test": `^one: \[`, "two.test": `^\[`}
	for name, file := range map[string]string{"one.test": "one.log", "two.test": "error.log"} { // of-all belongs to the main server
		mark := s.MarkFile(file)
		if r := s.Do(t, host(name, "/noise")); r.Status != 200 {
			t.Fatal(r)
		}
		if line := mark.Wait(t, "app: from a thread"); !regexp.MustCompile(formats[name] + `.*\] \[wsgi:error\] \[pid \d+\] .*app: from a thread$`).MatchString(line) {
			t.Errorf("%s: not in the server's format: %s", name, line)
		}
		mark.Wait(t, "app: to descriptor 2")
	}
	if text := s.LogFile("two.log"); strings.Contains(text, "from a thread") {
		t.Errorf("a group of the main server writes to the virtual host's log:\n%s", text)
	}
	// Information about processes: in the log of the virtual host that asks for it, and not in the other one.
	s.MarkStart("one.log").Wait(t, "wsgi:info")
	if strings.Contains(s.Log(), "wsgi:info") {
		t.Errorf("the main server's level is warn, but its log has information:\n%s", s.Log())
	}
}
