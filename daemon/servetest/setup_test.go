package servetest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"modwsgi/daemon"
)

// tells starts a process with these options and has an application say what the expressions are there.
func tells(t *testing.T, options string, expressions ...string) (*Process, []string) {
	t.Helper()
	p := begin(t, options)
	must(t, p.Expect(daemon.Ready, ""))
	reply, err := p.Ask(app(t, fmt.Sprintf("import locale, resource, mod_wsgi; body = '\\n'.join(str(x) for x in [%s])", strings.Join(expressions, ", "))))
	must(t, err)
	if reply.Status != 200 {
		t.Fatalf("%+v\n%s", reply, p.Log())
	}
	return p, strings.Split(reply.Body, "\n")
}

// says is tells for one expression.
func says(t *testing.T, options, expression, want string) {
	t.Helper()
	p, got := tells(t, options, expression)
	if got[0] != want {
		t.Errorf("%s: %s is %s instead of %s\n%s", options, expression, got[0], want, p.Log())
	}
}

func rootOnly(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Log("not root: what only root can do is not tried")
		return false
	}
	return true
}

func TestUserAndGroups(t *testing.T) {
	if !rootOnly(t) {
		return
	}
	says(t, "threads=1 user=#33 group=#50 supplementary-groups=#44 home=/", "(os.getresuid(), os.getresgid(), sorted(os.getgroups()))",
		"((33, 33, 33), (50, 50, 50), [44, 50])")
}

func TestSupplementaryGroupsAreTheUsers(t *testing.T) {
	if !rootOnly(t) {
		return
	}
	says(t, "threads=1 user=#33 home=/", "sorted(os.getgroups()) == sorted(os.getgrouplist('www-data', 65534))", "True")
}

func TestWorkingDirectoryIsHomeAndFirstInSysPath(t *testing.T) {
	_, got := tells(t, "threads=1 home=/usr", "os.getcwd()", "sys.path[0]")
	if got[0] != "/usr" || got[1] != "/usr" {
		t.Errorf("%q", got)
	}
}

func TestWorkingDirectoryThatIsMissingEndsTheProcess(t *testing.T) {
	p := begin(t, "threads=1 home=/there/is/no/such")
	must(t, p.ExpectEnd(255))
	for _, part := range []string{":alert]", "WSGI0009", "/there/is/no/such", "WSGI0025"} {
		if !strings.Contains(p.Log(), part) {
			t.Errorf("no %q in the log:\n%s", part, p.Log())
		}
	}
}

func TestUmask(t *testing.T) {
	says(t, "threads=1 umask=027", "oct(os.umask(0))", "0o27")
}

func TestEnvironmentOfTheProcess(t *testing.T) {
	t.Setenv("USER", "somebody")
	t.Setenv("LOGNAME", "")
	os.Unsetenv("LOGNAME")
	_, got := tells(t, "threads=1 lang=C.UTF-8 locale=C", "os.environ['LANG']", "os.environ['LC_ALL']", "locale.setlocale(locale.LC_NUMERIC)",
		"os.environ.get('MOD_WSGI_DAEMON')", "os.environ['USER'] == __import__('pwd').getpwuid(os.getuid()).pw_name", "'LOGNAME' in os.environ",
		"os.environ['HOME'] == __import__('pwd').getpwuid(os.getuid()).pw_dir")
	want := "C.UTF-8 C C None True False True"
	if strings.Join(got, " ") != want {
		t.Errorf("%q instead of %s", got, want)
	}
}

func TestUnknownLocaleIsAWarning(t *testing.T) {
	p := begin(t, "threads=1 locale=tlh_KLINGON")
	must(t, p.Expect(daemon.Ready, ""))
	must(t, p.ExpectLog("WSGI0079"))
}

func TestResourceLimits(t *testing.T) {
	_, got := tells(t, "threads=1 cpu-time-limit=50 shutdown-timeout=7 memory-limit=300000000 virtual-memory-limit=900000000",
		"resource.getrlimit(resource.RLIMIT_CPU)", "300000000 < resource.getrlimit(resource.RLIMIT_DATA)[0] < 1e9",
		"900000000 < resource.getrlimit(resource.RLIMIT_AS)[1] < 1e10", "len(bytearray(100000000))")
	if want := "(50, 58)|True|True|100000000"; strings.Join(got, "|") != want {
		t.Errorf("%q instead of %s", got, want)
	}
}

func TestMemoryBeyondTheLimitIsAnError(t *testing.T) {
	for _, option := range []string{"memory-limit", "virtual-memory-limit"} {
		p := begin(t, "threads=1 "+option+"=200000000")
		must(t, p.Expect(daemon.Ready, ""))
		path := app(t, "try:", "    len(bytearray(400000000))", "except MemoryError: body = 'MemoryError'")
		answers(t, p, path, "MemoryError")
	}
}

func TestPriority(t *testing.T) {
	says(t, "threads=1 cpu-priority=3", "os.getpriority(os.PRIO_PROCESS, 0)", "3")
}

func TestPriorityIsThatOfEveryThread(t *testing.T) {
	p := begin(t, "threads=2 cpu-priority=3")
	must(t, p.Expect(daemon.Ready, ""))
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.PID))
	must(t, err)
	for _, task := range tasks {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/stat", p.PID, task.Name()))
		must(t, err)
		fields := strings.Fields(string(stat)[strings.LastIndex(string(stat), ")")+1:])
		if fields[16] != "3" { // nice, proc(5)
			t.Errorf("thread %s has %s", task.Name(), fields[16])
		}
	}
}

func TestFactsOfTheGroup(t *testing.T) {
	_, got := tells(t, "threads=4 processes=3", "mod_wsgi.process_group", "mod_wsgi.maximum_processes", "mod_wsgi.threads_per_process", "mod_wsgi.version",
		"environ['wsgi.multiprocess']", "environ['wsgi.multithread']", "sys.argv")
	if want := "test|3|4|(6, 0, 5)|True|True|['mod_wsgi']"; strings.Join(got, "|") != want {
		t.Errorf("%q instead of %s", got, want)
	}
}

func TestRunOnce(t *testing.T) {
	says(t, "threads=1 maximum-requests=1", "environ['wsgi.run_once']", "True")
}

func TestPythonPathEggsAndSwitchInterval(t *testing.T) {
	_, got := tells(t, "threads=1 python-path=/usr/games:/usr/src python-eggs=/tmp/eggs switch-interval=0.25", "sys.path[:2]", "os.environ['PYTHON_EGG_CACHE']",
		"sys.getswitchinterval()")
	if want := "['/usr/games', '/usr/src']|/tmp/eggs|0.25"; strings.Join(got, "|") != want {
		t.Errorf("%q instead of %s", got, want)
	}
}

func TestProcessWithoutPythonAnswers500(t *testing.T) {
	p := begin(t, "threads=1 python-home=/there/is/no/python")
	must(t, p.Expect(daemon.Ready, ""))
	must(t, p.ExpectLog("WSGI0028"))
	if !strings.Contains(p.Log(), "python-home= of process group 'test' /there/is/no/python") {
		t.Errorf("log:\n%s", p.Log())
	}
	if reply, err := p.Ask(app(t)); err != nil || reply.Status != 500 {
		t.Errorf("%+v, %v", reply, err)
	}
	must(t, p.Order(daemon.Stop, ""))
	must(t, p.ExpectEnd(0))
}

func TestRecordsHaveTheFormatOfTheServer(t *testing.T) {
	p := beginAs(t, map[string]string{"error_log_format": `"<%l> [pid %P] %M"`}, "threads=1")
	must(t, p.Expect(daemon.Ready, ""))
	must(t, p.ExpectLog(fmt.Sprintf("<info> [pid %d] process %d of group 'test' is ready", p.PID, p.PID)))
}

func TestLogLevelOfTheServerCounts(t *testing.T) {
	p := beginAs(t, map[string]string{"server.0.log_level": "4"}, "threads=1")
	must(t, p.Expect(daemon.Ready, ""))
	must(t, p.Order(daemon.Stop, ""))
	must(t, p.ExpectEnd(0))
	if p.Log() != "" {
		t.Errorf("log:\n%s", p.Log())
	}
}

func TestLimitOfDescriptorsIsInherited(t *testing.T) {
	want, err := exec.Command("sh", "-c", "ulimit -Sn").Output() // Go gives programs what it was given itself
	must(t, err)
	says(t, "threads=1", "resource.getrlimit(resource.RLIMIT_NOFILE)[0]", strings.TrimSpace(string(want)))
}

func TestRootDirectoryIsChanged(t *testing.T) {
	if !rootOnly(t) {
		return
	}
	dir := t.TempDir()
	must(t, os.Mkdir(dir+"/srv", 0o755))
	p := begin(t, "threads=1 home=/srv chroot="+dir)
	must(t, p.Expect(daemon.Ready, ""))
	root, err := os.Readlink(fmt.Sprintf("/proc/%d/root", p.PID))
	must(t, err)
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", p.PID))
	must(t, err)
	if root != dir || cwd != dir+"/srv" {
		t.Errorf("root %s, working directory %s", root, cwd)
	}
	must(t, p.ExpectLog("WSGI0028")) // no Python is there
	p = begin(t, "threads=1 chroot=/there/is/no/such")
	must(t, p.ExpectEnd(255))
	must(t, p.ExpectLog("WSGI0003"))
}
