package gatewaytest

import (
	"sync"
	"testing"
	"time"
)

// Extensions call back into Python through PyGILState_Ensure(): it must mean the interpreter that the thread is in.
const callbacks = `
	import ctypes, sqlite3, mod_wsgi
	group = mod_wsgi.application_group
	seen = []
	def by_sqlite(n):
		database = sqlite3.connect(":memory:")
		database.create_function("twice", 1, lambda x: (seen.append(group), 2 * x)[1])
		database.create_collation("backwards", lambda a, b: (a < b) - (a > b))
		class Total:
			def __init__(self): self.n = 0
			def step(self, x): self.n += x
			def finalize(self): return self.n
		database.create_aggregate("total_of", 1, Total)
		database.execute("create table t(x)")
		database.executemany("insert into t values (?)", [(i,) for i in range(n)])
		doubled = database.execute("select total_of(twice(x)) from t").fetchone()[0]
		assert doubled == n * (n - 1), doubled
		rows = database.execute("select cast(x as text) y from t order by y collate backwards").fetchall()
		assert rows == sorted(rows, reverse=True)
	compare_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
	libc = ctypes.CDLL(None)
	def by_ctypes(n):
		@compare_type
		def compare(a, b):
			seen.append(group)
			return (a[0] > b[0]) - (a[0] < b[0])
		numbers = (ctypes.c_int * n)(*[i * 7919 % n for i in range(n)])
		libc.qsort(numbers, n, ctypes.sizeof(ctypes.c_int), compare)
		assert list(numbers) == sorted(numbers)
	def application(environ, start_response):
		seen.clear() if environ.get("alone") else None
		for how in (by_sqlite, by_ctypes):
			how(20)
		import threading
		thread = threading.Thread(target=lambda: (by_sqlite(10), by_ctypes(10), seen.append("thread")))
		thread.start()
		thread.join()
		assert set(seen) == {group, "thread"}, set(seen)
		start_response("200 OK", [])
		def rest():
			yield group.encode()
			by_sqlite(5)
			by_ctypes(5)
		return rest()
`

func TestCallbacksOfExtensionsRunInTheInterpreterOfTheRequest(t *testing.T) {
	script := write(t, callbacks)
	for range 5 {
		for _, group := range []string{"calls-a", "calls-b", "", "calls-a", ""} {
			expect(t, run(t, &Request{Group: group, Script: script, Environ: []string{"alone=yes"}}), group)
		}
	}
}

func TestCallbacksOfExtensionsOnManyThreads(t *testing.T) {
	script := write(t, callbacks)
	var all sync.WaitGroup
	for n := range 6 {
		all.Go(func() {
			thread := NewThread()
			for round := range 20 {
				group := []string{"calls-a", "calls-b", ""}[(n+round)%3]
				expect(t, thread.Run(&Request{Group: group, Script: script}), group)
			}
			if err := thread.End(); err != nil {
				t.Error(err)
			}
		})
	}
	done := make(chan bool)
	go func() { all.Wait(); close(done) }()
	waitFor(t, done, "all threads have run their requests")
	checkContract(t)
}

// A callback may come on a thread that Python has never seen: that means the main interpreter.
func TestCallbacksOnForeignThreads(t *testing.T) {
	r := request(t, `
		import ctypes
		libc = ctypes.CDLL(None)
		start_type = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
		def application(environ, start_response):
			called = []
			@start_type
			def start(argument):
				called.append(argument)
				print("printed on a foreign thread")
			thread = ctypes.c_ulong()
			assert libc.pthread_create(ctypes.byref(thread), None, start, ctypes.c_void_p(7)) == 0
			assert libc.pthread_join(thread, None) == 0
			start_response("200 OK", [])
			return [repr(called).encode()]
	`)
	r.Group = ""
	for range 10 {
		expect(t, run(t, r), "[7]")
	}
	if log := ServerLog(); len(log) != 10 {
		t.Errorf("server's log %q", log)
	}
}

func waitFor(t testing.TB, done <-chan bool, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		t.Fatal("not within 60 s:", what)
	}
}
