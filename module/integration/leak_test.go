package integration

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"modwsgi/module/apachetest"
)

// Every kind of answer that goes another way through the module, so that a child's memory shows what any of them leaves behind.
// What the gateway keeps is counted more exactly in interp/gatewaytest.
const leakApp = `
import sys
def application(environ, start_response):
    what = environ["PATH_INFO"]
    headers = [("Content-Type", "text/plain"), ("X-What", what)]
    if what == "/redirect":
        headers.append(("Location", "/list"))
    if what == "/cut":
        headers.append(("Content-Length", "1000"))
    if what == "/refused":
        start_response("200 OK\n", headers)
    write = start_response("200 OK", headers)
    if what == "/body":
        return [environ["wsgi.input"].read()]
    if what == "/lines":
        return environ["wsgi.input"]
    if what == "/generator":
        return (block for block in (b"a", b"", b"b"))
    if what == "/write":
        write(b"a")
    if what == "/log":
        print("a line", file=environ["wsgi.errors"])
        print("another", file=sys.stderr)
    if what == "/file":
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    if what == "/large":
        return [b"x" * 100000]
    if what == "/raises":
        raise KeyError(what)
    if what == "/raises-late":
        return (block for block in (b"a", "text"))
    return [b"a"]
`

type leakPath struct {
	path   string
	status int
	body   string // of the request
	cut    bool   // the answer must not end as it should
}

var leakPaths = []leakPath{
	{path: "/list", status: 200}, {path: "/generator", status: 200}, {path: "/write", status: 200}, {path: "/large", status: 200},
	{path: "/body", status: 200, body: strings.Repeat("body", 3000)}, {path: "/lines", status: 200, body: strings.Repeat("line\n", 50)},
	{path: "/list", status: 200, body: "not read"}, {path: "/file", status: 200}, {path: "/log", status: 200}, {path: "/redirect", status: 200},
	{path: "/group-of-its-own/list", status: 200}, {path: "/htaccess/leaks.wsgi", status: 200},
	{path: "/raises", status: 500}, {path: "/refused", status: 500}, {path: "/no-callable", status: 404}, {path: "/no-script", status: 404},
	{path: "/too-large", status: 413, body: strings.Repeat("x", 2000)}, {path: "/denied", status: 403},
	{path: "/raises-late", status: 200, cut: true}, {path: "/cut", status: 200, cut: true},
}

const leakConf = `
MaxKeepAliveRequests 0
KeepAliveTimeout 60
WSGIScriptAlias /no-callable {{.Root}}/other.wsgi
WSGIScriptAlias /no-script {{.Root}}/missing.wsgi
WSGIScriptAlias /group-of-its-own {{.Root}}/leaks.wsgi application-group=own
WSGIScriptAlias /too-large {{.Root}}/leaks.wsgi
WSGIScriptAlias /denied {{.Root}}/leaks.wsgi
Alias /htaccess {{.Htdocs}}
WSGIScriptAlias / {{.Root}}/leaks.wsgi
<Location /too-large>
    LimitRequestBody 1000
</Location>
<Location /denied>
    Require all denied
</Location>
<Directory {{.Htdocs}}>
    AllowOverride All
    Options ExecCGI
</Directory>
`

const leakConnections = 8

// What a child may gain in each half of a run. Its first connections, and the collector of Go, make it grow a little.
const leakSlackKB = 1536

func TestLeakcheckChildrenStayLevel(t *testing.T) {
	if os.Getenv("MODWSGI_LEAKCHECK") == "" {
		t.Log("this is for `make leakcheck`: 200,000 requests under each MPM take minutes")
		return
	}
	n := benchNumber(t, "MODWSGI_LEAKCHECK", 200000)
	for _, in := range both([]apachetest.MPM{apachetest.Event, apachetest.Prefork}, manyThreads) {
		t.Run(in.String(), func(t *testing.T) {
			connections, tuning := leakConnections, threadedTuning
			if in.mpm == apachetest.Prefork {
				connections, tuning = 1, "StartServers 1\nMinSpareServers 1\nMaxSpareServers 1\nServerLimit 1\nMaxRequestWorkers 1\n"
			}
			s := apachetest.Start(t, in.of(apachetest.Config{Tuning: tuning + "MaxConnectionsPerChild 0\n", Conf: leakConf,
				Files: map[string]string{
					"leaks.wsgi": leakApp, "other.wsgi": "", "htdocs/leaks.wsgi": leakApp,
					"htdocs/.htaccess": "SetHandler wsgi-script\nWSGICallableObject application\n",
				}}))
			resident := func(n int) map[int]int {
				sendLeakPaths(t, s, n, connections)
				return residentOf(t, s)
			}
			before := resident(n / 5)
			middle := resident(n / 2)
			after := resident(n / 2)
			for pid := range before {
				t.Logf("%s: %d requests over %d kinds, process %d: resident %d -> %d -> %d KB", in, n, len(leakPaths), pid, before[pid], middle[pid], after[pid])
				if after[pid] == 0 {
					t.Errorf("process %d has gone", pid)
				}
				if min(middle[pid]-before[pid], after[pid]-middle[pid]) > leakSlackKB {
					t.Errorf("process %d grew from %d to %d and %d KB: %s", pid, before[pid], middle[pid], after[pid], apachetest.CommandLine(pid))
				}
			}
		})
	}
}

// sendLeakPaths sends n requests, all kinds in turn, over kept connections.
func sendLeakPaths(t *testing.T, s *apachetest.Server, n, connections int) {
	t.Helper()
	var sent atomic.Int64
	var group sync.WaitGroup
	for range connections {
		group.Go(func() {
			client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
			defer client.CloseIdleConnections()
			for i := sent.Add(1); i <= int64(n) && !t.Failed(); i = sent.Add(1) {
				p := leakPaths[int(i)%len(leakPaths)]
				if err := p.send(client, s); err != nil {
					t.Errorf("%s: %v", p.path, err)
				}
			}
		})
	}
	group.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func (p leakPath) send(client *http.Client, s *apachetest.Server) error {
	method := http.MethodGet
	if p.body != "" {
		method = http.MethodPost
	}
	request, err := http.NewRequest(method, s.URL(p.path), bytes.NewReader([]byte(p.body)))
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	want := p.status
	if p.path == "/no-callable" && s.Config().Daemon != "" {
		want = http.StatusInternalServerError
	}
	if answer.StatusCode != want || (err != nil) != p.cut {
		return fmt.Errorf("status %d, %v", answer.StatusCode, err)
	}
	return nil
}
