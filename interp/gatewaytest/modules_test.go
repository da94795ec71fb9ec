package gatewaytest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestRequestDataBelongsToTheRequestOnItsThread(t *testing.T) {
	r := request(t, `
	import mod_wsgi, threading
	loaded = mod_wsgi.request_data()
	loaded["loading"] = True
	def application(environ, start_response):
		data = mod_wsgi.request_data()
		assert data is mod_wsgi.request_data()
		assert ("loading" in data) == (data is loaded)
		other = []
		def ask():
			try:
				mod_wsgi.request_data()
			except RuntimeError as problem:
				other.append(str(problem))
		thread = threading.Thread(target=ask)
		thread.start(); thread.join()
		start_response("200 OK", [])
		return [repr((sorted(data), other)).encode()]
	`)
	r.Group = "request-data"
	expect(t, run(t, r), "(['loading'], ['there is no request on this thread'])")
	expect(t, run(t, r), "([], ['there is no request on this thread'])")
}

func TestActiveRequestsAreThoseOfTheInterpreter(t *testing.T) {
	code := `
	import mod_wsgi, os
	def application(environ, start_response):
		mod_wsgi.request_data()["mine"] = environ["mod_wsgi.request_id"]
		if environ["PATH_INFO"] == "/wait":
			os.read(int(environ["gate"]), 1)
		start_response("200 OK", [])
		return [repr(sorted(mod_wsgi.active_requests.items())).encode()]
	`
	r := request(t, code)
	ready, let := gate(t)
	for round := range 3 { // before and after somebody asked first
		waiting := *r
		waiting.Environ = []string{"PATH_INFO=/wait", "mod_wsgi.request_id=waiting", fmt.Sprint("gate=", ready)}
		other := waiting
		other.Group = "active-other"
		threads := []*Thread{newThread(t), newThread(t)}
		answers := []<-chan *Answer{threads[0].Begin(&waiting), threads[1].Begin(&other)}
		r.Environ = []string{"PATH_INFO=/", "mod_wsgi.request_id=asking"}
		eventually(t, func() bool {
			return run(t, r).Body == "[('asking', {'mine': 'asking'}), ('waiting', {'mine': 'waiting'})]"
		})
		let(2)
		for _, a := range answers {
			if a := wait(t, a); a.Status != 200 {
				t.Error(round, a)
			}
		}
		expect(t, run(t, r), "[('asking', {'mine': 'asking'})]")
	}
}

func TestLogHandlerWritesToTheLogOfTheRequest(t *testing.T) {
	r := request(t, `
	import logging, mod_wsgi, threading
	class Handler(mod_wsgi.LogHandler): pass
	logger = logging.getLogger("handler")
	logger.setLevel(1)
	logger.propagate = False
	logger.addHandler(Handler())
	formatted = []
	class Message:
		def __str__(self):
			formatted.append(1)
			return "costs"
	def application(environ, start_response):
		assert issubclass(mod_wsgi.LogHandler, logging.Handler) and Handler().level == logging.NOTSET
		for level in (60, 50, 49, 40, 30, 20, 19, 5):
			logger.log(level, "level %d", level)
		logger.error("two\n\nlines")
		logger.error("")
		logger.debug(Message())
		logger.error("%d", "not a number")
		thread = threading.Thread(target=logger.error, args=("elsewhere",))
		thread.start(); thread.join()
		start_response("200 OK", [])
		return [repr(formatted).encode()]
	`)
	r.Group = "log-handler"
	ServerLog()
	a := run(t, r)
	expect(t, a, "[]")
	var records []string
	for _, record := range a.Log[:min(9, len(a.Log))] {
		text, from, _ := strings.Cut(record, " (")
		if from != "" && !strings.Contains(from, "app.wsgi:") {
			t.Errorf("%q does not come from the application", record)
		}
		records = append(records, text)
	}
	if got, want := strings.Join(records, "|"), "2 level 60|2 level 50|3 level 49|3 level 40|4 level 30|6 level 20|3 two|3 |3 lines"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	expectLog(t, a, "--- Logging error ---")
	if log := ServerLog(); len(log) != 1 || !strings.HasPrefix(log[0], "3 elsewhere") {
		t.Errorf("the server's log has %q", log)
	}
}

func TestLogHandlerWorksInAForkedCopy(t *testing.T) {
	r := request(t, `
	import logging, mod_wsgi, os
	logger = logging.getLogger("copies")
	logger.addHandler(mod_wsgi.LogHandler())
	def application(environ, start_response):
		pid = os.fork()
		if pid == 0:
			logger.error("from the copy")
			try:
				mod_wsgi.request_data()["a"] = 1
				len(mod_wsgi.active_requests)
			finally:
				os._exit(0)
		status = os.waitpid(pid, 0)[1]
		start_response("200 OK", [])
		return [repr(status).encode()]
	`)
	r.Group = ""
	ForkedLog()
	expect(t, run(t, r), "0")
	if log := ForkedLog(); len(log) != 1 || log[0] != "from the copy" {
		t.Errorf("the copy logged %q", log)
	}
}

// gate returns a descriptor that an application may wait at, and what lets so many through.
func gate(t testing.TB) (fd uintptr, let func(n int)) {
	out, in := pipe(t)
	return out.Fd(), func(n int) {
		if _, err := in.Write(make([]byte, n)); err != nil {
			t.Error(err)
		}
	}
}

// eventually waits until a condition holds.
func eventually(t testing.TB, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it has not come within 60 s")
		}
	}
}
