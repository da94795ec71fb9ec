package integration

import (
	"net/url"
	"testing"

	"modwsgi/module/apachetest"
)

// What start_response accepts, call by call: reference runtime.md, 2.2. The answers are the values or the exceptions' types,
// one line for each expression.

func evaluate(expressions string) apachetest.Request {
	return apachetest.Request{Target: "/check?" + url.PathEscape(expressions)}
}

// raw leaves the whole answer to the expressions.
func raw(expressions string) apachetest.Request {
	return apachetest.Request{Target: "/raw?" + url.PathEscape(expressions)}
}

func TestStartResponseChecksItsArguments(t *testing.T) {
	rejected := func(name, call, exception string) testCase {
		return testCase{name: name, request: evaluate(call), wants: is(status(200), body(exception+"\n"))}
	}
	accepted := func(name, call string) testCase {
		return testCase{name: name, request: evaluate(call + " and None"), wants: is(status(200), bodyLacks("Error"))}
	}
	group{
		name:   "start_response",
		config: apachetest.Config{Conf: "WSGIScriptAlias / {{.Apps}}/evaluate.wsgi\nWSGIApplicationGroup %{GLOBAL}\n"},
		cases: []testCase{
			rejected("no arguments", `sr()`, "TypeError"),
			rejected("one argument", `sr("200 OK")`, "TypeError"),
			rejected("four arguments", `sr("200 OK", [], None, None)`, "TypeError"),
			rejected("keywords", `sr(status="200 OK", headers=[])`, "TypeError"),
			rejected("headers a tuple", `sr("200 OK", ())`, "TypeError"),
			rejected("headers a dict", `sr("200 OK", {})`, "TypeError"),
			rejected("headers a str", `sr("200 OK", "A: b")`, "TypeError"),
			rejected("headers None", `sr("200 OK", None)`, "TypeError"),
			accepted("headers a subclass of list", `sr("200 OK", type("L", (list,), {})())`),
			accepted("exc_info None", `sr("200 OK", [], None)`),
			accepted("exc_info any tuple before the commit", `sr("200 OK", [], (1, 2))`),
			rejected("exc_info a list", `sr("200 OK", [], [])`, "RuntimeError"),
			rejected("exc_info a number", `sr("200 OK", [], 1)`, "RuntimeError"),
			rejected("status bytes", `sr(b"200 OK", [])`, "TypeError"),
			rejected("status a number", `sr(200, [])`, "TypeError"),
			rejected("status None", `sr(None, [])`, "TypeError"),
			rejected("status not latin-1", `sr("200 \u20ac", [])`, "UnicodeEncodeError"),
			rejected("status empty", `sr("", [])`, "ValueError"),
			rejected("status without a number", `sr("OK", [])`, "ValueError"),
			rejected("status two digits", `sr("20 OK", [])`, "ValueError"),
			rejected("status four digits", `sr("2000 OK", [])`, "ValueError"),
			rejected("status without a blank", `sr("200-OK", [])`, "ValueError"),
			rejected("status leading blank", `sr(" 200 OK", [])`, "ValueError"),
			rejected("status with a line feed", `sr("200 O\nK", [])`, "ValueError"),
			rejected("status with a carriage return", `sr("200 OK\r", [])`, "ValueError"),
			rejected("status with a tab", `sr("200 O\tK", [])`, "ValueError"),
			rejected("status with DEL", `sr("200 O\x7fK", [])`, "ValueError"),
			accepted("status without a phrase", `sr("200", [])`),
			accepted("status with an empty phrase", `sr("200 ", [])`),
			accepted("status latin-1", `sr("200 Gr\u00fc\u00df", [])`),
			accepted("status 999", `sr("999 Odd", [])`),
			rejected("header a list", `sr("200 OK", [["A", "b"]])`, "TypeError"),
			rejected("header a str", `sr("200 OK", ["A: b"])`, "TypeError"),
			rejected("header None", `sr("200 OK", [None])`, "TypeError"),
			rejected("header of one", `sr("200 OK", [("A",)])`, "ValueError"),
			rejected("header of three", `sr("200 OK", [("A", "b", "c")])`, "ValueError"),
			accepted("header a subclass of tuple", `sr("200 OK", [type("T", (tuple,), {})(("A", "b"))])`),
			rejected("name bytes", `sr("200 OK", [(b"A", "b")])`, "TypeError"),
			rejected("name None", `sr("200 OK", [(None, "b")])`, "TypeError"),
			rejected("value bytes", `sr("200 OK", [("A", b"b")])`, "TypeError"),
			rejected("value a number", `sr("200 OK", [("A", 1)])`, "TypeError"),
			rejected("value None", `sr("200 OK", [("A", None)])`, "TypeError"),
			rejected("name not latin-1", `sr("200 OK", [("\u20ac", "b")])`, "UnicodeEncodeError"),
			rejected("value not latin-1", `sr("200 OK", [("A", "\u20ac")])`, "UnicodeEncodeError"),
			rejected("name empty", `sr("200 OK", [("", "b")])`, "ValueError"),
			rejected("name with a blank", `sr("200 OK", [("A B", "c")])`, "ValueError"),
			rejected("name with a line feed", `sr("200 OK", [("A\n", "c")])`, "ValueError"),
			rejected("name with a control character", `sr("200 OK", [("A\x01", "c")])`, "ValueError"),
			rejected("value with a line feed", `sr("200 OK", [("A", "b\nC: d")])`, "ValueError"),
			rejected("value with a carriage return", `sr("200 OK", [("A", "b\rC: d")])`, "ValueError"),
			accepted("value empty", `sr("200 OK", [("A", "")])`),
			accepted("value with a tab", `sr("200 OK", [("A", "b\tc")])`),
			accepted("value latin-1", `sr("200 OK", [("A", "\u00e9")])`),
			accepted("hop-by-hop header", `sr("200 OK", [("Connection", "close")])`),
			rejected("the second of two is wrong", `sr("200 OK", [("A", "b"), ("C", 1)])`, "TypeError"),
			{name: "returns a callable", request: evaluate(`callable(sr("200 OK", []))`), wants: is(body("True\n"))},
			{name: "write without arguments", request: evaluate(`sr("200 OK", [])()`), wants: is(body("TypeError\n"))},
			{name: "after the commit with exc_info of two", request: raw(`sr("200 OK", [])(b"x");sr("500 Late", [], (1, 2))`), wants: is(bodyHas("x"), cut())},
			{name: "kept for later", request: evaluate(`kept.update(sr=sr, write=sr("200 OK", []), i=i, e=e, environ=environ)`), wants: is(body("None\n"))},
			{name: "start_response after its request", request: evaluate(`"sr" in kept and kept["sr"]("200 OK", [])`), wants: is(bodyOneOf("RuntimeError\n", "False\n")), ignore: otherProcess},
			{name: "write after its request", request: evaluate(`"sr" in kept and kept["write"](b"x")`), wants: is(bodyOneOf("RuntimeError\n", "False\n")), ignore: otherProcess},
			{name: "input after its request", request: evaluate(`"i" in kept and kept["i"].read();"i" in kept and kept["i"].readline();"i" in kept and next(kept["i"])`), wants: is(bodyOneOf("RuntimeError\nRuntimeError\nRuntimeError\n", "False\nFalse\nFalse\n")), ignore: otherProcess},
			{name: "errors after its request", request: evaluate(`"e" in kept and kept["e"].write("x\n")`), wants: is(bodyOneOf("RuntimeError\n", "False\n")), ignore: otherProcess},
		},
	}.run(t)
}

// otherProcess is what depends on where the next request comes to, when there are several processes.
var otherProcess = []string{"body", "header:content-length"}

func bodyOneOf(texts ...string) want {
	return func(e apachetest.Exchange) string {
		return complaint(!contains(texts, string(e.Body)), "unexpected body")
	}
}
