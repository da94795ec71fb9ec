package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
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

class Closing:
    def __iter__(self): return iter([b"a"])
    def close(self): raise KeyError("close")

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
    if what == "/input":
        try:
            return [environ["wsgi.input"].read()]
        except OSError:
            return [b"broken"]
    if what == "/blocks":
        return (b"x" * 10000 for _ in range(400))
    if what == "/log":
        print("a line", file=environ["wsgi.errors"])
        print("another", file=sys.stderr)
    if what == "/file":
        return environ["wsgi.file_wrapper"](open(__file__, "rb"))
    if what == "/large":
        return [b"x" * 100000]
    if what == "/raises":
        raise KeyError(what)
    if what == "/exits":
        sys.exit(3)
    if what == "/exits-late":
        write(b"a")
        sys.exit(3)
    if what == "/close":
        return Closing()
    if what == "/not-found":
        start_response("404 Not Found", headers, None)
    if what == "/page":
        return [b'<!--#include virtual="/list" -->']
    if what == "/request":
        assert environ["apache.request_rec"]
    if what == "/raises-late":
        return (block for block in (b"a", "text"))
    return [b"a"]
`

// What decides about the requests for which leakConf says so.
const leakGuard = `
def allow_access(environ, host): return None
def check_password(environ, user, password): return 1 if user == "number" else user
def groups_for_user(environ, user): return ["staff"] if user == "somebody" else []
def application_group(environ): return None
def callable_object(environ): return "application"
`

type leakPath struct {
	path    string
	user    string // who asks, if anybody
	status  int
	head    bool   // HEAD instead of GET
	body    string // of the request, which is a POST then
	chunked bool   // the request does not say how long its body is
	missing int    // bytes of the body that never arrive: the client leaves
	leaves  bool   // the client leaves when the answer begins
	cut     bool   // the answer must not end as it should
}

var leakPaths = []leakPath{
	{path: "/list", status: 200}, {path: "/list", status: 200, head: true}, {path: "/large", status: 200, head: true}, {path: "/file", status: 200, head: true},
	{path: "/body", status: 200, body: strings.Repeat("body", 30000), chunked: true}, {path: "/list", status: 200, body: "not read", chunked: true},
	{path: "/input", body: "begun", missing: 1000}, {path: "/list", body: "begun", missing: 1000}, {path: "/blocks", status: 200, leaves: true}, {path: "/generator", status: 200}, {path: "/write", status: 200}, {path: "/large", status: 200},
	{path: "/body", status: 200, body: strings.Repeat("body", 3000)}, {path: "/lines", status: 200, body: strings.Repeat("line\n", 50)},
	{path: "/list", status: 200, body: "not read"}, {path: "/file", status: 200}, {path: "/log", status: 200}, {path: "/redirect", status: 200},
	{path: "/group-of-its-own/list", status: 200}, {path: "/htaccess/leaks.wsgi", status: 200},
	{path: "/guarded/list", status: 401}, {path: "/guarded/list", user: "somebody", status: 200}, {path: "/guarded/list", user: "number", status: 500}, {path: "/guarded/list", user: "nobody", status: 401},
	{path: "/close", status: 200}, {path: "/request", status: 200}, {path: "/page", status: 200},
	{path: "/raises", status: 500}, {path: "/exits", status: 500}, {path: "/error-page/raises", status: 200}, {path: "/broken", status: 500}, {path: "/refused", status: 500}, {path: "/no-callable", status: 404}, {path: "/no-script", status: 404},
	{path: "/no-chunks", status: 411, body: "of unknown length", chunked: true},
	{path: "/too-large", status: 413, body: strings.Repeat("x", 2000)}, {path: "/denied", status: 403},
	{path: "/raises", status: 500, head: true}, {path: "/raises", status: 500, body: "not read"},
	{path: "/raises-late", status: 200, cut: true}, {path: "/exits-late", status: 200, cut: true}, {path: "/cut", status: 200, cut: true},
}

const leakConf = `
MaxKeepAliveRequests 0
KeepAliveTimeout 60
WSGIScriptAlias /no-callable {{.Root}}/other.wsgi
WSGIScriptAlias /no-script {{.Root}}/missing.wsgi
WSGIScriptAlias /broken {{.Root}}/broken.wsgi
WSGIScriptAlias /error-page {{.Root}}/leaks.wsgi
WSGIPassApacheRequest On
WSGIChunkedRequest On
WSGIScriptAlias /no-chunks {{.Root}}/leaks.wsgi
WSGIScriptAlias /group-of-its-own {{.Root}}/leaks.wsgi application-group=own
WSGIScriptAlias /too-large {{.Root}}/leaks.wsgi
WSGIScriptAlias /denied {{.Root}}/leaks.wsgi
WSGIScriptAlias /guarded {{.Root}}/leaks.wsgi
Alias /htaccess {{.Htdocs}}
WSGIScriptAlias / {{.Root}}/leaks.wsgi
<Location /too-large>
    LimitRequestBody 1000
</Location>
<Location /no-chunks>
    WSGIChunkedRequest Off
</Location>
<Location /denied>
    Require all denied
</Location>
<Location /guarded>
    WSGIAccessScript {{.Root}}/guard.wsgi
    AuthType Basic
    AuthName guarded
    AuthBasicProvider wsgi
    WSGIAuthUserScript {{.Root}}/guard.wsgi
    WSGIAuthGroupScript {{.Root}}/guard.wsgi application-group=groups
    Require wsgi-group staff
    WSGIDispatchScript {{.Root}}/guard.wsgi
</Location>
<Location /error-page>
    ErrorDocument 500 /list
</Location>
<Location /page>
    Options +Includes
    SetOutputFilter INCLUDES
</Location>
<Directory {{.Htdocs}}>
    AllowOverride All
    Options ExecCGI
</Directory>
`

const leakConnections = 8

// What a child may gain in each half of a run. Its first connections, and the collector of Go, make it grow a little.
const leakSlackKB = 1536

// A daemon process lets 16 MB of Go's garbage gather before it is collected: failures that were explained in words.
const leakSettles = 100000

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
			s := apachetest.Start(t, in.of(apachetest.Config{Tuning: tuning + "MaxConnectionsPerChild 0\n", Conf: leakConf, Modules: append(authModules, "include", "filter"),
				Files: map[string]string{
					"leaks.wsgi": leakApp, "other.wsgi": "", "broken.wsgi": "raise KeyError", "htdocs/leaks.wsgi": leakApp, "guard.wsgi": leakGuard,
				},
				Templates: map[string]string{"htdocs/.htaccess": "SetHandler wsgi-script\nWSGICallableObject application\nWSGIAccessScript {{.Root}}/guard.wsgi\n"}}))
			resident := func(n int) map[int]int {
				sendLeakPaths(t, s, n, connections)
				return residentOf(t, s)
			}
			settle := n / 5
			if in.options != "" {
				settle = max(settle, leakSettles)
			}
			before := resident(settle)
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
	if p.missing > 0 {
		client.CloseIdleConnections() // under prefork the only child waits for what comes over one
		return p.breakOff(s)
	}
	method, body := http.MethodGet, io.Reader(bytes.NewReader([]byte(p.body)))
	switch {
	case p.head:
		method = http.MethodHead
	case p.body != "":
		method = http.MethodPost
	}
	if p.chunked {
		body = struct{ io.Reader }{body} // of a length that the client doesn't know
	}
	request, err := http.NewRequest(method, s.URL(p.path), body)
	if err != nil {
		return err
	}
	if p.user != "" {
		request.SetBasicAuth(p.user, "secret")
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	if !p.leaves {
		_, err = io.Copy(io.Discard, answer.Body)
	}
	_ = answer.Body.Close()
	want := p.status
	if s.Config().Daemon != "" && (p.path == "/no-callable" || p.path == "/request") { // there is no apache.request_rec
		want = http.StatusInternalServerError
	}
	if answer.StatusCode != want || (err != nil) != p.cut {
		return fmt.Errorf("status %d, %v", answer.StatusCode, err)
	}
	return nil
}

// breakOff sends a request without the end of its body once the server wants it, or answers without, and resets the connection.
func (p leakPath) breakOff(s *apachetest.Server) error {
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", p.path, len(p.body)+p.missing)
	if err == nil {
		_, err = io.ReadFull(conn, make([]byte, len("HTTP/1.1 100")))
	}
	if err == nil {
		_, err = io.WriteString(conn, p.body)
	}
	return errors.Join(err, conn.(*net.TCPConn).SetLinger(0), conn.Close())
}
