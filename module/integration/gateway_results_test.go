package integration

import (
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// What an application returns and raises, and what a client sees of it: reference runtime.md, 2.3 to 2.11 and 2.19.

const internalError = "Internal Server Error"

func TestResultsOfEveryKindReachTheClient(t *testing.T) {
	group{
		name:     "results",
		thorough: true,
		config: apachetest.Config{
			Conf: "WSGIScriptAlias / {{.Apps}}/results.wsgi\nWSGIApplicationGroup %{GLOBAL}\n",
		},
		cases: []testCase{
			{name: "list", request: get("/list"), wants: is(status(200), body("one\ntwo\n"), framing(apachetest.ByChunks))},
			{name: "tuple", request: get("/tuple"), wants: is(body("one\ntwo\n"))},
			{name: "generator", request: get("/generator"), wants: is(body("one\ntwo\n"), framing(apachetest.ByChunks))},
			{name: "start_response in the generator", request: get("/late_start"), wants: is(status(201), body("late\n"))},
			{name: "empty list", request: get("/empty"), wants: is(status(200), body(""), header("Content-Length", "0"))},
			{name: "empty blocks between", request: get("/empty_blocks"), wants: is(body("ab"))},
			{name: "only empty blocks", request: get("/only_empty_blocks"), wants: is(body(""), header("Content-Length", "0"))},
			{name: "old iteration protocol", request: get("/getitem"), wants: is(body("one\ntwo\n"))},
			{name: "bytes subclass", request: get("/bytes_subclass"), wants: is(body("sub"))},
			{name: "large", request: get("/large"), wants: is(body(largeBody()))},
			{name: "many blocks", request: get("/many_blocks"), wants: is(status(200), bodyHas("\n499\n"))},
			{name: "HTTP/1.0", request: apachetest.Request{Proto: "HTTP/1.0", Target: "/list"}, wants: is(body("one\ntwo\n"), framing(apachetest.ByClose))},

			{name: "close is called", request: get("/close"), wants: is(body("body")), logs: []string{"app: closed"}},
			{name: "close belongs to the result", request: get("/iterator_elsewhere"), wants: is(body("x")), logs: []string{"app: iterable closed"}},
			{name: "close raises", request: get("/close_raises"), wants: is(status(200), body("body")), logs: []string{"app: closed"}},
			{name: "close after a failure", request: get("/close_after_failure"), wants: is(status(500)), logs: []string{"app: closed"}},
			{name: "close of what is not iterable", request: get("/close_of_no_iterable"), wants: is(status(500)), logs: []string{"app: closed"}},

			{name: "None", request: get("/none"), wants: is(status(500), reason(internalError))},
			{name: "str", request: get("/str"), wants: is(status(500))},
			{name: "bytes", request: get("/bytes"), wants: is(status(500))},
			{name: "str block", request: get("/str_block"), wants: is(status(500))},
			{name: "bytearray block", request: get("/bytearray_block"), wants: is(status(500))},
			{name: "memoryview block", request: get("/memoryview_block"), wants: is(status(500))},
			{name: "no start_response", request: get("/no_start"), wants: is(status(500))},
			{name: "no start_response, empty", request: get("/no_start_empty"), wants: is(status(500))},
			{name: "raise at once", request: get("/raise_before"), wants: is(status(500), reason(internalError), bodyHas(internalError))},
			{name: "raise after start_response", request: get("/raise_after_start"), wants: is(status(500), header("X-Lost"))},
			{name: "raise before the first block", request: get("/raise_first_block"), wants: is(status(500))},
			{name: "raise after an empty block", request: get("/raise_after_empty_block"), wants: is(status(500))},
			{name: "SystemExit", request: get("/system_exit"), wants: is(status(500))},
			{name: "KeyboardInterrupt", request: get("/keyboard_interrupt"), wants: is(status(500))},
			{name: "GeneratorExit", request: get("/generator_exit"), wants: is(status(500))},
			{name: "BaseException", request: get("/base_exception"), wants: is(status(500))},
			{name: "chained", request: get("/chained"), wants: is(status(500))},
			{name: "WWW-Authenticate and an exception before the commit", request: get("/www_authenticate_then_raise"), wants: is(status(500))},
			{name: "unknown case", request: get("/nonsense"), wants: is(status(500))},

			{name: "length exact", request: get("/length_exact"), wants: is(body("abcdef"), header("Content-Length", "6"))},
			{name: "length exceeded", request: get("/length_too_much"), wants: is(body("abc"), ending(apachetest.Complete)), logs: []string{"app: exhausted"}},
			{name: "length zero", request: get("/length_zero"), wants: is(body(""), header("Content-Length", "0"), ending(apachetest.Complete))},
			{name: "length no number", request: get("/length_wrong"), wants: is(status(500))},
			{name: "length negative", request: get("/length_negative"), wants: is(status(500))},
			{name: "length empty", request: get("/length_empty"), wants: is(status(200))},
			{name: "length too large for 64 bits", request: get("/length_huge"), wants: is(status(500))},
			{name: "length twice", request: get("/length_twice"), wants: is(body("body"), header("Content-Length", "4"))},
			{name: "length missed", request: get("/length_too_little"), wants: is(body("five\n"), cut())},

			{name: "raise in mid-answer", request: get("/raise_mid"), wants: is(status(200), body("one\n"), ending(apachetest.NoTerminator))},
			{name: "raise in mid-answer with a length", request: get("/raise_mid_length"), wants: is(status(200), body("one\n"), ending(apachetest.Cut))},
			{name: "raise after write", request: get("/raise_after_write"), wants: is(status(200), body("one\n"), cut())},

			{name: "write and list", request: get("/write"), wants: is(body("one\ntwo\nthree\n"))},
			{name: "write of nothing commits", request: get("/write_nothing"), wants: is(status(200), body("RuntimeError"))},
			{name: "write while iterating", request: get("/write_in_iteration"), wants: is(body("one\ntwo\nthree\nfour\n"))},
			{name: "write takes bytes only", request: get("/write_wrong_type"), wants: is(body("TypeError TypeError TypeError TypeError TypeError"))},
			{name: "write returns None", request: get("/write_returns"), wants: is(body("xNone"))},
			{name: "second start_response", request: get("/second_start"), wants: is(status(202), header("X-First"), header("X-Second", "2"))},
			{name: "second start_response with exc_info", request: get("/second_start_with_exc_info"), wants: is(status(503), reason("Busy"), header("X-First"), body("recovered"))},
			{name: "second start_response after write", request: get("/second_start_after_write"), wants: is(status(200), body("one\nRuntimeError"))},
			{name: "exc_info after write", request: get("/exc_info_after_write"), wants: is(status(200), body("one\nraised 'mine'"))},
			{name: "a rejected start_response changes nothing", request: get("/rejected_start_keeps_the_first"), wants: is(status(200), header("X-First", "1"))},
			{name: "the headers are copied", request: get("/list_is_copied"), wants: is(header("X-A", "1"), header("X-B"))},

			{name: "own phrase", request: get("/status?200+Very+Well"), wants: is(status(200), reason("Very Well"))},
			{name: "no phrase", request: get("/status?200"), wants: is(status(200))},
			{name: "unknown status", request: get("/status?299+Odd"), wants: is(status(299), reason("Odd"))},
			{name: "status 599", request: get("/status?599+Odd"), wants: is(status(599), reason("Odd"))},
			{name: "status 999", request: get("/status?999+Odd"), wants: is(status(999))},
			{name: "status 204", request: get("/status?204+No+Content"), wants: is(status(204), body(""))},
			{name: "status 304", request: get("/status?304+Not+Modified"), wants: is(status(304), body(""))},
			{name: "status 404", request: get("/status?404+Not+Found"), wants: is(status(404), body("body"))},
			{name: "status 500", request: get("/status?500+Mine"), wants: is(status(500), reason("Mine"), body("body"))},
			{name: "duplicate headers", request: get("/duplicates"), wants: is(header("Set-Cookie", "a=1", "b=2")), embedded: is(header("X-A", "1", "2")), daemon: is(header("X-A", "1, 2"))},
			{name: "latin-1", request: get("/latin1"), wants: is(reason("Gr\xfc\xdfe"), header("X-Latin", "caf\xe9"))},
			{name: "no content type", request: get("/no_type"), wants: is(status(200), header("Content-Type"))},
			{name: "two content types", request: get("/two_types"), embedded: is(header("Content-Type", "Text/B; charset=X")), daemon: is(header("Content-Type", "text/b; charset=X"))},
			{name: "redirect", request: get("/redirect"), wants: is(status(302), header("Location", "/elsewhere"))},
			{name: "Location with 200", request: get("/location_with_200"), embedded: is(status(200), header("Location", "/results/list"), body("here")), daemon: is(status(500))}, // there is no /results/list
			{name: "local redirect", request: get("/local_redirect"), embedded: is(status(200), header("Location", "/list?local"), body("here")), daemon: is(status(200), header("Location"), body("one\ntwo\n"))},
			{name: "local redirect of a POST", request: post("/local_redirect", "a body"), daemon: is(status(200), header("Location"), body("one\ntwo\n"))},
			{name: "Status header", request: get("/status_header"), embedded: is(status(200), header("Status", "404 Not Found")), daemon: is(status(404), header("Status"), body("body"))},
			{name: "Connection close", request: apachetest.Request{Target: "/connection_close", KeepAlive: true}, wants: is(header("Connection", "close"))},
			{name: "own Server header", request: get("/own_server_and_date"), wants: is(header("X-Other", "1"))},
			{name: "tab in a value", request: get("/tab_in_value"), wants: is(header("X-Tab", "a\tb"))},
			{name: "control character in a value", request: get("/control_in_value"), wants: is(status(500))},
			{name: "odd header name", request: get("/odd_name"), wants: is(status(500))},
			{name: "Last-Modified and ETag", request: get("/last_modified"), wants: is(header("ETag", `"abc"`), header("Last-Modified", "Tue, 01 Jan 2019 00:00:00 GMT"))},
			{name: "two challenges", request: get("/www_authenticate"), wants: is(status(401), header("WWW-Authenticate", `Basic realm="x"`, `Digest realm="y"`), body("who?"))},
			{name: "own chunked framing", request: get("/own_chunks"), wants: is(body("body"), ending(apachetest.Complete))},

			{name: "HEAD with a length", request: head("/length_and_method"), wants: is(status(200), header("Content-Length", "4"), body(""))},
			{name: "HEAD of a list", request: head("/list"), wants: is(status(200), body(""))},
			{name: "HEAD of a generator", request: head("/generator"), wants: is(status(200), body(""))},
			{name: "HEAD of an empty list", request: head("/empty"), wants: is(status(200))},
			{name: "HEAD that raises", request: head("/raise_before"), wants: is(status(500))},
			{name: "HEAD 204", request: head("/status?204+No+Content"), wants: is(status(204))},
		},
	}.run(t)
}

func largeBody() string {
	var b strings.Builder
	for n := range 10 {
		b.WriteString(strings.Repeat(string(rune('A'+n)), 100000))
	}
	return b.String()
}

func TestBlocksAreSentWhenTheyAreYielded(t *testing.T) {
	forEachModule(t, "WSGIScriptAlias / {{.Root}}/slow.wsgi\nWSGIApplicationGroup %{GLOBAL}\n", map[string]string{"slow.wsgi": `
import os

def application(environ, start_response):
    gate = environ["QUERY_STRING"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/write":
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"first|")
        open(gate).read()  # a FIFO: waits until the client has seen the block
        write(b"second|")
        return []
    def blocks():
        yield b"first|"
        open(gate).read()
        yield b"second|"
    return blocks()
`}, func(t *testing.T, s *apachetest.Server) {
		for _, path := range []string{"/yield", "/write"} {
			gate := makeFIFO(t, s)
			c := s.Dial(t)
			c.Send("GET " + path + "?" + gate + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			c.ReadUntil("first|")
			openGate(t, gate)
			c.ReadUntil("second|")
		}
	})
}

func TestManyRequestsShareAConnection(t *testing.T) {
	forEachModule(t, "WSGIScriptAlias / {{.Apps}}/results.wsgi\nWSGIApplicationGroup %{GLOBAL}\n", nil, func(t *testing.T, s *apachetest.Server) {
		c := s.Dial(t)
		request := "GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
		order := []string{"list", "empty", "length_exact", "status?204+No+Content", "length_too_much", "generator", "raise_before", "large", "list"}
		wanted := []string{"one\ntwo\n", "", "abcdef", "", "abc", "one\ntwo\n", "", largeBody(), "one\ntwo\n"}
		for _, path := range order { // all at once: pipelined
			if path == "raise_before" {
				continue // Apache closes after a 500
			}
			c.Send(strings.ReplaceAll(request, "%s", path))
		}
		for n, path := range order {
			if path == "raise_before" {
				continue
			}
			if r := c.Read("GET"); string(r.Body) != wanted[n] || r.Ending != apachetest.Complete {
				t.Fatalf("%s: %.300s", path, r)
			}
		}
	})
}

func TestAnswerThatFailsIsCutAtOnceAndNotAfterATimeout(t *testing.T) {
	inSettings(t, both([]apachetest.MPM{apachetest.Event}, singles), func(t *testing.T, in setting) {
		s := apachetest.Start(t, in.of(apachetest.Config{Conf: "WSGIScriptAlias / {{.Apps}}/results.wsgi\nKeepAliveTimeout 15\n"}))
		for _, path := range []string{"/raise_mid", "/raise_mid_length", "/raise_after_write", "/length_too_little"} {
			start := time.Now()
			r := s.Do(t, apachetest.Request{Target: path, KeepAlive: true, Wait: 14 * time.Second})
			if r.Ending != apachetest.Cut && r.Ending != apachetest.NoTerminator {
				t.Errorf("%s is not cut:\n%s", path, r)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%s: the client waited %v", path, took)
			}
		}
	})
}
