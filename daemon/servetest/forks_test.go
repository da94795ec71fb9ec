package servetest

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"modwsgi/daemon"
)

// What applications fork has no Go, and must neither hang nor disturb the process.

func TestCopiesEndAsUsual(t *testing.T) {
	p := begin(t, "threads=2")
	must(t, p.Expect(daemon.Ready, ""))
	for want, lines := range map[string][]string{
		"exit 3":    {"import signal", "pid = os.fork()", "if not pid: os._exit(3)"},
		"exit 5":    {"pid = os.fork()", "if not pid: sys.exit(5)"},
		"exit 0":    {"pid = os.fork()", "if not pid: return []"},
		"signal 15": {"pid = os.fork()", "if not pid: time.sleep(60)", "os.kill(pid, 15)"},
		"signal 10": {"pid = os.fork()", "if not pid: time.sleep(60)", "os.kill(pid, 10)"},
		"signal 24": {"pid = os.fork()", "if not pid: time.sleep(60)", "os.kill(pid, 24)"},
		"signal 14": {"import signal", "pid = os.fork()", "if not pid:", "    signal.alarm(1)", "    time.sleep(60)"},
		"signal 11": {"import ctypes", "pid = os.fork()", "if not pid: ctypes.string_at(0)"},
		"exit 7":    {"import signal", "pid = os.fork()", "if not pid:", "    child = os.fork()", "    if not child: os._exit(0)", "    os.waitpid(child, 0)", "    os._exit(7)"},
		"exit 1":    {"pid = os.fork()", "if not pid: raise ValueError('in the copy')"},
	} {
		lines = append(lines, "_, status = os.waitpid(pid, 0)",
			"body = 'signal %d' % os.WTERMSIG(status) if os.WIFSIGNALED(status) else 'exit %d' % os.WEXITSTATUS(status)")
		if want == "signal 24" { // SIGXCPU is the server's, not one of those that Python gives copies back
			want = "exit 255"
		}
		t.Run(want, func(t *testing.T) { answers(t, p, app(t, lines...), want) })
	}
	p.Signal(syscall.SIGTERM)
	must(t, p.Expect(daemon.Ending, "shutdown_signal"))
	must(t, p.ExpectEnd(0))
}

func TestMultiprocessingWorks(t *testing.T) {
	p := begin(t, "threads=2")
	must(t, p.Expect(daemon.Ready, ""))
	answers(t, p, app(t, "import multiprocessing, math", "context = multiprocessing.get_context('fork')",
		"with context.Pool(2) as pool: body = str(pool.map(math.sqrt, [4, 9]))"), "[2.0, 3.0]")
	answers(t, p, app(t, "import multiprocessing, math", "context = multiprocessing.get_context('spawn')",
		"with context.Pool(1) as pool: body = str(pool.map(math.sqrt, [4, 9]))"), "[2.0, 3.0]")
	answers(t, p, app(t, "import subprocess", "body = subprocess.run('echo $MOD_WSGI_DAEMON; ls -l /proc/self/fd | grep -c \"socket:\\|memfd:\\|anon_inode:\"',",
		"    shell=True, capture_output=True, text=True, close_fds=False).stdout.strip()"), "0") // nothing of the server's is inherited
}

func TestImportedScriptMayFork(t *testing.T) {
	result := flag(t)
	p := begin(t, "threads=1", imports(script(t, "import os, sys", "pid = os.fork()", "if not pid: sys.exit(6)",
		"status = os.waitpid(pid, 0)[1]", "if os.WEXITSTATUS(status) == 6: "+create(result))))
	must(t, p.Expect(daemon.Ready, ""))
	begun(t, result)
	answers(t, p, app(t), "done")
}

func TestCopyDoesNotKeepConnectionsOpen(t *testing.T) {
	started := flag(t)
	p := begin(t, "threads=1")
	must(t, p.Expect(daemon.Ready, ""))
	call, err := p.Send(app(t, "pid = os.fork()", "if not pid: time.sleep(60)", "with open("+fmt.Sprintf("%q", started+"~")+", 'w') as f: f.write(str(pid))",
		fmt.Sprintf("os.rename(%q, %q)", started+"~", started), "time.sleep(60)"))
	must(t, err)
	begun(t, started)
	text, err := os.ReadFile(started)
	must(t, err)
	pid, err := strconv.Atoi(string(text))
	must(t, err)
	defer syscall.Kill(pid, syscall.SIGKILL)
	p.Signal(syscall.SIGKILL)
	killed := time.Now()
	if reply, err := call.Reply(); err == nil || time.Since(killed) > 10*time.Second {
		t.Errorf("%+v, %v after %v", reply, err, time.Since(killed))
	}
}
