package gatewaytest

import (
	"strings"
	"testing"
)

// evaluator answers with what an expression says; sr is start_response after nothing, written is one after the headers are out.
const evaluator = `
	class S(str): pass
	class L(list): pass
	class T(tuple): pass
	def error():
		try:
			raise KeyError("original")
		except KeyError:
			import sys
			return sys.exc_info()
	def application(environ, start_response):
		sr = start_response
		if "committed" in environ:
			sr("200 OK", [])(b"")
		try:
			said = "fine"
			eval(environ["call"])
		except BaseException as problem:
			said = type(problem).__name__
			if "text" in environ:
				said += " " + str(problem)
		try:
			sr("200 OK", [])
		except RuntimeError:
			pass
		return [said.encode()]
`

func TestStartResponseChecksItsArguments(t *testing.T) {
	r := request(t, evaluator)
	for call, want := range map[string]string{
		`sr()`:                            "TypeError",
		`sr("200 OK")`:                    "TypeError",
		`sr("200 OK", [], None, None)`:    "TypeError",
		`sr(status="200 OK", headers=[])`: "TypeError",
		`sr("200 OK", headers=[])`:        "TypeError",
		`sr("200 OK", [])`:                "fine",
		`sr("200 OK", L())`:               "fine",
		`sr("200 OK", ())`:                "TypeError",
		`sr("200 OK", {})`:                "TypeError",
		`sr("200 OK", None)`:              "TypeError",
		`sr("200 OK", "")`:                "TypeError",
		`sr("200 OK", iter([]))`:          "TypeError",
		`sr("200 OK", [], None)`:          "fine",
		`sr("200 OK", [], 1)`:             "RuntimeError",
		`sr("200 OK", [], [])`:            "RuntimeError",
		`sr("200 OK", [], (1, 2))`:        "fine", // looked at only once the headers are out
		`sr("200 OK", [], ())`:            "fine",
		`sr("200 OK", [], error())`:       "fine",
		// headers before exc_info before status
		`sr(b"", (), 1)`: "TypeError",
		`sr(b"", [], 1)`: "RuntimeError",
		// status
		`sr(b"200 OK", [])`:               "TypeError",
		`sr(200, [])`:                     "TypeError",
		`sr(None, [])`:                    "TypeError",
		`sr(S("200 OK"), [])`:             "fine",
		`sr("200 \u0100", [])`:            "UnicodeEncodeError",
		`sr("200 \ud800", [])`:            "UnicodeEncodeError",
		`sr("200 \xe4\xff", [])`:          "fine",
		`sr("", [])`:                      "ValueError",
		`sr("20", [])`:                    "ValueError",
		`sr("OK", [])`:                    "ValueError",
		`sr("20x OK", [])`:                "ValueError",
		`sr(" 200 OK", [])`:               "ValueError",
		`sr("-20 OK", [])`:                "ValueError",
		`sr("2000", [])`:                  "ValueError",
		`sr("200OK", [])`:                 "ValueError",
		`sr("200\tOK", [])`:               "ValueError",
		`sr("200\n", [])`:                 "ValueError",
		`sr("\u0662\u0660\u0660 OK", [])`: "UnicodeEncodeError",
		`sr("200 a\r\nX: y", [])`:         "ValueError",
		`sr("200 a\0", [])`:               "ValueError",
		`sr("200 a\x1f", [])`:             "ValueError",
		`sr("200 a\x7f", [])`:             "ValueError",
		`sr("200 a\t", [])`:               "ValueError",
		`sr("200", [])`:                   "fine",
		`sr("200 ", [])`:                  "fine",
		`sr("999 Odd", [])`:               "fine",
		`sr("000 None", [])`:              "fine",
		// headers
		`sr("200 OK", [["A", "b"]])`:           "TypeError",
		`sr("200 OK", ["Ab"])`:                 "TypeError",
		`sr("200 OK", [None])`:                 "TypeError",
		`sr("200 OK", [T(("A", "b"))])`:        "fine",
		`sr("200 OK", [()])`:                   "ValueError",
		`sr("200 OK", [("A",)])`:               "ValueError",
		`sr("200 OK", [("A", "b", "c")])`:      "ValueError",
		`sr("200 OK", [(b"A", "b")])`:          "TypeError",
		`sr("200 OK", [("A", b"b")])`:          "TypeError",
		`sr("200 OK", [("A", 1)])`:             "TypeError",
		`sr("200 OK", [("A", None)])`:          "TypeError",
		`sr("200 OK", [(S("A"), S("b"))])`:     "fine",
		`sr("200 OK", [("\u0100", "b")])`:      "UnicodeEncodeError",
		`sr("200 OK", [("A", "\u0100")])`:      "UnicodeEncodeError",
		`sr("200 OK", [("A", "\xe4")])`:        "fine",
		`sr("200 OK", [("", "b")])`:            "ValueError",
		`sr("200 OK", [("A B", "b")])`:         "ValueError",
		`sr("200 OK", [("A\t", "b")])`:         "ValueError",
		`sr("200 OK", [("A\n", "b")])`:         "ValueError",
		`sr("200 OK", [("A\0", "b")])`:         "ValueError",
		`sr("200 OK", [("A\x7f", "b")])`:       "ValueError",
		`sr("200 OK", [("A", "b\n")])`:         "ValueError",
		`sr("200 OK", [("A", "b\rc")])`:        "ValueError",
		`sr("200 OK", [("A", "b\0c")])`:        "ValueError",
		`sr("200 OK", [("A", "b\tc\x01")])`:    "fine",
		`sr("200 OK", [("A", "")])`:            "fine",
		`sr("200 OK", [("A", "b"), ("B", 1)])`: "TypeError",
		// write
		`sr("200 OK", [])("text")`:          "TypeError",
		`sr("200 OK", [])(None)`:            "TypeError",
		`sr("200 OK", [])(bytearray(b""))`:  "TypeError",
		`sr("200 OK", [])(memoryview(b""))`: "TypeError",
		`sr("200 OK", [])()`:                "TypeError",
		`sr("200 OK", [])(b"", b"")`:        "TypeError",
		`sr("200 OK", [])(data=b"")`:        "TypeError",
		`type(sr.__self__)()`:               "TypeError", // nobody else makes one
	} {
		r.Environ = []string{"call=" + call}
		if a := run(t, r); a.Result != Answered || a.Status != 200 || a.Body != want {
			t.Errorf("%s: want %s\n%s", call, want, a)
		}
	}
}

func TestStartResponseAfterTheHeadersRaisesWhatItIsGiven(t *testing.T) {
	r := request(t, evaluator)
	for call, want := range map[string]string{
		`sr("200 OK", [])`:                                           "RuntimeError start_response was called again after the headers were sent",
		`sr("200 OK", [], None)`:                                     "RuntimeError start_response was called again after the headers were sent",
		`sr("200 OK", [], error())`:                                  "KeyError 'original'",
		`sr(b"nonsense", [], error())`:                               "KeyError 'original'",
		`sr("200 OK", [], (ValueError, "text", None))`:               "ValueError text",
		`sr("200 OK", [], (ValueError, ValueError("object"), None))`: "ValueError object",
		`sr("200 OK", [], (ValueError, None, None))`:                 "ValueError ",
		`sr("200 OK", (), error())`:                                  "TypeError headers must be a list, not tuple",
	} {
		r.Environ = []string{"call=" + call, "committed=", "text="}
		if a := run(t, r); a.Result != Answered || a.Status != 200 || a.Body != want {
			t.Errorf("%s: want %s\n%s", call, want, a)
		}
	}
	for _, triple := range []string{`()`, `(1, 2)`, `(1, 2, 3, 4)`, `(1, 2, 3)`, `(None, None, None)`, `(int, 1, None)`,
		`("KeyError", "x", None)`, `(KeyError("x"), None, None)`, `(KeyError, KeyError("x"), "traceback")`, `(KeyError, KeyError("x"), 7)`} {
		r.Environ = []string{`call=sr("200 OK", [], ` + triple + ")", "committed="}
		if a := run(t, r); a.Result != Answered || a.Body != "TypeError" {
			t.Errorf("%s: want TypeError\n%s", triple, a)
		}
	}
}

func TestWhatIsRejectedChangesNothing(t *testing.T) {
	r := request(t, `
		def application(environ, start_response):
			headers = [("A", "1")]
			start_response("201 Created", headers)
			headers[0] = ("A", "2")
			headers.append(("B", "2"))
			for bad in (("x", []), ("202 Accepted", [("A", 1)])):
				try:
					start_response(*bad)
				except (TypeError, ValueError):
					pass
			return [b""]
	`)
	a := run(t, r)
	if a.Status != 201 || a.Line != "201 Created" || strings.Join(a.Headers, ",") != "A: 1" {
		t.Error(a)
	}
}

func TestTheLastStartResponseBeforeTheHeadersCounts(t *testing.T) {
	r := request(t, `
		def application(environ, start_response):
			start_response("500 First", [("A", "1"), ("B", "1")])
			start_response("200 Second", [("C", "1"), ("c", "2"), ("Content-Type", "x/y")])
			return [b"ok"]
	`)
	a := run(t, r)
	expect(t, a, "ok")
	if a.Line != "200 Second" || strings.Join(a.Headers, ",") != "C: 1,c: 2,Content-Type: x/y" || a.Trace != "begin header header header write:2" {
		t.Error(a)
	}
}

func TestNoStartResponseIsAFailure(t *testing.T) {
	for name, result := range map[string]string{"list": `[b"x"]`, "empty list": `[]`, "generator": `iter([b"x"])`, "empty": `iter(())`,
		"wrapper": `environ["wsgi.file_wrapper"](open("/etc/passwd", "rb"))`} {
		r := request(t, "\tdef application(environ, start_response):\n\t\treturn "+result)
		a := run(t, r)
		if a.Result != 500 || a.Trace != "" {
			t.Errorf("%s: %s", name, a)
		}
		expectLog(t, a, "WSGI0174", "RuntimeError: the application sent a body, or ended, without having called start_response")
	}
}
