package integration

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"modwsgi/module/apachetest"
)

// The steady path of a request makes no call into Go (architecture, section 2). The module counts its calls per process.

const countingScript = `import mod_wsgi, os

def application(environ, start_response):
    environ["wsgi.input"].read()
    body = ("%d %d" % (os.getpid(), mod_wsgi._go_entries())).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]

handle_request = application
`

const (
	steadyRequests = 1000
	warmUp         = 20
)

func TestOrdinaryRequestsMakeNoCallIntoGo(t *testing.T) {
	conf := loadCGI + `
WSGISlowRequests 3600
WSGITelemetryService unix:{{.Var}}/nobody interval=3600
WSGIScriptAlias /child {{.Root}}/scripts/count.wsgi process-group=%{GLOBAL} application-group=%{GLOBAL}
WSGIScriptAlias /file {{.Root}}/scripts/count.wsgi
WSGIScriptAlias /dir/ {{.Root}}/scripts/
WSGIScriptAliasMatch ^/match/([^/]+) {{.Root}}/scripts/$1.wsgi
WSGIScriptAlias /options {{.Root}}/scripts/count.wsgi application-group=%{GLOBAL} callable-object=application pass-authorization=On
WSGIScriptAlias /env {{.Root}}/scripts/count.wsgi
<Location /env>
    SetEnvIf X-Group (.+) group=$1
    WSGIApplicationGroup %{ENV:group}
    WSGICallableObject %{ENV:callable}
    SetEnv callable application
</Location>
WSGIScriptAlias /server {{.Root}}/scripts/count.wsgi
<Location /server>
    WSGIApplicationGroup %{SERVER}
</Location>
WSGIScriptAlias /host {{.Root}}/scripts/count.wsgi
<Location /host>
    WSGIApplicationGroup %{HOST}
</Location>
<Directory {{.Root}}/scripts>
    WSGIPassAuthorization On
    WSGIChunkedRequest On
</Directory>
<Directory {{.Root}}/handled>
    Options ExecCGI MultiViews
    MultiviewsMatch Handlers
    AddHandler wsgi-script .wsgi
    DirectoryIndex index.wsgi
    WSGIApplicationGroup by-directory
</Directory>
Alias /handled/ {{.Root}}/handled/
WSGIHandlerScript counted {{.Root}}/scripts/count.wsgi
<Location /virtual>
    SetHandler counted
</Location>
WSGIScriptAlias /proxied {{.Root}}/scripts/count.wsgi
<Location /proxied>
    WSGITrustedProxies 127.0.0.1
    WSGITrustedProxyHeaders X-Forwarded-For X-Forwarded-Proto
</Location>
WSGIScriptAlias /guarded {{.Root}}/scripts/count.wsgi
<Location /guarded>
    WSGIAccessScript {{.Apps}}/guard.wsgi
    AuthType Basic
    AuthName guarded
    AuthBasicProvider wsgi
    WSGIAuthUserScript {{.Apps}}/guard.wsgi application-group=users
    WSGIAuthGroupScript {{.Apps}}/guard.wsgi application-group=%{SERVER}
    Require wsgi-group staff
    WSGIDispatchScript {{.Apps}}/dispatch.wsgi
</Location>
<VirtualHost *:{{.Port}}>
    ServerName default.test
</VirtualHost>
<VirtualHost *:{{.Port}}>
    ServerName other.test
    WSGIScriptAlias / {{.Root}}/scripts/count.wsgi
</VirtualHost>
`
	files := map[string]string{"scripts/count.wsgi": countingScript, "handled/count.wsgi": countingScript, "handled/index.wsgi": countingScript}
	requests := map[string]apachetest.Request{
		"Apache's child":      get("/child"), // in daemon mode the others count in the daemon process
		"a file":              get("/file/x"),
		"a directory":         get("/dir/count.wsgi"),
		"a match":             get("/match/count/x"),
		"options":             get("/options"),
		"an environ variable": get("/env", hd("X-Group", "blue")),
		"a server's group":    get("/server"),
		"a host's group":      host("default.test", "/host"),
		"a handler":           get("/handled/count.wsgi"),
		"MultiViews":          get("/handled/count"),
		"DirectoryIndex":      get("/handled/"),
		"a handler script":    get("/virtual/x"),
		"trusted proxies":     get("/proxied", hd("X-Forwarded-For", "1.1.1.1, 127.0.0.1"), hd("X-Forwarded-Proto", "https")),
		"a virtual host":      host("other.test", "/x"),
		"guarded by scripts":  get("/guarded", credentials("member staff", "secret"), hd("X-Answer", "true"), hd("X-Application-Group", "dispatched")),
		"a POST":              post("/file", longText(20000)),
		"a chunked POST":      {Method: "POST", Target: "/file", Chunked: true, Body: []byte("abc")},
	}
	type place struct {
		in   setting
		mode apachetest.Mode
	}
	places := []place{{setting{mpm: apachetest.Prefork}, apachetest.Foreground}, {setting{mpm: apachetest.Event}, apachetest.Single}, {setting{mpm: apachetest.Worker}, apachetest.Foreground}}
	for _, in := range singles {
		places = append(places, place{in, apachetest.Foreground})
	}
	for _, place := range places {
		t.Run(fmt.Sprintf("%s %s", place.in, place.mode), func(t *testing.T) {
			s := apachetest.Start(t, place.in.of(apachetest.Config{
				Mode: place.mode, OneChild: true, Conf: conf, Files: files,
				Modules: append(authModules, "mime", "dir", "negotiation", "env", "setenvif"),
			}))
			for range warmUp {
				for name, request := range requests {
					entries(t, s, name, request)
				}
			}
			pid, before := entries(t, s, "after warming up", get("/file"))
			childPid, childBefore := entries(t, s, "after warming up", get("/child"))
			for n := range steadyRequests {
				for name, request := range requests {
					if n%len(requests) == 0 || name == "a file" || n < 20 {
						entries(t, s, name, request)
					}
				}
			}
			pidAfter, after := entries(t, s, "at the end", get("/file"))
			childPidAfter, childAfter := entries(t, s, "at the end", get("/child"))
			if pid != pidAfter || childPid != childPidAfter {
				t.Fatalf("other processes answer: %d, %d; %d, %d", pid, pidAfter, childPid, childPidAfter)
			}
			if after != before || childAfter != childBefore {
				t.Errorf("calls into Go during ordinary requests: %d, then %d; in Apache's child %d, then %d", before, after, childBefore, childAfter)
				blame(t, s, requests)
			}
			if before == 0 || childBefore == 0 {
				t.Error("the counter is 0: it does not count")
			}
		})
	}
}

// entries makes a request and returns which process answered and how many calls into Go it has seen.
func entries(t *testing.T, s *apachetest.Server, name string, request apachetest.Request) (pid, count int) {
	t.Helper()
	r := s.Do(t, request)
	first, second, _ := strings.Cut(string(r.Body), " ")
	pid, err := strconv.Atoi(first)
	if err != nil || r.Status != 200 {
		t.Fatalf("%s:\n%s", name, r)
	}
	count, err = strconv.Atoi(second)
	if err != nil {
		t.Fatalf("%s:\n%s", name, r)
	}
	return pid, count
}

// blame says which kind of request makes calls.
func blame(t *testing.T, s *apachetest.Server, requests map[string]apachetest.Request) {
	t.Helper()
	for name, request := range requests {
		for _, counter := range []string{"/file", "/child"} {
			_, before := entries(t, s, name, get(counter))
			for range 10 {
				entries(t, s, name, request)
			}
			if _, after := entries(t, s, name, get(counter)); after != before {
				t.Errorf("%s: %d calls in 10 requests, counted by %s", name, after-before, counter)
			}
		}
	}
}
