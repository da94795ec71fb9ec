package gatewaytest

import "testing"

// threading knows a thread of the server's as a dummy once it was asked for the current thread.
func TestMultiprocessingWorksOnAThreadThatThreadingKnows(t *testing.T) {
	r := request(t, `
		import multiprocessing, threading
		def application(environ, start_response):
			threading.current_thread()
			context = multiprocessing.get_context("fork")
			queue = context.Queue()
			process = context.Process(target=lambda: queue.put(threading.main_thread() is threading.current_thread()))
			process.start()
			said = queue.get(timeout=20)
			process.join(20)
			start_response("200 OK", [])
			return [f"{said}, exit status {process.exitcode}".encode()]
	`)
	thread := newThread(t)
	for _, r.Group = range []string{"", "tests"} {
		for range 3 {
			expect(t, wait(t, thread.Begin(r)), "True, exit status 0")
		}
	}
	checkContract(t)
}
