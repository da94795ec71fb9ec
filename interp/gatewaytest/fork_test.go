package gatewaytest

import (
	"strings"
	"testing"
)

// forks runs the code of the environ in a forked copy, which then falls back into the gateway in some way; the parent answers with the
// copy's exit status. os.fork() does not work in sub-interpreters before Python 3.12, so these are in the main interpreter.
const forks = `
	import os, signal, sys, time
	def status_of(pid):
		end = time.monotonic() + 30
		while time.monotonic() < end:
			done, status = os.waitpid(pid, os.WNOHANG)
			if done:
				return os.waitstatus_to_exitcode(status)
			time.sleep(0.001)
		os.kill(pid, signal.SIGKILL)
		os.waitpid(pid, 0)
		return "hung"
	class Closing:
		def __iter__(self): return iter([b"parent"])
		def close(self):
			pid = os.fork()
			if pid:
				print("exit status", status_of(pid))
			elif how == "exit":
				sys.exit(6)
			elif how == "raise":
				raise KeyError("child")
	def application(environ, start_response):
		global how
		how, where, i, e = environ["how"], environ["where"], environ["wsgi.input"], environ["wsgi.errors"]
		def child():
			if how == "return":
				start_response("200 OK", [])
				return [b"child"]
			if how == "start nothing":
				return [b"child"]
			if how == "large":
				start_response("200 OK", [])
				return [b"child" * 50000]
			if how == "generator":
				start_response("200 OK", [])
				return (b"child" for _ in range(3))
			if how == "file":
				start_response("200 OK", [])
				return environ["wsgi.file_wrapper"](open(__file__, "rb"))
			if how == "exit":
				sys.exit(6)
			if how == "exit none":
				sys.exit()
			if how == "raise":
				raise KeyError("child")
			if how == "timeout":
				import mod_wsgi
				raise mod_wsgi.RequestTimeout
			if how == "write":
				start_response("200 OK", [])(b"child")
			if how == "read":
				i.read()
			if how == "readline":
				i.readline()
			if how == "log":
				print("child prints")
				print("child complains", file=sys.stderr)
				e.write("child writes\n")
				e.flush()
				start_response("200 OK", [])
				return []
			if how == "thread":
				import threading
				thread = threading.Thread(target=lambda: print("child's thread prints"))
				thread.start()
				thread.join()
				sys.exit(5)
			if how == "grandchild":
				pid = os.fork()
				if pid:
					sys.exit(status_of(pid) + 1)
				sys.exit(6)
			if how == "entries":
				import mod_wsgi
				sys.exit(0 if type(mod_wsgi._go_entries()) is int else 1)
			raise AssertionError(how)
		if where == "close":
			start_response("200 OK", [])
			return Closing()
		if where == "generator":
			def generator():
				write = start_response("200 OK", [])
				yield b"parent "
				pid = os.fork()
				if not pid:
					yield from child()
					return
				yield f"says {status_of(pid)}".encode()
			return generator()
		if where == "after write":
			start_response("200 OK", [])(b"parent ")
		pid = os.fork()
		if not pid:
			return child()
		status = status_of(pid)
		if where != "after write":
			start_response("200 OK", [])
		return [f"says {status}".encode()]
`

func TestForkedCopiesEndWhereTheyFallBackIntoTheGateway(t *testing.T) {
	r := request(t, forks)
	r.Group = ""
	r.Body = []Piece{{Late, "line\n", 0}}
	for _, c := range []struct{ where, how, want string }{
		{"call", "return", "says 0"}, {"call", "start nothing", "says 0"}, {"call", "large", "says 0"}, {"call", "generator", "says 0"},
		{"call", "file", "says 0"}, {"call", "exit", "says 6"}, {"call", "exit none", "says 0"}, {"call", "raise", "says 1"},
		{"call", "timeout", "says 1"}, {"call", "write", "says 1"}, {"call", "read", "says 1"}, {"call", "readline", "says 1"},
		{"call", "log", "says 0"}, {"call", "thread", "says 5"}, {"call", "grandchild", "says 7"}, {"call", "entries", "says 0"},
		{"after write", "return", "parent says 1"}, {"after write", "exit", "parent says 6"}, {"after write", "write", "parent says 1"},
		{"after write", "raise", "parent says 1"}, {"after write", "large", "parent says 1"},
		{"generator", "exit", "parent says 6"}, {"generator", "raise", "parent says 1"}, {"generator", "start nothing", "parent says 0"},
		{"generator", "read", "parent says 1"}, {"generator", "timeout", "parent says 1"},
		{"close", "return", "parent"}, {"close", "exit", "parent"}, {"close", "raise", "parent"},
	} {
		ForkedLog()
		r.Environ = []string{"where=" + c.where, "how=" + c.how}
		a := run(t, r) // which checks that no copy used the transport or ended by exit()
		if a.Result != Answered || a.Status != 200 || a.Body != c.want {
			t.Errorf("%s, %s: want %s\n%s", c.where, c.how, c.want, a)
		}
		log := strings.Join(ForkedLog(), "\n")
		want := map[string]string{"log": "child prints\nchild complains\nchild writes", "thread": "child's thread prints", "raise": "KeyError: 'child'",
			"write": "RuntimeError", "read": "RuntimeError"}[c.how]
		if !strings.Contains(log, want) {
			t.Errorf("%s, %s: the copy logged %q, want %q", c.where, c.how, log, want)
		}
		if c.where == "close" {
			want := map[string]string{"return": "exit status 0", "exit": "exit status 6", "raise": "exit status 1"}[c.how]
			expectLog(t, a, want)
		}
		if strings.Contains(log, "WSGI0") {
			t.Errorf("%s, %s: the copy reported a failure of the server: %q", c.where, c.how, log)
		}
	}
}

func TestForkedCopiesEndOnAnyThread(t *testing.T) {
	r := request(t, forks)
	r.Group = ""
	r.Environ = []string{"where=call", "how=return"}
	other := newThread(t)
	for range 20 {
		expect(t, wait(t, other.Begin(r)), "says 0")
		expect(t, run(t, r), "says 0")
	}
}

func TestForkWhileAScriptLoads(t *testing.T) {
	for fall, want := range map[string]string{"pass": "0", "raise SystemExit(4)": "4", "raise KeyError": "1"} {
		r := request(t, `
			import os
			pid = os.fork()
			if not pid:
				`+fall+`
			else:
				status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
			def application(environ, start_response):
				start_response("200 OK", [])
				return [str(status).encode()]
		`)
		r.Group = ""
		expect(t, run(t, r), want)
	}
	ForkedLog()
	r := request(t, `
		import os
		def reload_required(resource):
			pid = os.fork()
			if pid:
				print(os.waitpid(pid, 0)[1])
			return False
		def application(environ, start_response):
			start_response("200 OK", [])
			return [b"x"]
	`)
	r.Group, r.Flags = "", Reloading
	for range 3 {
		expect(t, run(t, r), "x")
	}
	if log := ServerLog(); len(log) != 2 || log[0] != "3 0" {
		t.Errorf("%q", log)
	}
}

func TestMultiprocessing(t *testing.T) {
	r := request(t, `
		import multiprocessing, os, subprocess, sys
		def work(n, queue):
			print("worker", n)
			queue.put(n * n)
		def application(environ, start_response):
			context = multiprocessing.get_context("fork")
			queue = context.SimpleQueue()
			processes = [context.Process(target=work, args=(n, queue)) for n in range(3)]
			for process in processes:
				process.start()
			for process in processes:
				process.join(30)
			squares = sorted(queue.get() for _ in processes)
			assert [p.exitcode for p in processes] == [0] * 3, processes
			said = subprocess.run(["/bin/echo", "hello"], capture_output=True).stdout
			start_response("200 OK", [])
			return [f"{squares} {said}".encode()]
	`)
	r.Group = ""
	ForkedLog()
	expect(t, run(t, r), `[0, 1, 4] b'hello\n'`)
	if log := ForkedLog(); len(log) != 3 {
		t.Errorf("the workers logged %q", log)
	}
}

// CPython before 3.12 ends a copy made in a sub-interpreter by itself, with a fatal error; the server's process must not notice.
func TestForkInASubInterpreterLeavesTheServerAlone(t *testing.T) {
	r := request(t, `
		import os, subprocess
		def application(environ, start_response):
			pid = os.fork()
			if not pid:
				os._exit(0)
			os.waitpid(pid, 0)
			said = subprocess.run(["/bin/echo", "hello"], capture_output=True).stdout
			start_response("200 OK", [])
			return [said]
	`)
	for range 3 {
		a := wait(t, mainThread.Begin(r))
		expect(t, a, "hello\n")
	}
	if b := TakeBreaches(); b != (Breaches{Exited: b.Exited}) {
		t.Errorf("the gateway broke the transport's contract: %+v", b)
	}
}

func TestForkedCopiesWorkBesideSubInterpreters(t *testing.T) {
	other := request(t, version("x"))
	for _, other.Group = range []string{"fork-a", "fork-b"} {
		expect(t, run(t, other), "x")
	}
	r := request(t, forks)
	r.Group, r.Environ = "", []string{"where=call", "how=thread"}
	expect(t, run(t, r), "says 5")
	for _, other.Group = range []string{"fork-a", "fork-b", "fork-c"} {
		expect(t, run(t, other), "x")
	}
	ForkedLog()
}
