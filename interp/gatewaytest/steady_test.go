package gatewaytest

import (
	"fmt"
	"testing"
)

func TestSteadyPathMakesNoCallIntoGo(t *testing.T) {
	var requests []*Request
	for i := range 3 {
		for _, group := range []string{"", "steady-a", "steady-b"} {
			r := request(t, fmt.Sprintf(`
				from wsgiref.util import FileWrapper
				def application(environ, start_response):
					body = b"script %d " + environ["wsgi.input"].read()
					print("a line", file=environ["wsgi.errors"])
					start_response("200 OK", [("Content-Type", "text/plain")])
					return [body] if environ["how"] == "list" else (b for b in [body])
			`, i))
			r.Group, r.Flags, r.Body = group, Reloading, []Piece{{Late, "body", 0}}
			r.Environ = []string{[]string{"how=list", "how=generator"}[i%2]}
			expect(t, run(t, r), fmt.Sprintf("script %d body", i))
			requests = append(requests, r)
		}
	}
	thread := newThread(t)
	before := GoEntries()
	for _, r := range requests {
		for _, on := range []*Thread{mainThread, thread} {
			if _, others := on.Repeat(r, 1000, Answered); others != 0 {
				t.Errorf("%d of 1000 requests failed", others)
			}
		}
	}
	if n := GoEntries() - before; n != 0 {
		t.Errorf("18,000 requests entered Go %d times", n)
	}
	checkContract(t)
}

func TestCallsIntoGoAreCounted(t *testing.T) {
	r := request(t, `
		import mod_wsgi
		def application(environ, start_response):
			start_response("200 OK", [])
			return [str(mod_wsgi._go_entries()).encode()]
	`)
	before := GoEntries()
	a := run(t, r)
	after := GoEntries()
	if after < before+2 { // the script's name, its source
		t.Errorf("loading a script entered Go %d times", after-before)
	}
	expect(t, a, fmt.Sprint(after))
}

func TestEnviron(t *testing.T) {
	r := request(t, `
		def application(environ, start_response):
			e = dict(environ)
			del e["wsgi.input"], e["wsgi.errors"], e["wsgi.file_wrapper"]
			assert isinstance(e.pop("mod_wsgi.application_start"), float)
			assert isinstance(e.pop("mod_wsgi.thread_id"), int)
			start_response("200 OK", [])
			return ["\n".join(f"{k}={e[k]!r}" for k in sorted(e)).encode("ascii", "backslashreplace")]
	`)
	r.Environ = []string{"SCRIPT_NAME=", "PATH_INFO=/\xe4\xff", "SCRIPT_FILENAME=/\xc3\xa4/\xff", "DOCUMENT_ROOT=/d", "NOTHING", "HTTP_X=a=b"}
	r.Flags = HTTPS | Multithread
	expect(t, run(t, r), `DOCUMENT_ROOT='/d'
HTTP_X='a=b'
NOTHING=None
PATH_INFO='/\xe4\xff'
SCRIPT_FILENAME='/\xe4/\udcff'
SCRIPT_NAME=''
apache.version=(2, 4, 66)
mod_wsgi.daemon_start=0.0
mod_wsgi.queue_start=0.0
mod_wsgi.request_start=1.5
mod_wsgi.version=(6, 0, 5)
wsgi.input_terminated=True
wsgi.multiprocess=False
wsgi.multithread=True
wsgi.run_once=False
wsgi.url_scheme='https'
wsgi.version=(1, 0)`)
}
