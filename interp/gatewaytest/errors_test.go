package gatewaytest

import (
	"slices"
	"strings"
	"testing"
)

// runsCode runs the Python code of the environ; e is wsgi.errors.
const runsCode = `
	import sys, threading
	kept = {}
	def application(environ, start_response):
		e = environ["wsgi.errors"]
		exec(environ["code"], dict(globals(), e=e))
		start_response("200 OK", [])
		return [b"done"]
`

func withCode(r *Request, code string) *Request {
	r.Environ = []string{"code=" + code}
	return r
}

func records(lines ...string) []string {
	var out []string
	for _, line := range lines {
		out = append(out, "3 "+line)
	}
	return out
}

func TestErrorsAreSplitIntoRecords(t *testing.T) {
	r := request(t, runsCode)
	long := strings.Repeat("x", 8191)
	for _, c := range []struct {
		code string
		want []string
	}{
		{`pass`, nil},
		{`e.write("")`, nil},
		{`e.write("a\n")`, records("a")},
		{`e.write("a")`, records("a")}, // at the end of the request
		{`e.write("a"); e.write("b\n"); e.write("c")`, records("ab", "c")},
		{`e.write("a\nb")`, records("a", "b")},
		{`e.write("a\nb"); e.write("c\n")`, records("a", "b", "c")}, // line buffering flushes at a line break
		{`e.write("a\n\nb\n\n")`, records("a", "", "b", "")},
		{`e.write("\n")`, records("")},
		{`e.write("a\rb\n")`, records("a\rb")},
		{`e.write("\u00e4\u4e2d\n")`, records("ä中")},
		{`e.write("\ud800\n")`, records("?")},
		{`e.write("a"); e.flush(); e.write("b"); e.flush(); e.flush()`, records("a", "b")},
		{`e.writelines(["a\n", "b", "c\n"])`, records("a", "bc")},
		{`print("a", "b", file=e)`, records("a b")},
		{`print("a", end="", file=e); print("b", end="", file=e)`, records("ab")},
		{`e.buffer.write(b"a\nb"); e.buffer.write(b"c\n")`, records("a", "bc")}, // below the text layer nothing flushes
		{`e.buffer.write(bytearray(b"a\n")); e.buffer.write(memoryview(b"b\n"))`, records("a", "b")},
		{`e.buffer.writelines([b"a", b"b\nc", b"\n"])`, records("ab", "c")},
		{`e.buffer.write(b"\xff\n")`, records("\xff")},
		{`e.buffer.write(b"a"); e.buffer.flush(); e.buffer.write(b"b")`, records("a", "b")},
		{`assert e.buffer.write(b"abc") is None`, records("abc")},
		{`for i in range(20000): e.buffer.write(b"x")`, records(long)}, // cut
		{`for i in range(20000): e.buffer.write(b"x")` + "\n" + `e.buffer.write(b"\nnext")`, records(long, "next")},
		{`e.buffer.write(b"x" * 8190); e.buffer.write(b"yz\n")`, records(strings.Repeat("x", 8190) + "y")},
		{`e.buffer.write(b"x" * 8191); e.buffer.write(b"\n")`, records(long)},
		{`e.write("a\n" * 5000)`, records(slices.Repeat([]string{"a"}, 5000)...)},
	} {
		a := run(t, withCode(r, c.code))
		expect(t, a, "done")
		if !slices.Equal(a.Log, c.want) {
			t.Errorf("%s: want records %.300q\n%.3000s", c.code, c.want, a)
		}
	}
	a := run(t, withCode(r, `e.write("x" * 20000 + "\n")`))
	if len(a.Log) != 1 || !strings.HasPrefix(a.Log[0], "3 "+long) { // who cuts it, the gateway or the transport, is open
		t.Errorf("%.300s", a)
	}
}

func TestErrorsHasTheAttributesOfAStream(t *testing.T) {
	a := run(t, withCode(request(t, runsCode), `
import io
for stream in (e, e.buffer):
    assert stream.encoding == "utf-8" and stream.errors == "replace", stream
    assert stream.name == "<wsgi.errors>" and stream.closed is False, stream
    assert stream.isatty() is False and stream.writable() is True, stream
    assert stream.readable() is False and stream.seekable() is False, stream
    try:
        stream.fileno()
    except OSError:
        pass
    else:
        raise AssertionError("fileno")
assert type(e) is io.TextIOWrapper and type(e.buffer).__name__ == "Log", e
assert e.line_buffering and e.write_through
for bad in (None, 1, [], [1]):
    for method in (e.buffer.write, e.buffer.writelines):
        try:
            if (method, bad) != (e.buffer.writelines, []):
                method(bad)
                raise AssertionError((method, bad))
        except TypeError:
            pass
assert (sys.stderr.name, sys.stdout.name) == ("<stderr>", "<stdout>")
`))
	expect(t, a, "done")
	if a.Log != nil {
		t.Error(a)
	}
}

func TestErrorsTakesTextBelowTheTextLayerWithAWarning(t *testing.T) {
	a := run(t, withCode(request(t, runsCode), `
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    e.buffer.write("\u00e4\n")
    e.buffer.writelines(["b\n"])
assert [w.category for w in caught] == [DeprecationWarning] * 2, caught
`))
	expect(t, a, "done")
	if !slices.Equal(a.Log, records("ä", "b")) {
		t.Error(a)
	}
}

func TestErrorsClosedByTheApplicationTakesNothingMore(t *testing.T) {
	a := run(t, withCode(request(t, runsCode), `
e.write("before")
e.close()
for call in (lambda: e.write("after"), lambda: e.writelines(["after"]), lambda: e.buffer.write(b"after"), lambda: e.buffer.writelines([b"after"])):
    try:
        call()
    except RuntimeError:
        pass
    else:
        raise AssertionError("no RuntimeError")
e.flush()
e.close()
e.buffer.flush()
e.buffer.close()
assert e.closed is False
`))
	expect(t, a, "done")
	if !slices.Equal(a.Log, records("before")) {
		t.Error(a)
	}
}

func TestPrintStillWorksWhenTheApplicationClosedErrors(t *testing.T) {
	ServerLog()
	a := run(t, withCode(request(t, runsCode), "e.close()\nprint('printed')\nprint('complained', file=sys.stderr)"))
	expect(t, a, "done")
	if log := ServerLog(); !slices.Equal(log, records("printed", "complained")) {
		t.Errorf("server's log %q\n%s", log, a)
	}
}

func TestStandardStreamsCannotBeClosedForOthers(t *testing.T) {
	for _, stream := range []string{"stdout", "stderr"} {
		r := request(t, runsCode)
		r.Group = "closes-" + stream
		expect(t, run(t, withCode(r, "sys."+stream+".close()\nsys.__dict__['"+stream+"'].close()")), "done")
		a := run(t, withCode(r, "print('later', file=sys."+stream+")"))
		expect(t, a, "done")
		if !slices.Equal(a.Log, records("later")) {
			t.Error(a)
		}
		ServerLog()
		a = run(t, withCode(r, "thread = threading.Thread(target=lambda: (sys."+stream+".close(), print('elsewhere', file=sys."+stream+")))\nthread.start(); thread.join()"))
		expect(t, a, "done")
		if log := ServerLog(); !slices.Equal(log, records("elsewhere")) {
			t.Errorf("server's log %q\n%s", log, a)
		}
	}
}

func TestStandardStreamsGoToTheRequestOfTheirThread(t *testing.T) {
	ServerLog()
	r := request(t, runsCode)
	a := run(t, withCode(r, `
print("printed")
print("complained", file=sys.stderr)
sys.stdout.write("left over")
`))
	expect(t, a, "done")
	if !slices.Equal(a.Log, records("printed", "complained", "left over")) {
		t.Error(a)
	}
	a = run(t, withCode(r, `
def elsewhere():
    print("printed elsewhere")
    print("complained elsewhere", file=sys.stderr)
thread = threading.Thread(target=elsewhere)
thread.start()
thread.join()
print("printed here")
`))
	expect(t, a, "done")
	if log := ServerLog(); !slices.Equal(a.Log, records("printed here")) || !slices.Equal(log, records("printed elsewhere", "complained elsewhere")) {
		t.Errorf("server's log %q\n%s", log, a)
	}
}

func TestTwoRequestsAtOnceKeepTheirLogsApart(t *testing.T) {
	out, in := pipe(t)
	r := request(t, `
		def application(environ, start_response):
			name = environ["name"]
			for i in range(100):
				print(name, i)
				environ["wsgi.errors"].write(f"{name} {i}\n")
			environ["wsgi.input"].read()
			print(name, "end", end="")
			start_response("200 OK", [])
			return [b"done"]
	`)
	var answers []<-chan *Answer
	for _, name := range []string{"a", "b"} {
		mine := *r
		mine.Environ, mine.Body = []string{"name=" + name}, []Piece{{Gate, "x", int(out.Fd())}}
		answers = append(answers, newThread(t).Begin(&mine))
	}
	if _, err := in.WriteString("xx"); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"a", "b"} {
		a := wait(t, answers[i])
		expect(t, a, "done")
		if len(a.Log) != 201 || a.Log[200] != "3 "+name+" end" {
			t.Error(a)
		}
		for _, record := range a.Log {
			if !strings.HasPrefix(record, "3 "+name+" ") {
				t.Errorf("request %s has the record %q", name, record)
			}
		}
	}
	checkContract(t)
}

func TestOutputWhileAScriptLoadsIsLogged(t *testing.T) {
	ServerLog()
	r := request(t, `
		import sys
		print("printed while loading")
		print("complained while loading", file=sys.stderr)
		def application(environ, start_response):
			start_response("200 OK", [])
			return [b"done"]
	`)
	a := run(t, r)
	expect(t, a, "done")
	if all := append(ServerLog(), a.Log...); !slices.Equal(all, records("printed while loading", "complained while loading")) {
		t.Errorf("logged: %q", all)
	}
}
