package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Every failure names its cause: the client gets the right status, and the error log of the request's virtual host one line with code, group,
// process, request, cause and the limit's value. Records of the process itself go to the log of the server that declares the group.

// causesConf has the group 'test' in the main server; one.test is asked, two.test is not.
const causesConf = `
WSGIDaemonProcess test {{.Data}}
WSGIProcessGroup test
WSGIApplicationGroup %{GLOBAL}
<VirtualHost *:{{.Port}}>
    ServerName one.test
    ErrorLog {{.Root}}/logs/one.log
    WSGIScriptAlias /slow {{.Root}}/slow.wsgi
    WSGIScriptAlias /missing {{.Root}}/missing.wsgi
    WSGIScriptAlias /hungry {{.Root}}/hungry.wsgi
    WSGIScriptAlias / {{.Apps}}/daemon.wsgi
</VirtualHost>
<VirtualHost *:{{.Port}}>
    ServerName two.test
    ErrorLog {{.Root}}/logs/two.log
    WSGIScriptAlias / {{.Apps}}/daemon.wsgi
</VirtualHost>
`

var causesFiles = map[string]string{
	"slow.wsgi":    "import time\ndef load():\n    time.sleep(60)\nload()\n",
	"missing.wsgi": "import there_is_no_such_module\n",
	"hungry.wsgi":  "def application(environ, start_response):\n    len(bytearray(4000 << 20))\n",
	"crash.wsgi":   "import ctypes\nctypes.string_at(0)\n",
	// A folder that closeFolder may close.
	"var/closed/README": "",
}

func causesServer(t *testing.T, options string, extra apachetest.Config) *apachetest.Server {
	t.Helper()
	t.Parallel() // most of the time is waiting
	return apachetest.Start(t, causesConfig(options, extra))
}

func causesConfig(options string, extra apachetest.Config) apachetest.Config {
	extra.Conf = causesConf + extra.Conf
	extra.Data, extra.Files, extra.Tuning, extra.Tolerate = options, causesFiles, threadedTuning, append(killed, "SIGABRT")
	return extra
}

// A cause is how a request fails.
type cause struct {
	name, options, target string
	signal                syscall.Signal // to the process while it runs the request
	status                int
	code                  string
	says                  string // a regular expression, of the rest of the request's line
	ended                 string // the same of the supervisor's line about the process; "": there is none
	stacks                string // what the stacks of the process show; "": there are none
}

var causes = []cause{
	{name: "SIGSEGV", target: "/die?crash", status: 502, code: "0146", says: `was killed by SIGSEGV \(segmentation fault\)`, ended: "was killed by SIGSEGV", stacks: "in case_die"},
	{name: "SIGABRT", target: "/die?abort", status: 502, code: "0146", says: `was killed by SIGABRT`, ended: "was killed by SIGABRT", stacks: "in case_die"},
	{name: "SIGSEGV from outside", target: "/sleep?30", signal: syscall.SIGSEGV, status: 502, code: "0146", says: `was killed by SIGSEGV`, ended: "was killed by SIGSEGV", stacks: "in case_sleep"},
	{name: "SIGKILL from outside", target: "/sleep?30", signal: syscall.SIGKILL, status: 502, code: "0146", says: `was killed by SIGKILL \(killed\): not by its supervisor`, ended: "was killed by SIGKILL"},
	{name: "exit", target: "/die?exit3", status: 502, code: "0146", says: `ended with exit status 3: nobody told it to`, ended: "ended with exit status 3"},
	{name: "request-timeout", options: "request-timeout=1 shutdown-timeout=1", target: "/sleep?30", status: 502, code: "0146",
		says: `ended with exit status 0: a request in it took longer than request-timeout=1 allows`, stacks: "in case_sleep"},
	{name: "request-timeout, interrupted", options: "request-timeout=1 interrupt-timeout=20", target: "/sleep?30", status: 504, code: "0316",
		says: `interrupted \(request-timeout=1\)`, stacks: "in case_sleep"},
	{name: "deadlock-timeout", options: "deadlock-timeout=1 shutdown-timeout=1", target: "/stuck?30", status: 502, code: "0146",
		says:  `its interpreter lock was stuck for deadlock-timeout=1, and was not done within shutdown-timeout=1`,
		ended: `\(deadlock_timeout\): its interpreter lock`, stacks: "in case_stuck"},
	{name: "startup-timeout", options: "startup-timeout=1 shutdown-timeout=1", target: "/slow", status: 502, code: "0146",
		says: `it loaded no script within startup-timeout=1 after its first request, and was not done within shutdown-timeout=1`, ended: "startup-timeout=1", stacks: "in load"},
	{name: "graceful-timeout", options: "graceful-timeout=1 shutdown-timeout=1", target: "/sleep?30", signal: syscall.SIGUSR1, status: 502, code: "0146",
		says: `it received SIGUSR1, and was not done within graceful-timeout=1 and then shutdown-timeout=1`, ended: "graceful-timeout=1", stacks: "in case_sleep"},
	{name: "eviction-timeout", options: "eviction-timeout=1 shutdown-timeout=1", target: "/sleep?30", signal: syscall.SIGUSR1, status: 502, code: "0146",
		says: `it received SIGUSR1, and was not done within eviction-timeout=1 and then shutdown-timeout=1`, ended: "eviction-timeout=1", stacks: "in case_sleep"},
	{name: "shutdown-timeout", options: "shutdown-timeout=1", target: "/sleep?30", signal: syscall.SIGTERM, status: 502, code: "0146",
		says: `it was told to stop, and was not done within shutdown-timeout=1`, ended: "shutdown-timeout=1", stacks: "in case_sleep"},
	{name: "cpu-time-limit", options: "cpu-time-limit=1 graceful-timeout=60 shutdown-timeout=1", target: "/spin?60", status: 502, code: "0146",
		says: `was killed by SIGKILL \(killed\): it went on using the processor for [1-9] s after cpu-time-limit=1`, ended: "cpu-time-limit=1"},
	{name: "socket-timeout", options: "socket-timeout=1", target: "/sleep?4", status: 504, code: "0145", says: `did not begin an answer in time \(socket-timeout=1\)`, stacks: "in case_sleep"},
	{name: "memory-limit", options: "memory-limit=800000000", target: "/hungry", status: 500, code: "0174", says: `MemoryError was raised.*\(memory-limit=800000000\)`},
	{name: "import error", target: "/missing", status: 500, code: "0109", says: `ModuleNotFoundError was raised`},
	{name: "wrong virtual environment", options: "python-home=/nowhere/venv", target: "/pid", status: 500, code: "0210", says: `Python did not start in this process.*/nowhere/venv`},
}

func TestEveryFailureNamesItsCause(t *testing.T) {
	for _, c := range causes {
		t.Run(c.name, func(t *testing.T) {
			s := causesServer(t, "processes=1 threads=1 "+c.options, apachetest.Config{})
			victim := waitProcesses(t, s, 1)[0]
			main := s.Mark()
			answer := make(chan *apachetest.Response, 1)
			go func() {
				answer <- s.Do(t, apachetest.Request{Host: "one.test", Target: c.target, Wait: 40 * time.Second})
			}()
			if c.signal != 0 {
				waitInside(t, s, victim)
				if err := syscall.Kill(victim, c.signal); err != nil {
					t.Fatal(err)
				}
			}
			if r := <-answer; r.Status != c.status {
				t.Errorf("the answer is not %d:\n%s", c.status, r)
			}
			expectCause(t, s, c, victim)
			expectRecords(t, main, c, victim)
		})
	}
}

// expectCause looks at the logs of both virtual hosts.
func expectCause(t *testing.T, s *apachetest.Server, c cause, victim int) {
	t.Helper()
	log := s.MarkStart("one.log")
	line := log.Wait(t, "WSGI"+c.code)
	for _, pattern := range []string{"test'", fmt.Sprintf(`\b%d\b`, victim), c.says, regexp.QuoteMeta(" (GET "+c.target+")") + `$`, `\[client 127\.0\.0\.1:`} {
		if !regexp.MustCompile(pattern).MatchString(line) {
			t.Errorf("the line does not say %q: %s", pattern, line)
		}
	}
	if n := strings.Count(log.Since(), "[wsgi:"); n != 1 && c.code != "0109" && c.code != "0174" { // those have a traceback
		t.Errorf("%d records in the log of the request's virtual host:\n%s", n, log.Since())
	}
	if other := s.LogFile("two.log"); other != "" {
		t.Errorf("the log of the other virtual host says:\n%s", other)
	}
}

// expectRecords looks at the log of the server that declares the group: how the process ended, once, and where its threads were, once.
func expectRecords(t *testing.T, main apachetest.Mark, c cause, victim int) {
	t.Helper()
	ended, stacks := fmt.Sprintf(`WSGI0303: daemon process %d of group 'test' `, victim), fmt.Sprintf("WSGI0314: process %d of group 'test'", victim)
	if c.ended != "" {
		main.Wait(t, ended+".*"+c.ended)
	}
	if c.stacks != "" {
		main.Wait(t, c.stacks)
	}
	for text, there := range map[string]bool{ended: c.ended != "", stacks: c.stacks != ""} {
		if n := strings.Count(main.Since(), text); n > 1 || there != (n == 1) {
			t.Errorf("%d times %q in the log of the group:\n%s", n, text, main.Since())
		}
	}
	if strings.Contains(main.Since(), "WSGI0146") {
		t.Errorf("the request's line is in the log of the group, too:\n%s", main.Since())
	}
}

func TestAFailureInTheMiddleOfAnAnswerNamesItsCause(t *testing.T) {
	s := causesServer(t, "processes=1 threads=1", apachetest.Config{})
	victim := waitProcesses(t, s, 1)[0]
	gate := makeFIFO(t, s)
	c := cause{target: "/gate?" + gate, code: "0119", says: "in the middle of its answer, .* was killed by SIGKILL", ended: "was killed by SIGKILL"}
	main := s.Mark()
	client := s.Dial(t)
	client.Send("GET " + c.target + " HTTP/1.1\r\nHost: one.test\r\n\r\n")
	processAt(t, s, gate)
	kill(t, victim)
	if r := client.Read("GET"); r.Status != 200 || r.Ending != apachetest.NoTerminator {
		t.Errorf("want an answer that is broken off:\n%s", r)
	}
	expectCause(t, s, c, victim)
	expectRecords(t, main, c, victim)
}

// A group that has no process: the requests are refused, in time, and know why there is none.
func TestARequestWithoutAProcessNamesTheCause(t *testing.T) {
	for name, c := range map[string]struct {
		options, conf string
		prepare       func(t *testing.T, s *apachetest.Server)
		says          []string // in the line of the request
		start         string   // in the log of the group
		within        time.Duration
	}{
		"no folder for sockets": {conf: "WSGISocketPrefix /nowhere/wsgi\n", within: 5 * time.Second,
			says: []string{"WSGI0116", "could not be started: no such file or directory; see WSGI0013"}, start: "WSGI0013.*/nowhere/wsgi"},
		"a folder for sockets that Apache's children may not enter": {within: 5 * time.Second, conf: "WSGISocketPrefix {{.Root}}/var/closed/wsgi\n",
			says: []string{"WSGI0117", "/var/closed/wsgi", "Permission denied", "WSGISocketPrefix"}},
		"no home": {options: "home=/nowhere/home connect-timeout=1", within: 10 * time.Second,
			says: []string{"WSGI0116", "connect-timeout=1", "could not be set up: see WSGI0009"}, start: "WSGI0009.*/nowhere/home"},
		"a crash at start": {options: "connect-timeout=1", conf: "WSGIImportScript {{.Root}}/crash.wsgi process-group=test application-group=%{GLOBAL}\n", within: 10 * time.Second,
			says: []string{"WSGI0116", "connect-timeout=1", "process \\d+, was killed by SIGSEGV"}, start: "WSGI0303.*SIGSEGV.*before it was ready"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(c.conf, "closed") && os.Getuid() != 0 {
				t.Log("as an ordinary user Apache's children own what the supervisor makes: nothing can be closed to them")
				return
			}
			config := apachetest.Config{Conf: causesConf + c.conf, Data: "processes=1 threads=1 " + c.options, Tolerate: killed, Files: causesFiles}
			s := apachetest.Start(t, config)
			if strings.Contains(c.conf, "closed") {
				closeFolder(t, s.Root+"/var/closed")
			}
			begun := time.Now()
			r := s.Do(t, apachetest.Request{Host: "one.test", Target: "/pid", Wait: 40 * time.Second})
			if took := time.Since(begun); r.Status != 503 || took > c.within {
				t.Errorf("after %v:\n%s", took, r)
			}
			log := s.MarkStart("one.log")
			line := log.Wait(t, "WSGI0")
			for _, says := range append(c.says, "'test'", `\(GET /pid\)$`) {
				if !regexp.MustCompile(says).MatchString(line) {
					t.Errorf("the line does not say %q: %s", says, line)
				}
			}
			if n := strings.Count(log.Since(), "[wsgi:"); n != 1 {
				t.Errorf("%d records in the log of the virtual host:\n%s", n, log.Since())
			}
			if c.start != "" {
				s.WaitLog(t, c.start)
			}
		})
	}
}

// closeFolder keeps everybody but root out.
func closeFolder(t *testing.T, folder string) {
	t.Helper()
	if err := os.Chmod(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(folder, 0, 0); err != nil {
		t.Fatal(err)
	}
}

// The program of daemon processes can't be executed any more.
func TestAProgramThatCannotBeExecutedIsNamed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	built := filepath.Dir(apachetest.Ours().Path)
	if out, err := exec.Command("cp", built+"/mod_wsgi.so", built+"/mod_wsgi-daemon", folder).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := apachetest.Start(t, apachetest.Config{Module: apachetest.Module{Name: "ours", Path: folder + "/mod_wsgi.so"}, Conf: causesConf,
		Data: "processes=1 threads=1 connect-timeout=1", Tolerate: killed})
	former := waitProcesses(t, s, 1)
	if err := os.Chmod(folder+"/mod_wsgi-daemon", 0o600); err != nil {
		t.Fatal(err)
	}
	kill(t, former[0])
	s.WaitLog(t, "WSGI0024: no process for group 'test': .*permission denied")
	if r := s.Do(t, apachetest.Request{Host: "one.test", Target: "/pid", Wait: 40 * time.Second}); r.Status != 503 {
		t.Errorf("the answer:\n%s", r)
	}
	s.MarkStart("one.log").Wait(t, `WSGI0116: .*'test' .*connect-timeout=1: .*could not be started: permission denied; see WSGI0024.*\(GET /pid\)$`)
	if err := os.Chmod(folder+"/mod_wsgi-daemon", 0o755); err != nil {
		t.Fatal(err)
	}
	apachetest.Eventually(t, 40*time.Second, "the group is served again", func() bool { return s.Do(t, host("one.test", "/pid")).Status == 200 })
}

// A limit of queueing is told with its value.
func TestARequestThatWaitsTooLongNamesTheLimit(t *testing.T) {
	s := causesServer(t, "processes=1 threads=1 queue-timeout=1", apachetest.Config{})
	gate := makeFIFO(t, s)
	inside := make(chan *apachetest.Response, 1)
	go func() {
		inside <- s.Do(t, apachetest.Request{Host: "one.test", Target: "/hold?" + gate, Wait: 40 * time.Second})
	}()
	open := holdGate(t, gate)
	if r := s.Do(t, apachetest.Request{Host: "one.test", Target: "/pid", Wait: 40 * time.Second}); r.Status != 504 {
		t.Errorf("the answer:\n%s", r)
	}
	open()
	<-inside
	s.MarkStart("one.log").Wait(t, `WSGI0084: .*queue-timeout=1 of process group 'test'.*\(GET /pid\)$`)
}

// The kernel kills what uses too much memory: here in a cgroup of version 1, which root may make where the hierarchy is writable.
func TestLackOfMemoryIsNamed(t *testing.T) {
	const limit = 100 << 20
	group := memoryCgroup(t, limit)
	if group == "" {
		return
	}
	s := causesServer(t, "processes=1 threads=1", apachetest.Config{})
	former := waitProcesses(t, s, 1)
	writeFile(t, group+"/cgroup.procs", fmt.Sprint(s.Supervisors()[0])) // its children begin there
	kill(t, former[0])
	victim := waitProcesses(t, s, 1, former...)[0]
	main := s.Mark()
	c := cause{target: "/hungry", code: "0146", says: fmt.Sprintf(`was killed by SIGKILL \(killed\): its cgroup was out of memory \(its limit is %d bytes\)`, limit), ended: "its cgroup was out of memory"}
	if r := s.Do(t, apachetest.Request{Host: "one.test", Target: c.target, Wait: 40 * time.Second}); r.Status != 502 {
		t.Errorf("the answer:\n%s", r)
	}
	expectCause(t, s, c, victim)
	expectRecords(t, main, c, victim)
}

// memoryCgroup makes a cgroup with a limit, and removes it when the test's server has stopped. "" where that is not possible: the counters are
// tested in daemon/supervisor then, and nothing here.
func memoryCgroup(t *testing.T, limit int) string {
	t.Helper()
	for _, kind := range []struct{ mount, limit string }{{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}} {
		group := fmt.Sprintf("%s/mod_wsgi-test-%d", kind.mount, os.Getpid())
		if os.Mkdir(group, 0o755) != nil {
			continue
		}
		t.Cleanup(func() {
			apachetest.Eventually(t, 10*time.Second, "the cgroup is empty", func() bool { return os.Remove(group) == nil })
		})
		if os.WriteFile(group+"/"+kind.limit, []byte(fmt.Sprint(limit)), 0o644) == nil {
			_ = os.WriteFile(group+"/memory.memsw.limit_in_bytes", []byte(fmt.Sprint(limit)), 0o644) // no way out through swap
			return group
		}
	}
	t.Log("no cgroup with a limit of memory can be made here")
	return ""
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// CoreDumpDirectory is for daemon processes, too: they may dump core although they have changed their user, and go there for it.
func TestDaemonProcessesMayDumpCoreWhereApacheMay(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("only a process that changes its user loses the right to dump core")
		return
	}
	for directive, dumpable := range map[string]bool{"": false, "CoreDumpDirectory {{.Root}}/var\n": true} {
		s := causesServer2(t, directive)
		pid := waitProcesses(t, s, 1)[0]
		if r := s.Do(t, host("one.test", "/pid")); r.Status != 200 {
			t.Fatal(r)
		}
		// proc(5): files of a process that may not dump core belong to root.
		var about syscall.Stat_t
		if err := syscall.Stat(fmt.Sprintf("/proc/%d/environ", pid), &about); err != nil {
			t.Fatal(err)
		}
		if (about.Uid != 0) != dumpable {
			t.Errorf("%q: process %d may dump core: %v", directive, pid, about.Uid != 0)
		}
	}
}

func causesServer2(t *testing.T, conf string) *apachetest.Server {
	t.Helper()
	return apachetest.Start(t, apachetest.Config{Conf: conf + causesConf, Data: "processes=1 threads=1", Files: causesFiles})
}

// waitInside waits until a request runs in the process: case_sleep's thread sleeps again and again.
func waitInside(t *testing.T, s *apachetest.Server, pid int) {
	t.Helper()
	apachetest.Eventually(t, 10*time.Second, "the request has begun", func() bool {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
		for _, task := range tasks {
			text, _ := os.ReadFile(task)
			if strings.HasPrefix(string(text), fmt.Sprintf("%d ", syscall.SYS_CLOCK_NANOSLEEP)) {
				return true
			}
		}
		return false
	})
}
