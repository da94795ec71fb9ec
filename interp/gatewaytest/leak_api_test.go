package gatewaytest

import (
	"testing"
	"time"

	"modwsgi/interp"
)

// telling subscribes for one kind only: leakPrelude takes what the kind before has subscribed.
const telling = `
told = []
@mod_wsgi.subscribe_events
def tell(name, **payload):
    told[:] = [name, payload]
    return {"more": payload}
`

func recorded(t testing.TB, r *Request) {
	record(t)
	withBody(Piece{Late, "ab", 0})(t, r)
}

// watched makes the request a slow one, for the time of the test.
func watched(t testing.TB, r *Request) {
	watch(t, time.Second, func(*interp.Glimpse) string { return "slow" })
	r.Environ = append(r.Environ, "REQUEST_URI=/slow", "HTTP_HOST=host:80", "mod_wsgi.server_pid=7")
}

// What applications do with the module mod_wsgi.
var leakAPI = []leakKind{
	{name: "events", before: telling, code: respond(`generator(b"a", b"b")`)},
	{name: "events of an exception", before: telling, code: `raise KeyError("application")`, result: 500},
	{name: "events of an exception in close()", before: telling, code: respond(`Closing([b"a"], KeyError("close"))`)},
	{name: "callbacks that fail", before: `
@mod_wsgi.subscribe_events
def strict(name): pass
@mod_wsgi.subscribe_events
def leaving(name, **payload): sys.exit(name)
mod_wsgi.event_callbacks.append(7)`, code: respond(`[b"a"]`)},
	{name: "callback that returns no keywords", before: `
@mod_wsgi.subscribe_events
def odd(name, **payload): return {7: 8}
mod_wsgi.subscribe_events(odd)`, code: respond(`[b"a"]`)},
	{name: "callback that ends the request", before: `
@mod_wsgi.subscribe_events
def end(name, **payload):
    if name == "request_started" and payload["application_object"] is application: raise mod_wsgi.RequestTimeout`, code: respond(`[b"a"]`)},
	{name: "callback that ends the answer", before: `
@mod_wsgi.subscribe_events
def end(name, **payload):
    if name == "response_started" and payload["request_data"]: raise mod_wsgi.RequestTimeout`, code: `mod_wsgi.request_data()["end"] = 1
return ok(start_response) and [b"a"]`},
	{name: "callback that replaces the application", before: `
@mod_wsgi.subscribe_events
def replace(name, **payload):
    if name == "request_started": return {"application_object": lambda environ, start_response: payload["application_object"](environ, start_response)}`,
		code: respond(`[b"a"]`)},
	{name: "request_data", code: `mod_wsgi.request_data()["cycle"] = mod_wsgi.request_data()
return ` + `ok(start_response) and [b"a"]`},
	{name: "active_requests", code: `assert mod_wsgi.request_data() in mod_wsgi.active_requests.values()
mod_wsgi.active_requests.clear()
return ok(start_response) and [b"a"]`},
	{name: "LogHandler", before: `import logging
logger = logging.getLogger("leaks")
logger.propagate = False
logger.handlers[:] = [mod_wsgi.LogHandler()]`, code: `logger.error("a record\nof two lines, \ud800")
logger.debug("none")
return ok(start_response) and [b"a"]`},
	{name: "metrics", change: recorded, code: `mod_wsgi.request_metrics(), mod_wsgi.process_metrics(), mod_wsgi.server_metrics()
return ok(start_response) and [b"a"]`},
	{name: "recorded request", change: recorded, code: respond(`generator(environ["wsgi.input"].read())`)},
	{name: "slow request", change: watched, code: respond(`generator(b"a")`)},
	{name: "encryption", code: `connection = start_response.__self__
assert connection.ssl_is_https() == 0 and connection.ssl_var_lookup("HTTPS") == connection.ssl_var_lookup(b"HTTPS") == "HTTPS" and connection.ssl_var_lookup("NONE") is None
fails(TypeError, connection.ssl_var_lookup, 7), fails(TypeError, connection.ssl_var_lookup, "\u20ac")
return ok(start_response) and [b"a"]`},
}
