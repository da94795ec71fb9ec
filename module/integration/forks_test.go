package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Processes, threads and event loops that applications start, in the main interpreter and in others, on Apache's threads and on its
// main thread (prefork): testdata/apps/forks.wsgi.

// forksDeadline is far above what any of it takes: what is late hangs.
const forksDeadline = 25 * time.Second

var forkCases = []struct{ path, want string }{
	// What a copy may do.
	{"exit", "status 0"}, {"log", "status 0"}, {"fault", "status 0"}, {"thread_in_copy", "status 0"}, {"grandchild", "status 0"},
	// Copies that fall out of the application.
	{"return", "status 0"}, {"system_exit", "status 3"}, {"exit_text", "status 1"}, {"raise", "status 1"}, {"interrupt", "status 1"},
	{"generator", "firststatus 0"}, {"iter", "blockblockblock"}, {"next", "blockblockblock"}, {"close", "blockblockblock"}, {"leave_thread", "status 0"},
	// multiprocessing.
	{"process/fork", "[6, 20]"}, {"process/spawn", "[6, 20]"}, {"process/forkserver", "[6, 20]"},
	{"queue/fork", "queued 0"}, {"queue/spawn", "queued 0"}, {"queue/forkserver", "queued 0"},
	{"executor/fork", "120"}, {"executor/spawn", "120"}, {"executor/forkserver", "120"},
	{"terminate/fork", "-15"}, {"terminate/spawn", "-15"}, {"terminate/forkserver", "-15"},
	// Programs.
	{"run", "run"}, {"stop", "ended -15"}, {"no_such_program", "/no/such/program"}, {"pipe", "True"}, {"system", "3 popen"}, {"spawn", "status 4"}, {"python", "True"},
	{"preexec", "100"}, {"preexec_fails", "Exception occurred in preexec_fn."},
	// Several at once, and event loops.
	{"many", "30 ['status 0']"}, {"asyncio", "[0, 1, 2] thread process timeout"}, {"loop", "looped"}, {"loop", "looped"}, {"exit", "status 0"},
}

// forkedLines are what the copies must have logged.
var forkedLines = []string{
	"app: print of the copy", "app: errors of the copy", "WARNING:root:app: logging of the copy", "app: thread of the copy", "app: grandchild",
	"ValueError: app: in the copy", "ValueError: app: raised in the copy", "ValueError: app: in next of the copy", "KeyboardInterrupt", "app: goodbye",
}

// forEachPlace runs a test in the main interpreter and in another, where requests run on threads and where they run on the main thread.
func forEachPlace(t *testing.T, app string, test func(t *testing.T, s *apachetest.Server, group string)) {
	start := func(in setting, group string) {
		t.Run(in.String()+" "+group, func(t *testing.T) {
			test(t, apachetest.Start(t, in.of(apachetest.Config{OneChild: true,
				Conf: "WSGIScriptAlias / {{.Apps}}/" + app + " application-group=" + group + "\n"})), group)
		})
	}
	for _, in := range embedded(apachetest.Event, apachetest.Prefork) {
		start(in, "%{GLOBAL}")
		start(in, "sub")
	}
	for n, in := range singles {
		start(in, []string{"%{GLOBAL}", "sub"}[n])
	}
}

func TestForksProgramsAndLoopsWorkInEveryInterpreter(t *testing.T) {
	forEachPlace(t, "forks.wsgi", func(t *testing.T, s *apachetest.Server, group string) {
		children := serving(s)
		for _, c := range forkCases {
			mark := s.Mark()
			r := s.Do(t, apachetest.Request{Target: "/" + c.path, Wait: forksDeadline})
			if group == "sub" && strings.HasPrefix(c.path, "preexec") && r.Status == 500 { // CPython forbids it there, see PEP 554
				mark.Wait(t, "WSGI0174.*RuntimeError.*Python allows this in the main interpreter only.*WSGIApplicationGroup %{GLOBAL}")
				continue
			}
			if string(r.Body) != c.want || len(r.Extra) != 0 || r.Ending != apachetest.Complete {
				t.Errorf("%s: want %q, once:\n%s\n%s", c.path, c.want, r, mark.Since())
			}
		}
		for _, method := range []string{"iter", "close", "next"} {
			want := map[string]string{"iter": "status 0", "close": "status 0", "next": "status 1"}[method]
			if got := waitForFile(t, s, method); got != want {
				t.Errorf("a copy that falls out of %s ends with %s, want %s", method, got, want)
			}
		}
		for _, line := range forkedLines {
			s.WaitLog(t, line)
		}
		if after := serving(s); after != children {
			t.Errorf("processes before: %s, after: %s", children, after)
		}
	})
}

func TestThreadsOutliveTheirRequest(t *testing.T) {
	for _, kind := range []string{"daemon", "ordinary"} {
		forEachPlace(t, "forks.wsgi", func(t *testing.T, s *apachetest.Server, _ string) {
			expectBody(t, s, "/outlive?"+kind, "started")
			expectBody(t, s, "/exit", "status 0")
			if err := os.WriteFile(filepath.Join(s.Root, "var", "go_on"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if got := waitForFile(t, s, "outlived"); got != "closed" {
				t.Errorf("wsgi.errors of a request that is over: %s", got)
			}
			s.WaitLog(t, "app: after the request")
		})
	}
}

// Forks at any moment, of everything that other threads do meanwhile: making interpreters, loading scripts, logging.
func TestForksDisturbNothingThatHappensMeanwhile(t *testing.T) {
	conf := "WSGIScriptAlias /forks {{.Apps}}/forks.wsgi application-group=%{GLOBAL}\n"
	for n := range 12 {
		conf += fmt.Sprintf("WSGIScriptAlias /new%d {{.Apps}}/hello.wsgi application-group=group%d\n", n, n)
	}
	inSettings(t, both([]apachetest.MPM{apachetest.Event}, manyThreads), func(t *testing.T, in setting) {
		s := apachetest.Start(t, in.of(apachetest.Config{OneChild: true, Conf: conf}))
		problems := make(chan string, 4)
		for worker := range 4 {
			go func() {
				for n := range 12 {
					path, want := "/forks/log", "status 0"
					if worker < 2 {
						path, want = fmt.Sprintf("/new%d", (n+6*worker)%12), ""
					}
					r := s.Do(t, apachetest.Request{Target: path, Wait: forksDeadline})
					if r.Status != 200 || want != "" && string(r.Body) != want {
						problems <- fmt.Sprintf("%s: %s", path, r)
						return
					}
				}
				problems <- ""
			}()
		}
		for range 4 {
			if problem := <-problems; problem != "" {
				t.Error(problem)
			}
		}
	})
}
