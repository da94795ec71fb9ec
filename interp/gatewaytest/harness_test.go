package gatewaytest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"modwsgi/interp"
)

// mainThread is Python's main thread; tests that need no particular thread run on it.
var mainThread *Thread

func TestMain(m *testing.M) {
	var err error
	mainThread, err = Start(interp.Options{
		Embedded: true, ProcessGroup: "", MaximumProcesses: 1, ThreadsPerProcess: 4, Interpreter: interpreterOptions,
		ApacheVersion: [3]int{2, 4, 66}, ModuleVersion: [3]int{6, 0, 5},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "Python did not start:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// interpreterOptions gives every application group what the environment asks for: all of these tests can be run with own GILs.
func interpreterOptions(string) interp.InterpreterOptions {
	return interp.InterpreterOptions{RestrictSignal: true, OwnGIL: interp.OwnGILs && os.Getenv("MODWSGI_OWN_GILS") != ""}
}

// write makes a script of the code and returns its path.
func write(t testing.TB, code string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.wsgi")
	replace(t, path, code)
	return path
}

func replace(t testing.TB, path, code string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(dedent(code)), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil { // a request under way must not read half of it
		t.Fatal(err)
	}
}

// dedent takes the tabs of the first line of code off every line, and turns the others into blanks.
func dedent(code string) string {
	code = strings.TrimLeft(code, "\n")
	margin := code[:len(code)-len(strings.TrimLeft(code, "\t"))]
	var out []string
	for _, line := range strings.Split(code, "\n") {
		out = append(out, strings.ReplaceAll(strings.TrimPrefix(line, margin), "\t", "    "))
	}
	return strings.Join(out, "\n") + "\n"
}

// request is for an application of the code in a sub-interpreter that most tests share.
func request(t testing.TB, code string) *Request {
	t.Helper()
	return &Request{Group: "tests", Script: write(t, code)}
}

// newThread starts a thread that ends with the test.
func newThread(t testing.TB) *Thread {
	t.Helper()
	thread := NewThread()
	t.Cleanup(func() {
		if err := thread.End(); err != nil {
			t.Error(err)
		}
	})
	return thread
}

// wait returns the answer, or fails the test: the thread is lost then.
func wait(t testing.TB, answer <-chan *Answer) *Answer {
	t.Helper()
	select {
	case a := <-answer:
		return a
	case <-time.After(60 * time.Second):
		t.Fatal("no answer within 60 s")
		return nil
	}
}

// run runs the request on the main thread and checks that the transport's contract was kept.
func run(t testing.TB, r *Request) *Answer {
	t.Helper()
	a := wait(t, mainThread.Begin(r))
	checkContract(t)
	return a
}

func checkContract(t testing.TB) {
	t.Helper()
	if b := TakeBreaches(); b != (Breaches{}) {
		t.Errorf("the gateway broke the transport's contract: %+v", b)
	}
}

// expect fails the test unless the answer is 200 with the body.
func expect(t testing.TB, a *Answer, body string) {
	t.Helper()
	if a.Result != Answered || a.Status != 200 || a.Body != body {
		t.Errorf("want 200 and body %q\n%s", body, a)
	}
}

// expectLog fails the test unless some record of the answer has each text.
func expectLog(t testing.TB, a *Answer, texts ...string) {
	t.Helper()
	log := strings.Join(a.Log, "\n")
	for _, text := range texts {
		if !strings.Contains(log, text) {
			t.Errorf("the log lacks %q\n%s", text, a)
		}
	}
}

func (a *Answer) String() string {
	body := a.Body
	if len(body) > 2000 {
		body = body[:2000] + fmt.Sprintf("... (%d bytes)", len(a.Body))
	}
	return fmt.Sprintf("result %d, status %d %q, headers %q, length %d\nbody %q\ntrace %s\nlog\n  %s",
		a.Result, a.Status, a.Line, a.Headers, a.Length, body, a.Trace, strings.Join(a.Log, "\n  "))
}
