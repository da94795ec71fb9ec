package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"modwsgi/module/apachetest"
	"modwsgi/module/steadyload"
)

// The rows of docs/reliability.md: what happens to a server under steady load, and what its clients may notice. A row that is added here is
// tested for some seconds by `make test` and for a minute by `make soak`, with both modules.

type reliabilityRow struct {
	name    string
	options string // of the group's WSGIDaemonProcess
	// quietOptions are those of a server that is compared with; "": the same server, before the changes.
	quietOptions string
	conf         string // if empty, processes load the script when they start
	// change is done to the server every so often; nil: what happens is in the options.
	change func(t *testing.T, run *reliabilityRun)
	every  time.Duration
	// mayFail excuses a request that failed; nil: none may.
	mayFail func(t *testing.T, run *reliabilityRun, failed steadyload.Shot) bool
	// slower is how many times as long as in quiet the slowest of a hundred may take; 0: as long as they like.
	slower float64
	apache bool // what Apache does without any WSGI module is worth knowing, too
}

// A reliabilityRun is one row with one server.
type reliabilityRun struct {
	server  *apachetest.Server
	changes int   // that were done, or begun
	killed  []int // processes
}

const (
	oneProcess    = "processes=1 threads=15"
	twoProcesses  = "processes=2 threads=15"
	loadedAtStart = "WSGIScriptAlias / {{.Root}}/steady.wsgi process-group=test application-group=%{GLOBAL}\n"
	loadedLater   = "WSGIApplicationGroup %{GLOBAL}\nWSGIScriptAlias / {{.Root}}/steady.wsgi\n"
)

var reliabilityRows = []reliabilityRow{
	{name: "script touched every 3 s, one process", options: oneProcess, change: touchScript, every: 3 * time.Second, slower: 2},
	{name: "script touched every 3 s, two processes", options: twoProcesses, change: touchScript, every: 3 * time.Second, slower: 2},
	{name: "a bad and a good version deployed in turn every 3 s, two processes", options: twoProcesses, change: deployBadAndGood, every: 3 * time.Second, slower: 2},
	{name: "maximum-requests=200", options: "processes=2 threads=15 maximum-requests=200", quietOptions: twoProcesses, slower: 2},
	{name: "maximum-requests=200, script loaded by its first request", options: "processes=2 threads=15 maximum-requests=200", quietOptions: twoProcesses, conf: loadedLater, slower: 2},
	{name: "restart-interval=2", options: "processes=2 threads=15 restart-interval=2", quietOptions: twoProcesses, slower: 2},
	{name: "apachectl graceful every 5 s", options: twoProcesses, change: restartServer, every: 5 * time.Second, slower: 2, apache: true},
	{name: "kill -TERM every 3 s, one process", options: oneProcess, change: endProcess, every: 3 * time.Second, slower: 2},
	{name: "kill -TERM of one of two processes every 3 s", options: twoProcesses, change: endProcess, every: 3 * time.Second, slower: 2},
	{name: "kill -USR1 of one of two processes every 3 s", options: twoProcesses, change: recycleProcess, every: 3 * time.Second, slower: 2},
	{name: "kill -9 of one of two processes every 3 s", options: twoProcesses, change: killProcess, every: 3 * time.Second, mayFail: wasRunningInAKilledProcess},
}

func touchScript(t *testing.T, run *reliabilityRun) {
	touch(t, run.server, "steady.wsgi", time.Date(2026, 5, 1, 12, 0, run.changes, 0, time.UTC))
}

// deployBadAndGood begins with the bad version, which raises at import.
func deployBadAndGood(t *testing.T, run *reliabilityRun) {
	script := steadyScript(t)
	if run.changes%2 == 0 {
		script += "raise ValueError('a bad version')\n"
	}
	rewrite(t, run.server, "steady.wsgi.new", script, time.Date(2026, 5, 1, 12, 0, run.changes, 0, time.UTC))
	if err := os.Rename(filepath.Join(run.server.Root, "steady.wsgi.new"), filepath.Join(run.server.Root, "steady.wsgi")); err != nil {
		t.Fatal(err)
	}
}

func restartServer(_ *testing.T, run *reliabilityRun) { run.server.Signal(syscall.SIGUSR1) }

func endProcess(t *testing.T, run *reliabilityRun) { _ = syscall.Kill(run.victim(t), syscall.SIGTERM) }

func recycleProcess(t *testing.T, run *reliabilityRun) {
	_ = syscall.Kill(run.victim(t), syscall.SIGUSR1)
}

func killProcess(t *testing.T, run *reliabilityRun) {
	pid := run.victim(t)
	run.killed = append(run.killed, pid)
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

// victim is the oldest process of the group.
func (r *reliabilityRun) victim(t *testing.T) int {
	t.Helper()
	var oldest int
	apachetest.Eventually(t, 20*time.Second, "the group has a process", func() bool {
		if processes := groupProcesses(r.server); len(processes) > 0 {
			oldest = processes[0]
		}
		return oldest != 0
	})
	return oldest
}

// nameOfClassicProcesses is the option by which groupProcesses finds them.
const nameOfClassicProcesses = " display-name=%{GROUP}"

// groupProcesses are the processes of all groups, oldest first, whichever module's.
func groupProcesses(s *apachetest.Server) []int {
	if s.Config().Module.Name == "ours" {
		return s.DaemonProcesses()
	}
	return slices.DeleteFunc(s.Children(), func(pid int) bool { return !strings.HasPrefix(apachetest.CommandLine(pid), "(wsgi:") })
}

// wasRunningInAKilledProcess: the application had begun with the request there.
func wasRunningInAKilledProcess(t *testing.T, run *reliabilityRun, failed steadyload.Shot) bool {
	t.Helper()
	for _, pid := range run.killed {
		record, err := os.ReadFile(filepath.Join(run.server.Root, "var", "requests-"+strconv.Itoa(pid)))
		if err != nil {
			t.Errorf("process %d has recorded nothing: %v", pid, err)
		}
		if strings.Contains("\n"+string(record), "\nbegun "+strconv.FormatInt(failed.Number, 10)+"\n") {
			return true
		}
	}
	return false
}
