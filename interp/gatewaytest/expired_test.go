package gatewaytest

import (
	"fmt"
	"strings"
	"testing"
)

// uses are all that can be done with what a request was given, by name.
const uses = `
	import threading, sys
	kept = {}
	def uses(k):
		sr, write, i, e = k["sr"], k["write"], k["input"], k["errors"]
		return {
			"start_response": lambda: sr("200 OK", []),
			"start_response of one argument": lambda: sr("200 OK"),
			"write": lambda: write(b"late"),
			"write of nothing": lambda: write(b""),
			"read": lambda: i.read(),
			"read(0)": lambda: i.read(0),
			"read(5)": lambda: i.read(5),
			"readline": lambda: i.readline(),
			"readlines": lambda: i.readlines(),
			"iter": lambda: iter(i),
			"next": lambda: next(i),
			"close": lambda: i.close(),
			"errors.write": lambda: e.write("late"),
			"errors.writelines": lambda: e.writelines(["late"]),
			"errors.buffer.write": lambda: e.buffer.write(b"late"),
			"errors.buffer.write of text": lambda: e.buffer.write("late"),
			"errors.buffer.writelines": lambda: e.buffer.writelines([b"late"]),
			"print": lambda: print("late", file=e),
		}
	def outcomes(k):
		said = []
		for name, use in uses(k).items():
			try:
				use()
				said.append(f"{name} worked")
			except RuntimeError:
				pass
			except BaseException as problem:
				said.append(f"{name}: {problem!r}")
		k["errors"].flush(), k["errors"].buffer.flush(), k["errors"].close()
		return "; ".join(said).encode()
`

func TestObjectsKeptAfterTheRequestRaiseRuntimeError(t *testing.T) {
	keep := `
		def application(environ, start_response):
			global kept
			if environ["do"] == "use":
				said = outcomes(kept)
				start_response("200 OK", [])
				return [said]
			kept = dict(sr=start_response, input=environ["wsgi.input"], errors=environ["wsgi.errors"], environ=environ)
			if environ["do"] == "fail before":
				kept["write"] = start_response("200 OK", [])
				raise KeyError
			kept["write"] = start_response("200 OK", [])
			if environ["do"] == "lines":
				environ["wsgi.input"].readline()
			kept["errors"].write("unfinished")
			if environ["do"] == "fail after":
				kept["write"](b"x")
				raise KeyError
			if environ["do"] == "generator":
				def generator():
					yield b"a"
					yield b"b"
				return generator()
			return [b"x"]
	`
	r := request(t, dedent(uses)+dedent(keep))
	other := newThread(t)
	for _, do := range []string{"list", "fail before", "fail after", "generator", "lines"} {
		for _, user := range []*Thread{mainThread, other} {
			r.Environ, r.Body = []string{"do=" + do}, []Piece{{Now, "line\nmore\n", 0}}
			run(t, r)
			ServerLog()
			r.Environ = []string{"do=use"}
			a := wait(t, user.Begin(r))
			expect(t, a, "")
			if log := ServerLog(); log != nil || a.Log != nil {
				t.Errorf("logged %q, %q", log, a.Log)
			}
			checkContract(t)
		}
	}
	r.Environ = []string{"do=list"}
	for range 3 {
		run(t, r) // replaces what was kept
	}
}

func TestAHelperThreadUsesObjectsWhileTheRequestEnds(t *testing.T) {
	r := request(t, dedent(uses)+dedent(`
		import time
		helpers = []
		wrong = []
		def help(k, barrier, n):
			use = list(uses(k).items())
			use = use[n % len(use):] + use[:n % len(use)]
			barrier.wait()
			ended = 0
			while not ended:
				for name, call in use:
					try:
						call()
					except RuntimeError:
						ended += 1
					except StopIteration:
						pass
					except TypeError as problem:
						if name != "start_response of one argument":
							wrong.append(f"{name}: {problem!r}")
					except BaseException as problem:
						wrong.append(f"{name}: {problem!r}")
				if any(f() is not None for f in ()):
					break
		def application(environ, start_response):
			if environ["do"] == "join":
				for helper in helpers:
					helper.join()
				helpers.clear()
				start_response("200 OK", [])
				return ["; ".join(wrong).encode()]
			k = dict(sr=start_response, input=environ["wsgi.input"], errors=environ["wsgi.errors"], write=start_response("200 OK", []))
			barrier = threading.Barrier(4)
			for n in range(3):
				helpers.append(threading.Thread(target=help, args=(k, barrier, int(environ["n"]) + n * 5)))
				helpers[-1].start()
			barrier.wait()
			if environ["do"] == "generator":
				return (b"x" for i in range(5))
			if environ["do"] == "fail":
				raise KeyError
			return [b"x"]
	`))
	sys := "import sys\nsys.setswitchinterval(1e-5)\ndef application(environ, start_response):\n\tstart_response('200 OK', [])\n\treturn []"
	expect(t, run(t, request(t, sys)), "")
	for i := range 120 {
		var body []Piece
		for range 20 {
			body = append(body, Piece{Late, "line\n", 0}, Piece{Now, "x", 0})
		}
		r.Body, r.Environ = body, []string{"do=" + []string{"list", "generator", "fail"}[i%3], fmt.Sprint("n=", i)}
		a := wait(t, mainThread.Begin(r))
		if a.Result != Answered && a.Result != Cut && a.Result != 500 {
			t.Error(a)
		}
		if a.Result == 500 && a.Trace != "" && strings.Contains(a.Trace, "begin") {
			t.Errorf("an error page is wanted after headers were handed over:\n%s", a)
		}
		if n := strings.Count(a.Trace, "begin"); n > 1 {
			t.Errorf("the headers were handed over %d times:\n%s", n, a)
		}
		r.Environ = []string{"do=join"}
		expect(t, run(t, r), "")
	}
	ServerLog()
	restore := "import sys\nsys.setswitchinterval(0.005)\ndef application(environ, start_response):\n\tstart_response('200 OK', [])\n\treturn []"
	expect(t, run(t, request(t, restore)), "")
}

// Several threads of the application's want the transport at once while the request ends: nobody may touch it, or the request, afterwards.
func TestThreadsThatWaitForTheTransportWhenTheRequestEnds(t *testing.T) {
	r := request(t, `
		import os, threading
		results = []
		def attempt(name, call):
			try:
				results.append((name, repr(call())))
			except BaseException as problem:
				results.append((name, type(problem).__name__))
		threads = []
		def application(environ, start_response):
			if environ["do"] == "join":
				for thread in threads:
					thread.join()
				threads.clear()
				said = repr(sorted(results))
				results.clear()
				start_response("200 OK", [])
				return [said.encode()]
			i, write, gate = environ["wsgi.input"], start_response("200 OK", []), int(environ["gate"])
			calls = [("read", lambda: i.read(1)), ("readline", i.readline), ("read", lambda: i.read(1)), ("write", lambda: write(b"late"))]
			threads[:] = [threading.Thread(target=attempt, args=call) for call in calls]
			threads[0].start()  # waits in the transport
			reading = threading.Event()
			for thread in threads[1:]:
				thread.start()  # wait for the transport
			threads.append(threading.Thread(target=os.write, args=(gate, b"x")))  # lets the first one go
			threads[-1].start()
			return []
	`)
	for range 40 {
		out, in := pipe(t)
		r.Body = []Piece{{Gate, "a", int(out.Fd())}, {Late, "b", 0}, {Late, "c", 0}}
		r.Environ = []string{"do=begin", fmt.Sprint("gate=", in.Fd())}
		a := wait(t, mainThread.Begin(r))
		if a.Result != Answered || a.Status != 200 || strings.Count(a.Trace, "begin") != 1 {
			t.Error(a)
		}
		r.Environ = []string{"do=join"}
		a = wait(t, mainThread.Begin(r))
		if a.Result != Answered || strings.Contains(a.Body, "SystemError") {
			t.Error(a)
		}
		out.Close()
		in.Close()
	}
	checkContract(t)
}

func TestApplicationThreadsReadAndWriteWhileTheRequestRuns(t *testing.T) {
	r := request(t, `
		import queue, threading
		def application(environ, start_response):
			blocks = queue.Queue(2)
			def read():
				for line in environ["wsgi.input"]:
					blocks.put(line)
				blocks.put(b"")
			threading.Thread(target=read).start()
			write = start_response("200 OK", [])
			if environ["how"] == "generator":
				return iter(blocks.get, b"")
			def send():
				for block in iter(blocks.get, b""):
					write(block)
			sender = threading.Thread(target=send)
			sender.start()
			sender.join()
			return []
	`)
	body := strings.Repeat("a line\n", 2000)
	for _, how := range []string{"generator", "write"} {
		r.Body, r.Environ = nil, []string{"how=" + how}
		for i := 0; i < len(body); i += 100 {
			r.Body = append(r.Body, Piece{i / 100 % 2, body[i : i+100], 0})
		}
		a := wait(t, mainThread.Begin(r))
		expect(t, a, body)
		checkContract(t)
	}
}

func TestDestructorsMayUseTheRequestAsItEnds(t *testing.T) {
	r := request(t, `
		class Late:
			def __init__(self, **what): self.__dict__.update(what)
			def __del__(self):
				for use in (lambda: self.sr("200 OK", []), lambda: self.write(b"late"), lambda: self.i.read(), lambda: self.e.write("late\n"), lambda: print("printed")):
					try:
						use()
					except Exception:
						pass
		def application(environ, start_response):
			environ["late"] = Late(sr=start_response, write=start_response("200 OK", []), i=environ["wsgi.input"], e=environ["wsgi.errors"])
			return [b"x"]
	`)
	r.Body = []Piece{{Late, "body", 0}}
	for range 20 {
		if a := run(t, r); a.Result != Answered || a.Status != 200 {
			t.Error(a)
		}
	}
	ServerLog()
}
