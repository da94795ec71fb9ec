package gatewaytest

import (
	"strings"
	"testing"
)

// events is the beginning of an application that keeps what its subscribers are told.
const events = `
	import mod_wsgi, json
	told = []
	def plain(v):
		if isinstance(v, dict): return {k: plain(x) for k, x in v.items() if not k.startswith("wsgi.")}
		if isinstance(v, (list, tuple)): return [plain(x) for x in v]
		return v if isinstance(v, (str, int, float, type(None))) else type(v).__name__
	@mod_wsgi.subscribe_events
	def tell(name, **payload):
		told.append((name, payload))
	def answer(body):
		return [json.dumps(body).encode()]
`

func TestPayloadsOfTheEventsOfARequest(t *testing.T) {
	r := request(t, events+`
	def application(environ, start_response):
		if environ["PATH_INFO"] == "/told":
			start_response("200 OK", [])
			mine = [(n, p) for n, p in told if p["request_id"] == "first"]
			assert mine[0][1]["request_environ"]["mod_wsgi.request_id"] == "first"
			assert all(p["request_data"] is mine[0][1]["request_data"] for n, p in mine)
			return ["\n".join(n + ": " + " ".join("%s=%s" % (k, type(v).__name__) for k, v in sorted(p.items())) for n, p in mine).encode()]
		environ["wsgi.input"].read()
		start_response("404 Gone", [("A", "b")])
		return [b"12345", b"6"]
	`)
	r.Group = "events-payloads"
	r.Environ = []string{"PATH_INFO=/", "mod_wsgi.request_id=first", "mod_wsgi.server_pid=17"}
	r.Body = []Piece{{Late, "body", 0}}
	if a := run(t, r); a.Status != 404 {
		t.Fatal(a)
	}
	r.Environ = []string{"PATH_INFO=/told", "mod_wsgi.request_id=second", "mod_wsgi.server_pid=17"}
	expect(t, run(t, r), `request_started: application_object=function application_start=float callable_object=str daemon_connects=int daemon_restarts=int daemon_start=float queue_start=float request_data=dict request_environ=dict request_id=str request_start=float server_pid=int thread_id=int
response_started: exception_info=NoneType request_data=dict request_id=str response_headers=list response_status=str
request_finished: application_finish=float application_time=float cpu_system_time=float cpu_time=float cpu_user_time=float daemon_start=float gil_wait_count=int gil_wait_time=float input_length=int input_reads=int input_time=float output_length=int output_time=float output_writes=int queue_start=float request_data=dict request_id=str request_start=float server_pid=int status=int thread_id=int`)
}

func TestValuesOfTheEventsOfARequest(t *testing.T) {
	r := request(t, events+`
	import time
	def application(environ, start_response):
		if environ["PATH_INFO"] == "/told":
			payloads = {n: p for n, p in told if p["request_id"] == "first"}
			started, finished = payloads["request_started"], payloads["request_finished"]
			assert payloads["response_started"]["response_headers"] == [("A", "b")]
			assert finished["application_finish"] >= started["application_start"] + 0.01
			assert 0.01 <= finished["application_time"] < 60 and finished["cpu_time"] >= 0.0
			start_response("200 OK", [])
			return answer([started["server_pid"], started["request_start"], started["daemon_connects"], started["callable_object"],
				finished["input_reads"] > 0, finished["input_length"], finished["output_writes"], finished["output_length"], finished["status"]])
		environ["wsgi.input"].readline()
		time.sleep(0.01)
		write = start_response("201 Made", [("A", "b")])
		write(b"")
		write(b"abc")
		return (b for b in [b"12345", b"", b"6"])
	`)
	r.Group = "events-values"
	r.Environ = []string{"PATH_INFO=/", "mod_wsgi.request_id=first", "mod_wsgi.server_pid=17"}
	r.Body = []Piece{{Late, "a line\nanother", 0}}
	if a := run(t, r); a.Status != 201 || a.Body != "abc123456" {
		t.Fatal(a)
	}
	r.Environ = []string{"PATH_INFO=/told", "mod_wsgi.request_id=second"}
	expect(t, run(t, r), `[17, 1.5, 0, "application", true, 7, 4, 9, 201]`)
}

func TestSubscribersAreCalledInTheirOrderWithWhatThoseBeforeReturned(t *testing.T) {
	r := request(t, `
	import mod_wsgi
	order = []
	def first(name, **payload):
		if name == "request_started":
			order.append("first %s" % payload.get("more"))
			payload["ignored"] = 1
			mod_wsgi.event_callbacks.append(late)
			return {"more": 1}
	def second(name, **payload):
		if name == "request_started":
			order.append("second %s %s" % (payload.get("more"), "ignored" in payload))
			return ["not a dict"]
	def third(name, **payload):
		if name == "request_started":
			order.append("third %s" % payload["more"])
	def late(name, **payload):
		order.append("late %s" % name)
	assert mod_wsgi.subscribe_events(first) is first
	mod_wsgi.subscribe_events(second)
	mod_wsgi.subscribe_events(third)
	def application(environ, start_response):
		start_response("200 OK", [])
		return ["\n".join(order).encode()]
	`)
	r.Group = "events-order"
	expect(t, run(t, r), "first None\nsecond 1 False\nthird 1\nlate response_started")
}

func TestSubscribersMayReplaceTheApplication(t *testing.T) {
	r := request(t, `
	import mod_wsgi
	def wrapper(letter):
		def wrap(name, **payload):
			if name == "request_started":
				inner = payload["application_object"]
				assert payload["callable_object"] == "application"
				return {"application_object": lambda environ, start_response: [letter] + inner(environ, start_response)}
		return wrap
	mod_wsgi.subscribe_events(wrapper(b"a"))
	mod_wsgi.subscribe_events(wrapper(b"b"))
	def application(environ, start_response):
		start_response("200 OK", [])
		return [b"c"]
	`)
	r.Group = "events-replace"
	expect(t, run(t, r), "bac")
}

func TestAFailingSubscriberIsLoggedAndChangesNothing(t *testing.T) {
	r := request(t, `
	import mod_wsgi, sys
	@mod_wsgi.subscribe_events
	def strict(name):
		pass
	@mod_wsgi.subscribe_events
	def leaving(name, **payload):
		if name == "request_started": sys.exit(3)
	def application(environ, start_response):
		start_response("200 OK", [])
		return [b"served"]
	`)
	r.Group = "events-failing"
	ServerLog()
	a := run(t, r)
	expect(t, a, "served")
	if len(a.Log) > 0 {
		t.Errorf("the request's own log has %q", a.Log)
	}
	log := strings.Join(ServerLog(), "\n")
	for _, text := range []string{"WSGI0112: cannot finish a callback for event request_started: TypeError", "WSGI0112: cannot finish a callback for event request_finished",
		"strict() got an unexpected keyword argument", "WSGI0190: cannot finish a callback for event request_started: SystemExit"} {
		if !strings.Contains(log, text) {
			t.Errorf("the server's log lacks %q:\n%s", text, log)
		}
	}
}

func TestExceptionsOfTheApplicationArePublished(t *testing.T) {
	code := events + `
	def application(environ, start_response):
		path = environ["PATH_INFO"]
		if path == "/told":
			start_response("200 OK", [])
			return answer([[n, p["request_id"], plain(p.get("exception_info")), p.get("status")] for n, p in told if n in ("request_exception", "request_finished")])
		if path == "/call": raise ValueError("call")
		if path == "/exit": raise SystemExit(1)
		if path == "/timeout": raise mod_wsgi.RequestTimeout()
		if path == "/silent": return []
		start_response("202 Fine", [])
		class Answer:
			def __iter__(self):
				yield b"a"
				if path == "/iterate": raise KeyError("iterate")
			def close(self):
				raise OSError("close")
		return Answer()
	`
	for _, c := range []struct{ path, want string }{
		{"/call", `[["request_exception", "it", ["type", "ValueError", "traceback"], null], ["request_finished", "it", null, 500]]`},
		{"/exit", `[["request_exception", "it", ["type", "SystemExit", "traceback"], null], ["request_finished", "it", null, 500]]`},
		{"/timeout", `[["request_finished", "it", null, 504]]`},
		{"/silent", `[["request_exception", "it", ["type", "RuntimeError", null], null], ["request_finished", "it", null, 500]]`},
		{"/iterate", `[["request_exception", "it", ["type", "KeyError", "traceback"], null], ["request_exception", "it", ["type", "OSError", "traceback"], null], ["request_finished", "it", null, 202]]`},
		{"/close", `[["request_exception", "it", ["type", "OSError", "traceback"], null], ["request_finished", "it", null, 202]]`},
	} {
		t.Run(c.path[1:], func(t *testing.T) {
			r := request(t, code)
			r.Group = "events-exceptions-" + c.path[1:]
			r.Environ = []string{"PATH_INFO=" + c.path, "mod_wsgi.request_id=it"}
			run(t, r)
			r.Environ = []string{"PATH_INFO=/told", "mod_wsgi.request_id=next"}
			expect(t, run(t, r), c.want)
		})
	}
}

func TestRequestTimeoutInASubscriberEndsTheRequest(t *testing.T) {
	r := request(t, `
	import mod_wsgi
	@mod_wsgi.subscribe_events
	def slow(name, **payload):
		if name == "request_started": raise mod_wsgi.RequestTimeout()
	def application(environ, start_response):
		start_response("200 OK", [])
		return [b"served"]
	`)
	r.Group = "events-timeout"
	if a := run(t, r); a.Status != 504 {
		t.Error(a)
	}
}

func TestSignalsCanNotBeSubscribedInApachesProcesses(t *testing.T) {
	r := request(t, `
	import mod_wsgi
	def application(environ, start_response):
		callback = lambda name, **payload: None
		assert mod_wsgi.subscribe_signals(callback) is callback
		assert mod_wsgi.subscribe_shutdown(callback) is callback
		start_response("200 OK", [])
		return [repr((len(mod_wsgi.signal_callbacks), len(mod_wsgi.shutdown_callbacks))).encode()]
	`)
	r.Group = "events-signals"
	a := run(t, r)
	expect(t, a, "(0, 1)")
	expectLog(t, a, "6 mod_wsgi.subscribe_signals() was ignored", "app.wsgi\", line 4, in application")
}

func TestACopyForkedInASubscriberEnds(t *testing.T) {
	r := request(t, `
	import mod_wsgi, os
	statuses = []
	@mod_wsgi.subscribe_events
	def fork(name, **payload):
		if name != "request_started": return
		pid = os.fork()
		if pid == 0: return
		statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	def application(environ, start_response):
		start_response("200 OK", [])
		return [repr(statuses).encode()]
	`)
	r.Group = ""
	expect(t, run(t, r), "[0]")
	run(t, request(t, `
	import mod_wsgi
	def application(environ, start_response):
		start_response("200 OK", [])
		return []
	`)) // another interpreter's
	clear := request(t, `
	import mod_wsgi
	mod_wsgi.event_callbacks.clear()
	def application(environ, start_response):
		start_response("200 OK", [])
		return []
	`)
	clear.Group = ""
	run(t, clear)
}

func TestAForkedCopyPublishesNothing(t *testing.T) {
	r := request(t, `
	import mod_wsgi, os
	mod_wsgi.event_callbacks[:] = [lambda name, **payload: None]
	def application(environ, start_response):
		pid = os.fork()
		if pid == 0:
			start_response("200 OK", []) # a copy would end in the first callback
			os._exit(7)
		status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
		mod_wsgi.event_callbacks.clear()
		start_response("200 OK", [])
		return [repr(status).encode()]
	`)
	r.Group = ""
	expect(t, run(t, r), "7")
}
