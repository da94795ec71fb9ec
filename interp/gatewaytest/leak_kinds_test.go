package gatewaytest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// leakKind is a kind of response or of failure. Its code is the body of an application; before stands in the script above it.
type leakKind struct {
	name         string
	before, code string
	result       int // of every request
	change       func(t testing.TB, r *Request)
	slow         int // one of this many requests is enough: it starts a process
}

// leakPrelude is in every script: what the applications of the table are written with.
const leakPrelude = `
import gc, io, os, signal, subprocess, sys, threading, weakref
import mod_wsgi

mod_wsgi.event_callbacks.clear()  # of the kind before

class Closing:
    def __init__(self, blocks, error=None): self.blocks, self.error = blocks, error
    def __iter__(self): return iter(self.blocks)
    def close(self):
        if self.error: raise self.error

class BadLookup(Closing):
    @property
    def close(self): raise KeyError("lookup")

class Blocks(list): pass

class Contrary:
    def __bool__(self): raise KeyError("truth")
    def __iter__(self): raise KeyError("iteration")

class Descriptor:
    def __init__(self, file): self.file = file
    def read(self, n): return self.file.read(n)
    def fileno(self): return self.file.fileno()
    def tell(self): raise OSError

class Shrinking(Descriptor):
    def tell(self):
        os.truncate(self.fileno(), 0)
        return 0
    def close(self):
        self.file.write(b"0123456789"), self.file.close()

def generator(*blocks):
    for block in blocks:
        if isinstance(block, BaseException): raise block
        yield block

def fails(exception, function, *arguments):
    try:
        function(*arguments)
    except exception:
        return
    raise AssertionError((exception, function, arguments))

def ok(start_response, *headers):
    return start_response("200 OK", [("Content-Type", "text/plain"), *headers])
`

// respond is for the kinds that are one expression: what is returned after start_response, whose write is at hand.
func respond(expression string) string {
	return "write = ok(start_response)\nreturn " + expression
}

func withBody(pieces ...Piece) func(testing.TB, *Request) {
	return func(_ testing.TB, r *Request) { r.Body = pieces }
}

func clientTakes(n int64) func(testing.TB, *Request) {
	return func(_ testing.TB, r *Request) { r.ClientLeaves, r.ClientTakes = true, n }
}

func withFile(t testing.TB, r *Request) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(strings.Repeat("0123456789", 2000)), 0o666); err != nil {
		t.Fatal(err)
	}
	r.Environ = append(r.Environ, "path="+path)
}

func reloading(_ testing.TB, r *Request) { r.Flags |= Reloading }

// changing makes the script look changed at every request: its own time is never this one.
func changing(_ testing.TB, r *Request) { r.Flags, r.ScriptMtime = r.Flags|Reloading, 1 }

func script(text string) func(testing.TB, *Request) {
	return func(t testing.TB, r *Request) { replace(t, r.Script, text) }
}

var leakResponses = []leakKind{
	{name: "list", code: respond(`[b"a", b"", b"bc"]`)},
	{name: "empty list", code: respond(`[]`)},
	{name: "tuple", code: respond(`(b"a", b"b")`)},
	{name: "large list", code: respond(`[b"x" * 70000, b"y"]`)},
	{name: "generator", code: respond(`generator(b"a", b"", b"bc")`)},
	{name: "iterable with close()", code: respond(`Closing([b"a", b"b"])`)},
	{name: "write()", code: respond(`write(b"a") or write(b"") or [b"b"]`)},
	{name: "file wrapper, regular file", code: respond(`environ["wsgi.file_wrapper"](open(environ["path"], "rb"))`), change: withFile},
	{name: "file wrapper, memory", code: respond(`environ["wsgi.file_wrapper"](io.BytesIO(b"a" * 9000))`)},
	{name: "file wrapper, no position", code: respond(`environ["wsgi.file_wrapper"](Descriptor(open(environ["path"], "rb")))`), change: withFile},
	{name: "file wrapper with Content-Length", code: `ok(start_response, ("Content-Length", "3"))
return environ["wsgi.file_wrapper"](open(environ["path"], "rb"))`, change: withFile},
	{name: "subclass of list", code: respond(`Blocks([b"a", b"b"])`)},
	{name: "Content-Length and more blocks", code: `ok(start_response, ("Content-Length", "3"))
return generator(b"ab", b"cd", b"ef")`},
	{name: "Content-Length", code: `ok(start_response, ("Content-Length", "3"))
return [b"abcdef"]`},
	{name: "many headers", code: `ok(start_response, *[("X-%d" % i, "v" * i) for i in range(20)], ("Set-Cookie", "a"), ("Set-Cookie", "b"))
return [b"a"]`},
	{name: "start_response again", code: `ok(start_response)
try:
    raise KeyError("late")
except KeyError:
    start_response("500 Oops", [("X-A", "b")], sys.exc_info())
return [b"a"]`},
	{name: "start_response in the iteration", code: `def late():
    ok(start_response)
    yield b"late"
return late()`},
	{name: "RequestTimeout", code: `raise mod_wsgi.RequestTimeout`},
	{name: "environ", code: respond(`[environ["HTTP_COOKIE"].encode("latin-1"), repr(environ["SCRIPT_FILENAME"]).encode()]`),
		change: func(_ testing.TB, r *Request) {
			r.Flags = HTTPS | Multithread | Multiprocess | RunOnce
			r.Environ = []string{"NOTHING", "HTTP_COOKIE=\xe4" + strings.Repeat("c", 3000), "SCRIPT_FILENAME=/\xc3\xa4/\xff", "DOCUMENT_ROOT=/d",
				"HTTP_" + strings.Repeat("LONG_", 50) + "=1", "HTTP_B\xc3\xa4D=1"}
			for i := range 50 {
				r.Environ = append(r.Environ, fmt.Sprintf("HTTP_X_%d=%d", i, i))
			}
		}},
	{name: "apache.request_rec", code: respond(`[repr(environ["apache.request_rec"]).encode()]`), change: func(_ testing.TB, r *Request) { r.Native = true }},
	{name: "ignored signal handler", code: respond(`signal.signal(signal.SIGTERM, lambda *_: None) and []`)},
	{name: "program", code: respond(`subprocess.run(["/bin/true"]) and []`), slow: 10},
	{name: "fork", code: `pid = os.fork()
if not pid:
    os._exit(0)
os.waitpid(pid, 0)
return [ok(start_response) and b"a"]`, change: func(_ testing.TB, r *Request) { r.Group = "" }, slow: 10},
	{name: "body", code: `i = environ["wsgi.input"]
body = [i.read(0), i.read(2), i.readline(), i.readline(3), *i.readlines(10), next(i), i.read(1), i.read()]
i.close()
ok(start_response)
return body + [i.read()]`, change: withBody(Piece{Now, "abcd\nefgh\nijkl\nmno", 0}, Piece{Late, "p\nqrs\ntuv\nwxyz\n", 0}, Piece{Late, strings.Repeat("x", 9000), 0})},
	{name: "body of unknown length", code: respond(`[environ["wsgi.input"].read()]`), change: func(_ testing.TB, r *Request) {
		r.UnknownLength, r.Body = true, []Piece{{Now, strings.Repeat("x", 9000), 0}, {Late, strings.Repeat("y", 9000), 0}}
	}},
	{name: "body by lines", code: respond(`list(environ["wsgi.input"])`), change: withBody(Piece{Now, strings.Repeat("a line\n", 20), 0}, Piece{Late, strings.Repeat("x", 20000), 0})},
	{name: "body not read", code: respond(`[b"a"]`), change: withBody(Piece{Now, "abcd", 0})},
	{name: "body read half", code: respond(`[environ["wsgi.input"].readline()]`), change: withBody(Piece{Now, "abcd\nefgh\n", 0})},
	{name: "logs", code: `e = environ["wsgi.errors"]
print("a line", file=e)
e.write("two\nlines\nand"), e.flush()
e.buffer.write(b"bytes\n"), e.buffer.writelines([b"a", bytearray(b"b\n")])
fails(OSError, e.fileno)
(e.buffer.name, e.buffer.closed, e.buffer.encoding, e.buffer.errors, e.isatty())
print("unfinished", end="", file=e)
print("stdout"), print("stderr", file=sys.stderr)
e.write("x" * 9000)
return [ok(start_response) and b"a"]`},
	{name: "closed log", code: `e = environ["wsgi.errors"]
e.write("a"), e.buffer.close()
fails(RuntimeError, e.buffer.write, b"b")
return [ok(start_response) and b"a"]`},
	{name: "kept after the request", before: `kept = None`, code: `global kept
if kept:
    start, write, i, e = kept
    fails(RuntimeError, start, "200 OK", []), fails(RuntimeError, write, b"a"), fails(RuntimeError, i.read)
    fails(RuntimeError, i.readline), fails(RuntimeError, next, i), fails(RuntimeError, e.buffer.write, b"a")
kept = (start_response, ok(start_response), environ["wsgi.input"], environ["wsgi.errors"])
return [b"a"]`},
	{name: "cycle", code: `environ["cycle"] = [environ, start_response, environ["wsgi.input"], environ["wsgi.errors"]]
return [ok(start_response) and b"a"]`},
	{name: "thread", code: `said = []
def work():
    said.append(environ["wsgi.input"].read())
    print("from a thread", file=environ["wsgi.errors"])
    ok(start_response)(b"a")
thread = threading.Thread(target=work)
thread.start(), thread.join()
return said`, change: withBody(Piece{Late, "abcd", 0})},
	{name: "reload_required", before: "def reload_required(resource): return False", code: respond(`[b"a"]`), change: reloading},
	{name: "main interpreter", code: `print("a line", file=environ["wsgi.errors"])
ok(start_response)
return generator(environ["wsgi.input"].read(), b"b")`, change: func(_ testing.TB, r *Request) { r.Group, r.Body = "", []Piece{{Late, "a", 0}} }},
}

var leakFailures = []leakKind{
	{name: "exception", code: `raise KeyError("x")`, result: 500},
	{name: "exception with a cause", code: `try:
    1 / 0
except Exception as problem:
    raise KeyError("second") from problem`, result: 500},
	{name: "exception in a group of lone surrogates", code: `raise ValueError("\ud800")`, result: 500},
	{name: "exception that can't be shown", before: `class Mute(BaseException):
    def __str__(self): raise KeyError("str")
    __repr__ = __str__`, code: `raise Mute`, result: 500},
	{name: "KeyboardInterrupt", code: `raise KeyboardInterrupt`, result: 500},
	{name: "SystemExit", code: `sys.exit(3)`, result: 500},
	{name: "exception before the first block", code: respond(`generator(KeyError("x"))`), result: 500},
	{name: "exception after a block", code: respond(`generator(b"a", KeyError("x"))`), result: Cut},
	{name: "SystemExit after write()", code: respond(`write(b"a") or sys.exit()`), result: Cut},
	{name: "RequestTimeout after a block", code: respond(`generator(b"a", mod_wsgi.RequestTimeout())`), result: Cut},
	{name: "exception in close()", code: respond(`Closing([b"a"], KeyError("close"))`)},
	{name: "RequestTimeout in close()", code: respond(`Closing([b"a"], mod_wsgi.RequestTimeout())`)},
	{name: "exception in the look-up of close()", code: respond(`BadLookup([b"a"])`)},
	{name: "close that is not callable", before: "class Odd(Closing): close = 7", code: respond(`Odd([b"a"])`)},
	{name: "exception in __iter__()", code: respond(`Contrary()`), result: 500},
	{name: "None", code: respond(`None`), result: 500},
	{name: "str", code: respond(`"text"`), result: 500},
	{name: "list of str", code: respond(`[b"a", "text"]`), result: 500},
	{name: "str after a block", code: respond(`generator(b"a", "text")`), result: Cut},
	{name: "no start_response", code: `return [b"a"]`, result: 500},
	{name: "no start_response, generator", code: `return Closing([b"", b"a"])`, result: 500},
	{name: "no start_response, empty generator", code: `return Closing([b""])`, result: 500},
	{name: "no start_response, file", code: `return environ["wsgi.file_wrapper"](open(environ["path"], "rb"))`, result: 500, change: withFile},
	{name: "file of text", code: respond(`environ["wsgi.file_wrapper"](io.StringIO("text"))`), result: 500},
	{name: "file that shrinks", code: respond(`environ["wsgi.file_wrapper"](Shrinking(open(environ["path"], "r+b")))`), result: Cut, change: withFile},
	{name: "short generator", code: `ok(start_response, ("Content-Length", "3"))
return generator(b"a", b"b")`, result: Short},
	{name: "bad Content-Length", code: `ok(start_response, ("Content-Length", "x"))
return [b"a"]`, result: 500},
	{name: "short answer", code: `ok(start_response, ("Content-Length", "3"))
return [b"a"]`, result: Short},
	{name: "what start_response refuses", code: `for status in (200, "", "20", "2000 OK", "200OK", "200 \n", "200 \u4e2d", b"200 OK"):
    fails((TypeError, ValueError), start_response, status, [])
for header in ((), ("a",), ["a", "b"], ("a", 1), (1, "a"), ("", "a"), ("a b", "c"), ("a\n", "b"), ("a", "b\r"), ("\u4e2d", "b"), ("a", "\u4e2d")):
    fails((TypeError, ValueError), start_response, "200 OK", [("A", "b"), header])
fails(TypeError, start_response, "200 OK")
fails(TypeError, start_response, "200 OK", ())
fails(RuntimeError, start_response, "200 OK", [], 1)
write = ok(start_response)
fails(TypeError, write, "text")
write(b"a")
fails(RuntimeError, start_response, "200 OK", [])
for exc_info in ((), (1, 2, 3), (KeyError, 1), (KeyError, None, 7)):
    fails(TypeError, start_response, "200 OK", [], exc_info)
try:
    1 / 0
except ZeroDivisionError:
    fails(ZeroDivisionError, start_response, "200 OK", [], sys.exc_info())
fails(KeyError, start_response, "200 OK", [], (KeyError, KeyError("x"), None))
return []`},
	{name: "what wsgi.input refuses", code: `i = environ["wsgi.input"]
for method in (i.read, i.readline, i.readlines):
    fails(TypeError, method, "x"), fails(TypeError, method, 1, 2), fails(OverflowError, method, 1 << 70)
ok(start_response)
return []`},
	{name: "what wsgi.errors refuses", code: `e = environ["wsgi.errors"]
fails(TypeError, e.write, b"a"), fails(TypeError, e.buffer.write, 1), fails(TypeError, e.buffer.writelines, 1)
fails(TypeError, e.buffer.writelines, [b"a", 1]), fails(TypeError, type(e.buffer))
e.buffer.write("text, which is deprecated\n")
ok(start_response)
return []`},
	{name: "body that can't be read", code: `i = environ["wsgi.input"]
fails(OSError, i.read), fails(OSError, i.readline), fails(OSError, i.readlines), fails(OSError, next, i)
ok(start_response)
return []`, change: withBody(Piece{Now, "abcd", 0}, Piece{Fail, "reset", 0})},
	{name: "body that breaks off in a line", code: `i = environ["wsgi.input"]
fails(OSError, i.readline), fails(OSError, i.readlines)
ok(start_response)
return []`, change: withBody(Piece{Now, strings.Repeat("x", 9000), 0}, Piece{Fail, "reset", 0})},
	{name: "client leaves a list", code: respond(`[b"abcdef"]`), change: clientTakes(3)},
	{name: "client leaves a large list", code: respond(`[b"x" * 40000] * 3`), change: clientTakes(3)},
	{name: "client leaves a generator", code: respond(`generator(b"abcdef", b"g")`), change: clientTakes(3)},
	{name: "client leaves write()", code: `write = ok(start_response)
fails(OSError, write, b"abcdef"), fails(OSError, write, b"g")
return []`, change: clientTakes(3)},
	{name: "client leaves a file", code: respond(`environ["wsgi.file_wrapper"](open(environ["path"], "rb"))`), change: func(t testing.TB, r *Request) {
		withFile(t, r)
		r.ClientLeaves, r.ClientTakes = true, 3
	}},
	{name: "no such callable", code: `return []`, result: 404, change: func(_ testing.TB, r *Request) { r.Callable = "missing" }},
	{name: "callable that is none", before: `nothing = None`, code: `return []`, result: 500, change: func(_ testing.TB, r *Request) { r.Callable = "nothing" }},
	{name: "no such script", result: 500, change: func(t testing.TB, r *Request) {
		if err := os.Remove(r.Script); err != nil {
			t.Fatal(err)
		}
	}},
	{name: "script with a syntax error", result: 500, change: script("def application(:")},
	{name: "script that raises", result: 500, change: script("raise KeyError('loading')")},
	{name: "script that exits", result: 500, change: script("raise SystemExit(3)")},
	{name: "script that removes itself", result: 500, change: script("import sys; sys.modules.pop(__name__)")},
	{name: "script that replaces itself", result: 500, change: script("import sys; sys.modules[__name__] = 7")},
	{name: "script that is a folder", result: 500, change: func(t testing.TB, r *Request) { r.Script = t.TempDir() }},
	{name: "reload every time", code: respond(`[b"a"]`), change: changing},
	{name: "reload_required that fails", before: `def reload_required(resource): raise KeyError(resource)`, code: respond(`[b"a"]`), change: reloading},
	{name: "reload_required without a truth", before: `def reload_required(resource): return Contrary()`, code: respond(`[b"a"]`), change: reloading},
	{name: "reload_required that is always true", before: `def reload_required(resource): return True`, code: respond(`[b"a"]`), change: reloading},
}

func leakKinds() []leakKind {
	return slices.Concat(leakResponses, leakFailures, leakQuestions, leakAPI)
}

// request makes the kind's request.
func (k leakKind) request(t testing.TB) *Request {
	code := k.before + "\ndef application(environ, start_response):\n    " + strings.ReplaceAll(k.code, "\n", "\n    ")
	r := &Request{Group: "leaks", Script: write(t, leakPrelude+code)}
	if k.change != nil {
		k.change(t, r)
	}
	return r
}
