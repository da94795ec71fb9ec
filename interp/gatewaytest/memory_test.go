package gatewaytest

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// usage is what a process holds: Python's memory blocks, objects that its collector knows, bytes on the C heap, resident memory.
type usage struct{ blocks, objects, heap, resident int }

func measure(t testing.TB, group string) usage {
	t.Helper()
	r := &Request{Group: group, Script: probe(t)}
	run(t, r)
	a := run(t, r)
	var u usage
	if n, err := fmt.Sscan(a.Body, &u.blocks, &u.objects); n != 2 {
		t.Fatal(err, a)
	}
	debug.FreeOSMemory()
	u.heap, u.resident = Malloced(), residentMemory(t)
	return u
}

var probeScript string

func probe(t testing.TB) string {
	t.Helper()
	if probeScript == "" {
		directory, err := os.MkdirTemp("", "gatewaytest")
		if err != nil {
			t.Fatal(err)
		}
		probeScript = directory + "/probe.wsgi"
		replace(t, probeScript, clearTypeCache+`
	import gc
	def application(environ, start_response):
		clear_type_cache()
		gc.collect()
		gc.collect()
		start_response("200 OK", [])
		return [f"{sys.getallocatedblocks()} {len(gc.get_objects())}".encode()]
`)
	}
	return probeScript
}

func residentMemory(t testing.TB) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(status), "\n") {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kilobytes, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kilobytes * 1024
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

// memoryRequests is how often each kind is repeated: a leak of one object for each request shows as so many.
func memoryRequests() int {
	if os.Getenv("MODWSGI_SOAK") != "" {
		return 50_000
	}
	return 8_000
}

func expectLevel(t testing.TB, what string, before, after usage, n int) {
	t.Helper()
	if after.blocks-before.blocks > n/20 || after.objects-before.objects > n/20 || after.heap-before.heap > 8*n || after.resident-before.resident > 8<<20 {
		t.Errorf("%s: %d requests changed the process from %+v to %+v", what, n, before, after)
	}
}

func TestMemoryIsLevel(t *testing.T) {
	code := `
		import io, os, sys, mod_wsgi
		class Closing:
			def __init__(self, items, error=None): self.items, self.error = items, error
			def __iter__(self): return iter(self.items)
			def close(self):
				if self.error: raise self.error
		def raises(problem): raise problem
		path = os.path.join(os.path.dirname(__file__), "file")
		open(path, "w").write("x" * 5000)
		def application(environ, start_response):
			i, e, fw = environ["wsgi.input"], environ["wsgi.errors"], environ["wsgi.file_wrapper"]
			def sr(status="200 OK", headers=[("Content-Type", "text/plain"), ("X-A", "b")]):
				return start_response(status, list(headers))
			def caught(use):
				try:
					use()
				except Exception:
					pass
			return what[environ["what"]](environ, sr, i, e, fw, caught)
		what = {}
		` + "\n"
	kinds := []struct {
		name, expression string
		result           int
	}{
		{"list", `[b"x" * 100] if sr() else 0`, Answered},
		{"large list", `[b"x" * 70000] if sr() else 0`, Answered},
		{"generator", `(b"x" for _ in range(3)) if sr() else 0`, Answered},
		{"write", `sr()(b"x") or [b"y"]`, Answered},
		{"length", `[b"abcdef"] if sr(headers=[("Content-Length", "3")]) else 0`, Answered},
		{"short", `[b"abc"] if sr(headers=[("Content-Length", "6")]) else 0`, Short},
		{"read", `[i.read()] if sr() else 0`, Answered},
		{"lines", `list(i) if sr() else 0`, Answered},
		{"readline", `[i.readline(3), i.readline(), *i.readlines()] if sr() else 0`, Answered},
		{"errors", `print("a line", file=e) or print("another") or e.write("rest") and sr() and []`, Answered},
		{"file", `fw(open(path, "rb")) if sr() else 0`, Answered},
		{"blocks of a file", `fw(io.BytesIO(b"x" * 10000)) if sr() else 0`, Answered},
		{"refused", `[caught(lambda: sr("bad")), caught(lambda: sr("200 OK", [("a", "\n")])), caught(lambda: sr("200 OK", [("\u0100", "")])), caught(lambda: sr("\u0100")), sr()] and []`, Answered},
		{"started twice", `sr("500 X") and sr("200 OK") and []`, Answered},
		{"no start_response", `[b"x"]`, 500},
		{"exception", `raises(KeyError("x"))`, 500},
		{"exit", `raises(SystemExit(1))`, 500},
		{"timeout", `raises(mod_wsgi.RequestTimeout())`, Answered},
		{"cut", `sr()(b"x") or raises(KeyError("x"))`, Cut},
		{"not bytes", `["x"] if sr() else 0`, 500},
		{"close raises", `Closing([b"x"], KeyError("x")) if sr() else 0`, Answered},
		{"cycle", `environ.__setitem__("self", [environ, sr, i, e]) or sr() and []`, Answered},
	}
	for _, k := range kinds {
		code += "\t\twhat[" + strconv.Quote(k.name) + "] = lambda environ, sr, i, e, fw, caught: " + k.expression + "\n"
	}
	r := request(t, code)
	r.Body = []Piece{{Late, "one\ntwo", 0}, {Now, "\nthree\n", 0}}
	for _, group := range []string{"", "memory"} {
		for n, k := range kinds {
			if group == "" && n%4 != 0 { // the interpreters differ in little
				continue
			}
			r.Group, r.Environ = group, []string{"what=" + k.name, "PATH_INFO=/path", "HTTP_HOST=localhost"}
			if _, others := mainThread.Repeat(r, 1000, k.result); others != 0 {
				t.Errorf("%s: %d of 1000 requests did not end as %d\n%s", k.name, others, k.result, run(t, r))
			}
			before := measure(t, group)
			mainThread.Repeat(r, memoryRequests(), k.result)
			expectLevel(t, k.name+" in group '"+group+"'", before, measure(t, group), memoryRequests())
		}
	}
	checkContract(t)
	ServerLog()
}

func TestMemoryIsLevelWhenTheClientLeavesOrFails(t *testing.T) {
	leaves := request(t, "def application(environ, start_response):\n\tstart_response('200 OK', [])\n\treturn (b'x' for _ in range(3))")
	leaves.ClientLeaves = true
	fails := request(t, `
		def application(environ, start_response):
			try:
				environ["wsgi.input"].read()
			except OSError:
				start_response("400 Bad", [])
				return []
	`)
	fails.Body = []Piece{{Now, "x", 0}, {Fail, "reset", 0}}
	for name, r := range map[string]*Request{"client leaves": leaves, "body fails": fails} {
		mainThread.Repeat(r, 1000, Answered)
		before := measure(t, r.Group)
		if _, others := mainThread.Repeat(r, memoryRequests(), Answered); others != 0 {
			t.Errorf("%s: %d requests ended otherwise", name, others)
		}
		expectLevel(t, name, before, measure(t, r.Group), memoryRequests())
	}
	checkContract(t)
}

func TestMemoryIsLevelOverReloadsAndThreads(t *testing.T) {
	r := request(t, "def reload_required(resource): return True\n"+version("x"))
	r.Flags = Reloading
	broken := request(t, "raise KeyError")
	missing := request(t, "")
	const n = 5000
	for _, c := range []struct {
		name string
		r    *Request
		want int
	}{{"reload", r, Answered}, {"broken script", broken, 500}, {"no callable", missing, 404}} {
		mainThread.Repeat(c.r, 2*n, c.want) // CPython's own caches fill up slowly, in 3.13 over some ten thousand loads
		before := measure(t, c.r.Group)
		if _, others := mainThread.Repeat(c.r, n, c.want); others != 0 {
			t.Errorf("%s: %d requests ended otherwise", c.name, others)
		}
		expectLevel(t, c.name, before, measure(t, c.r.Group), n)
	}
	steady := request(t, version("x"))
	groups := []string{"", "tests", "memory"}
	exchange := func(threads int) (u usage) {
		for range threads {
			thread := NewThread()
			for _, steady.Group = range groups {
				expect(t, wait(t, thread.Begin(steady)), "x")
			}
			if err := thread.End(); err != nil {
				t.Fatal(err)
			}
		}
		for _, group := range groups { // the blocks counted are all interpreters', each of which has caches to empty
			u = measure(t, group)
		}
		return u
	}
	before := exchange(500)
	after := exchange(400)
	// What a Thread of these tests keeps (see its End) is on the heap, too: some hundred bytes each.
	if after.blocks-before.blocks > 20 || after.heap-before.heap > 400*8192 || after.resident-before.resident > 16<<20 {
		t.Errorf("400 threads changed the process from %+v to %+v", before, after)
	}
}
