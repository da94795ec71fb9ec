package gatewaytest

import (
	"fmt"
	"strings"
	"testing"
)

// results answers with what an expression yields; notes end in the log.
const results = `
	import io, itertools, sys
	class Closing:
		"""An iterable that notes its end."""
		def __init__(self, items, fails=None, error=None):
			self.items, self.fails, self.error = items, fails, error
		def __iter__(self):
			return iter(self.items)
		def close(self):
			print("closed", file=errors)
			if self.error:
				raise self.error
	class Iterator(Closing):
		def __iter__(self):
			self.rest = iter(self.items)
			return self
		def __next__(self):
			return next(self.rest)
	class IteratorOnly:
		def __init__(self, items): self.rest = iter(items)
		def __next__(self): return next(self.rest)
		def close(self): print("closed", file=errors)
	class Indexed:
		def __getitem__(self, i): return [b"a", b"b", b"c"][i]
	class BadLookup(Closing):
		@property
		def close(self): raise KeyError("lookup")
	class B(bytes): pass
	class ListB(list):
		def close(self): print("closed", file=errors)
	class TupleB(tuple):
		def close(self): print("closed", file=errors)
	def generator(*items):
		try:
			for item in items:
				if isinstance(item, BaseException):
					raise item
				yield item
		finally:
			print("generator ends", file=errors)
	def late(start_response):
		start_response("200 OK", headers)
		yield b"late"
	def recursive(): raise RecursionError("deep")
	def application(environ, start_response):
		global errors, headers, write
		errors = environ["wsgi.errors"]
		headers = [("Content-Length", environ["length"])] if "length" in environ else []
		if "no start_response" not in environ:
			write = start_response("200 OK", headers)
		return eval(environ["result"])
`

func TestIterablesOfEveryKind(t *testing.T) {
	r := request(t, results)
	for result, want := range map[string]struct{ body, trace, log string }{
		`[]`:                                    {"", "begin", ""},
		`()`:                                    {"", "begin", ""},
		`[b"a"]`:                                {"a", "begin write:1", ""},
		`(b"a", b"", b"bc")`:                    {"abc", "begin write:3", ""},
		`[b"", b""]`:                            {"", "begin", ""},
		`[B(b"a")]`:                             {"a", "begin write:1", ""},
		`[b"x" * 65536]`:                        {strings.Repeat("x", 65536), "begin write:65536", ""},
		`[b"x" * 65537]`:                        {strings.Repeat("x", 65537), "begin write:65537", ""},
		`[b"x" * 65536, b"", b"y"]`:             {strings.Repeat("x", 65536) + "y", "begin write:65536 write:1", ""},
		`[b"x"] * 65536`:                        {strings.Repeat("x", 65536), "begin write:65536", ""},
		`ListB([b"a", b"b"])`:                   {"ab", "begin flush:1 flush:1", "3 closed"},
		`TupleB([b"a", b"b"])`:                  {"ab", "begin flush:1 flush:1", "3 closed"},
		`Indexed()`:                             {"abc", "begin flush:1 flush:1 flush:1", ""},
		`{b"key": 1}`:                           {"key", "begin flush:3", ""},
		`iter([b"a", b"", b"b"])`:               {"ab", "begin flush:1 flush:1", ""},
		`generator(b"", b"a", b"", b"b", b"")`:  {"ab", "begin flush:1 flush:1", "3 generator ends"},
		`generator()`:                           {"", "begin", "3 generator ends"},
		`generator(b"")`:                        {"", "begin", "3 generator ends"},
		`(x for x in [b"a"])`:                   {"a", "begin flush:1", ""},
		`map(bytes.upper, [b"a"])`:              {"A", "begin flush:1", ""},
		`itertools.chain([b"a"], [b"b"])`:       {"ab", "begin flush:1 flush:1", ""},
		`io.BytesIO(b"a\nb")`:                   {"a\nb", "begin flush:2 flush:1", ""},
		`Closing([b"a"])`:                       {"a", "begin flush:1", "3 closed"},
		`Closing([])`:                           {"", "begin", "3 closed"},
		`Iterator([b"a"])`:                      {"a", "begin flush:1", "3 closed"},
		`Closing(generator(b"a"))`:              {"a", "begin flush:1", "3 generator ends\n3 closed"},
		`write(b"w") or [b"a"]`:                 {"wa", "begin flush:1 write:1", ""},
		`write(b"") or [b"a"]`:                  {"a", "begin write:1", ""},
		`write(B(b"w")) or iter([b"a"])`:        {"wa", "begin flush:1 flush:1", ""},
		`(write(x) or x for x in [b"1", b"2"])`: {"1122", "begin flush:1 flush:1 flush:1 flush:1", ""},
	} {
		r.Environ = []string{"result=" + result}
		a := run(t, r)
		if a.Result != Answered || a.Status != 200 || a.Body != want.body || a.Trace != want.trace || strings.Join(a.Log, "\n") != want.log || a.Length != -1 {
			t.Errorf("%s: want body %.100q, trace %s, log %q\n%s", result, want.body, want.trace, want.log, a)
		}
	}
	r.Environ = []string{"result=late(start_response)", "no start_response="}
	expect(t, run(t, r), "late") // a generator may call start_response as late as with its first block
}

func TestFailuresBeforeTheHeaders(t *testing.T) {
	r := request(t, results)
	for result, log := range map[string][]string{
		`1 / 0`:                           {"WSGI0174", "ZeroDivisionError was raised", "Traceback (most recent call last)", `in application`, "ZeroDivisionError: division by zero"},
		`sys.exit(3)`:                     {"WSGI0175", "SystemExit"},
		`sys.exit()`:                      {"WSGI0175"},
		`exec("raise KeyboardInterrupt")`: {"WSGI0174", "KeyboardInterrupt"},
		`exec("raise GeneratorExit")`:     {"WSGI0174", "GeneratorExit"},
		`exec("class X(BaseException):\n def __str__(self): 1/0\nraise X")`:            {"WSGI0174", "X"},
		`exec("raise ValueError('\\ud800 lone')")`:                                     {"WSGI0174", `\ud800 lone`},
		`exec("try:\n 1/0\nexcept Exception as e:\n raise KeyError('second') from e")`: {"ZeroDivisionError", "direct cause", "KeyError: 'second'"},
		`None`:                          {"WSGI0174", "TypeError"},
		`7`:                             {"WSGI0174", "TypeError"},
		`object()`:                      {"WSGI0174", "TypeError"},
		`"text"`:                        {"WSGI0174", "TypeError: the application's iterable must yield bytes, not str"},
		`b"bytes"`:                      {"WSGI0174", "TypeError: the application's iterable must yield bytes, not int"},
		`["text"]`:                      {"WSGI0174", "must yield bytes, not str"},
		`[b"a", "text"]`:                {"WSGI0174", "must yield bytes, not str"}, // a list is looked at before anything goes out
		`[b"a", None]`:                  {"WSGI0174", "NoneType"},
		`[bytearray(b"a")]`:             {"WSGI0174", "bytearray"},
		`iter([memoryview(b"a")])`:      {"WSGI0174", "memoryview"},
		`iter([""])`:                    {"WSGI0174", "must yield bytes, not str"},
		`generator(KeyError("first"))`:  {"WSGI0174", "KeyError: 'first'", "3 generator ends"},
		`generator(b"", KeyError("x"))`: {"WSGI0174", "KeyError: 'x'"},
		`generator(SystemExit(0))`:      {"WSGI0175"},
		`Closing(7)`:                    {"WSGI0174", "3 closed"},
		`Closing(["text"])`:             {"WSGI0174", "3 closed"},
		`IteratorOnly([b"a"])`:          {"WSGI0174", "TypeError", "3 closed"},
		`Closing(["text"], error=KeyError("close"))`: {"must yield bytes", "KeyError: 'close'"},
	} {
		r.Environ = []string{"result=" + result}
		a := run(t, r)
		if a.Result != 500 || a.Trace != "" {
			t.Errorf("%s: want 500 and nothing handed over\n%s", result, a)
		}
		expectLog(t, a, log...)
		for _, record := range a.Log {
			if !strings.HasPrefix(record, "3 ") {
				t.Errorf("%s: a record that is not at error level: %s", result, record)
			}
		}
	}
}

func TestFailuresAfterTheHeadersCutTheAnswer(t *testing.T) {
	r := request(t, results)
	for result, body := range map[string]string{
		`write(b"w") or 1 / 0`:                                     "w",
		`write(b"") or 1 / 0`:                                      "",
		`write(b"w") or sys.exit()`:                                "w",
		`write(b"w") or None`:                                      "w",
		`write(b"w") or ["text"]`:                                  "w",
		`generator(b"a", KeyError("x"))`:                           "a",
		`generator(b"a", SystemExit(1))`:                           "a",
		`generator(b"a", "text", b"b")`:                            "a",
		`Closing(generator(b"a", KeyError("x")))`:                  "a",
		`(x or start_response("200 OK", []) for x in [b"a", b""])`: "a",
		`(x or start_response("200 OK", [], (KeyError, KeyError("x"), None)) for x in [b"a", b""])`: "a",
	} {
		r.Environ = []string{"result=" + result}
		if a := run(t, r); a.Result != Cut || a.Status != 200 || a.Body != body || len(a.Log) == 0 {
			t.Errorf("%s: want a cut answer with body %q and a log\n%s", result, body, a)
		}
	}
}

func TestFailuresOfCloseChangeNothingButTheLog(t *testing.T) {
	r := request(t, results)
	for result, log := range map[string]string{
		`Closing([b"a"], error=KeyError("close"))`:   "WSGI0174",
		`Closing([b"a"], error=SystemExit("close"))`: "WSGI0175",
		`BadLookup([b"a"])`:                          "WSGI0194",
	} {
		r.Environ = []string{"result=" + result}
		a := run(t, r)
		expect(t, a, "a")
		expectLog(t, a, log)
	}
	r.Environ = []string{`result=Closing([b"a"], error=__import__("mod_wsgi").RequestTimeout())`}
	a := run(t, r)
	expect(t, a, "a")
	if len(a.Log) != 1 { // "closed"
		t.Error(a)
	}
}

func TestRequestTimeoutBecomes504(t *testing.T) {
	r := request(t, results)
	r.Environ = []string{`result=exec("import mod_wsgi\nraise mod_wsgi.RequestTimeout")`}
	if a := run(t, r); a.Result != Answered || a.Status != 504 || a.Line != "504 Gateway Timeout" || a.Trace != "begin" || len(a.Log) != 1 || !strings.Contains(a.Log[0], "WSGI0316") {
		t.Error(a)
	}
	r.Environ = []string{`result=generator(b"a", __import__("mod_wsgi").RequestTimeout())`}
	if a := run(t, r); a.Result != Cut || a.Status != 200 || a.Body != "a" {
		t.Error(a)
	}
}

func TestContentLengthCapsAndShortfallIsReported(t *testing.T) {
	r := request(t, results)
	for _, c := range []struct {
		length, result, body string
		announced            int64
		want                 int
	}{
		{"3", `[b"abc"]`, "abc", 3, Answered},
		{"3", `[b"abcdef"]`, "abc", 3, Answered},
		{"3", `[b"ab", b"cd", b"ef"]`, "abc", 3, Answered},
		{"0", `[b"abc"]`, "", 0, Answered},
		{"0", `[]`, "", 0, Answered},
		{"3", `generator(b"ab", b"cd", b"ef")`, "abc", 3, Answered},
		{"3", `write(b"abcd") or [b"e"]`, "abc", 3, Answered},
		{"3", `write(b"ab") or [b"cd"]`, "abc", 3, Answered},
		{"100000", `[b"x" * 65537, b"y" * 40000]`, strings.Repeat("x", 65537) + strings.Repeat("y", 34463), 100000, Answered},
		{"20", `[b"abcde"]`, "abcde", 20, Short},
		{"20", `generator(b"abc", b"de")`, "abcde", 20, Short},
		{"20", `generator()`, "", 20, Short},
		{"1", `[]`, "", 1, Short},
		{"20", `generator(b"abc", KeyError("x"))`, "abc", 20, Cut},
		{"  7", `[b"abcdefgh"]`, "abcdefg", 7, Answered},
		{"+7", `[b"abcdefgh"]`, "abcdefg", 7, Answered},
		{"", `[b"abc"]`, "", 0, Answered},
		{"9223372036854775807", `[b"abc"]`, "abc", 9223372036854775807, Short},
	} {
		r.Environ = []string{"length=" + c.length, "result=" + c.result}
		if a := run(t, r); a.Result != c.want || a.Status != 200 || a.Body != c.body || a.Length != c.announced || a.Headers != nil {
			t.Errorf("Content-Length %q of %s: want %d\n%s", c.length, c.result, c.want, a)
		}
	}
	for _, length := range []string{"-1", "abc", "3.0", "3 ", "0x10", "1,2", "9223372036854775808", "-9223372036854775809"} {
		r.Environ = []string{"length=" + length, `result=[b"abc"]`}
		a := run(t, r)
		if a.Result != 500 || a.Trace != "" {
			t.Errorf("Content-Length %q: %s", length, a)
		}
		expectLog(t, a, "ValueError", "Content-Length")
	}
	r.Environ = []string{"length=3", `result=generator(b"abcd", b"ef")`}
	a := run(t, r)
	if a.Trace != "begin length flush:3" || len(a.Log) != 1 { // and the generator came to its end
		t.Error(a)
	}
	r.Environ = []string{`result=start_response("200 OK", [("content-LENGTH", "9"), ("Content-Length", "2")]) and [b"abc"]`}
	if a := run(t, r); a.Length != 2 || a.Body != "ab" {
		t.Error("the last Content-Length counts:", a)
	}
}

func TestTheClientLeaves(t *testing.T) {
	r := request(t, results)
	r.ClientLeaves, r.ClientTakes = true, 3
	for _, c := range []struct {
		result, trace string
		want          int
		log           string
	}{
		{`[b"abcdef"]`, "begin write:6", Answered, ""},
		{`[b"x" * 40000, b"x" * 40000, b"x" * 40000]`, "begin write:40000", Answered, ""},
		{`generator(b"abcdef", b"g", b"h")`, "begin flush:6", Answered, "3 generator ends"},
		{`Closing([b"abcdef", b"g"])`, "begin flush:6", Answered, "3 closed"},
		{`write(b"abcdef")`, "begin flush:6", Answered, "OSError: mod_wsgi: could not write to the client: Broken pipe"},
	} {
		r.Environ = []string{"result=" + c.result}
		a := run(t, r)
		if a.Result != c.want || a.Trace != c.trace {
			t.Errorf("%s: want %d, trace %s\n%s", c.result, c.want, c.trace, a)
		}
		expectLog(t, a, c.log)
	}
	r = request(t, `
		def application(environ, start_response):
			write = start_response("200 OK", [("Content-Length", "100")])
			for block in (b"abcdef", b"", b"ghi"):
				try:
					write(block)
				except OSError as problem:
					print(problem, file=environ["wsgi.errors"])
			return [b"not sent"]
	`)
	r.ClientLeaves, r.ClientTakes = true, 3
	a := run(t, r)
	if a.Result != Answered || a.Trace != "begin length flush:6" || len(a.Log) != 3 {
		t.Error(a)
	}
}

func TestCallables(t *testing.T) {
	r := request(t, `
		class Application:
			def __call__(self, environ, start_response):
				start_response("200 OK", [])
				return [b"instance"]
			def method(self, environ, start_response):
				start_response("200 OK", [])
				return [b"method"]
		class Result:
			def __init__(self, environ, start_response):
				start_response("200 OK", [])
			def __iter__(self):
				return iter([b"class"])
		instance = Application()
		method = instance.method
		partial = __import__("functools").partial(Application.method, None)
		nothing = None
		def one(environ): pass
	`)
	for callable, want := range map[string]string{"instance": "instance", "method": "method", "Result": "class", "partial": "method"} {
		r.Callable = callable
		expect(t, run(t, r), want)
	}
	for callable, want := range map[string]string{"nothing": "WSGI0174", "one": "WSGI0174", "instance.method": "WSGI0089", "missing": "WSGI0089", "\xff": "WSGI0089"} {
		r.Callable = callable
		status := 500
		if want == "WSGI0089" {
			status = 404
		}
		a := run(t, r)
		if a.Result != status || a.Trace != "" {
			t.Errorf("%q: want %d\n%s", callable, status, a)
		}
		expectLog(t, a, want)
	}
}

func TestWriteTakesAMegabyte(t *testing.T) {
	r := request(t, `
		def application(environ, start_response):
			write = start_response("200 OK", [])
			for i in range(16):
				write(b"%x" % i * 65536)
			return []
	`)
	a := run(t, r)
	var want strings.Builder
	for i := range 16 {
		want.WriteString(strings.Repeat(fmt.Sprintf("%x", i), 65536))
	}
	if a.Body != want.String() || a.Result != Answered {
		t.Error("a different body; trace", a.Trace)
	}
}
