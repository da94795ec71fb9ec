package integration

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"modwsgi/module/apachetest"
)

// Applications that fork and start programs: architecture, section 1.

const forkingScript = `import os, subprocess, sys

def note(name, text):
    path = os.path.join(os.path.dirname(__file__), "var", name)
    with open(path + ".new", "w") as f:
        f.write(text)
    os.rename(path + ".new", path)

def application(environ, start_response):
    body = globals()["do_" + environ["PATH_INFO"].strip("/")](environ, start_response)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body.encode()]

def wait(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def do_exit(environ, start_response):
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    return "status %d" % wait(pid)

def do_log(environ, start_response):
    pid = os.fork()
    if pid == 0:
        print("app: from the copy", file=environ["wsgi.errors"])
        print("app: stderr of the copy", file=sys.stderr)
        sys.stderr.flush()
        os._exit(0)
    return "status %d" % wait(pid)

def do_system_exit(environ, start_response):
    pid = os.fork()
    if pid == 0:
        sys.exit(3)
    return "status %d" % wait(pid)

def do_return(environ, start_response):
    pid = os.fork()
    if pid == 0:
        return "the copy returns"
    return "status %d" % wait(pid)

def do_raise(environ, start_response):
    pid = os.fork()
    if pid == 0:
        raise ValueError("in the copy")
    return "status %d" % wait(pid)

def do_write(environ, start_response):
    pid = os.fork()
    if pid == 0:
        try:
            start_response("200 OK", [])(b"from the copy")
        except BaseException as problem:
            note("write", type(problem).__name__)
        else:
            note("write", "accepted")
        os._exit(0)
    return "status %d" % wait(pid)

def do_run(environ, start_response):
    return subprocess.run(["echo", "run"], capture_output=True, text=True).stdout

def do_signals(environ, start_response):
    return subprocess.run(["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"], capture_output=True, text=True).stdout

def do_multiprocessing(environ, start_response):
    import multiprocessing
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=queue.put, args=("worked",))
    process.start()
    answer = queue.get()
    process.join()
    return answer
`

func TestApplicationsMayForkAndStartProcesses(t *testing.T) {
	for _, in := range both(apachetest.MPMs, singles) {
		for _, module := range []apachetest.Module{apachetest.Classic(), apachetest.Ours()} {
			t.Run(in.String()+"/"+module.Name, func(t *testing.T) {
				s := apachetest.Start(t, in.of(apachetest.Config{Module: module, OneChild: true, Files: map[string]string{"fork.wsgi": forkingScript},
					Conf: "WSGIScriptAlias / {{.Root}}/fork.wsgi\nWSGIApplicationGroup %{GLOBAL}\n"}))
				children := serving(s)
				for _, step := range []struct{ path, want string }{
					{"/exit", "status 7"}, {"/log", "status 0"}, {"/run", "run\n"}, {"/multiprocessing", "worked"}, {"/exit", "status 7"},
				} {
					expectBody(t, s, step.path, step.want)
				}
				s.WaitLog(t, "app: from the copy")
				s.WaitLog(t, "app: stderr of the copy")
				if module.Name == "ours" { // in the classic module a copy that returns goes on as a second server
					for path, want := range map[string]string{"/return": "status 0", "/system_exit": "status 3", "/raise": "status 1"} {
						if r := s.Get(t, path); string(r.Body) != want || len(r.Extra) != 0 {
							t.Errorf("%s: want %s\n%s", path, want, r)
						}
					}
					if r := s.Get(t, "/write"); string(r.Body) != "status 0" || len(r.Extra) != 0 {
						t.Errorf("the copy's write() reaches the client:\n%s", r)
					}
					if got := waitForFile(t, s, "write"); got != "RuntimeError" {
						t.Errorf("the copy's write(): %s, want a RuntimeError", got)
					}
				}
				expectBody(t, s, "/exit", "status 7")
				if after := serving(s); after != children {
					t.Errorf("processes before: %s, after: %s", children, after)
				}
			})
		}
	}
}

// A program that the application starts inherits the signal mask of the request's thread. Go lets through in such a thread what it
// needs itself; it must not block anything more than the classic module's thread has.
func TestStartedProgramsInheritNoFurtherBlockedSignals(t *testing.T) {
	inSettings(t, both(apachetest.MPMs, manyThreads), func(t *testing.T, in setting) {
		pair := apachetest.StartPair(t, in.of(apachetest.Config{Files: map[string]string{"fork.wsgi": forkingScript},
			Conf: "WSGIScriptAlias / {{.Root}}/fork.wsgi\nWSGIApplicationGroup %{GLOBAL}\n"}), listed)
		for _, kind := range []string{"SigBlk", "SigIgn"} {
			classic, ours := signalMask(t, pair.Classic, kind), signalMask(t, pair.Ours, kind)&^internalSignals
			if more := ours &^ classic; more != 0 {
				t.Errorf("%s: %016x are set that the classic module has not (classic %016x, ours %016x)", kind, more, classic, ours)
			}
		}
	})
}

// internalSignals are 32 and 33, which belong to the C library: programs that posix_spawn() starts ignore them.
const internalSignals = 3 << 31

// serving names the processes that serve: one that dies is replaced by another.
func serving(s *apachetest.Server) string { return fmt.Sprint(s.Children(), s.DaemonProcesses()) }

func signalMask(t *testing.T, s *apachetest.Server, kind string) uint64 {
	t.Helper()
	text := string(s.Get(t, "/signals").Body)
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, kind+":"); ok {
			mask, err := strconv.ParseUint(strings.TrimSpace(rest), 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			return mask
		}
	}
	t.Fatalf("no %s in %q", kind, text)
	return 0
}
