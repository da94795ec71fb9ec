package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"modwsgi/daemon"
	"modwsgi/daemon/admin"
	"modwsgi/module/apachetest"
)

// mod_wsgi-daemon status, stacks and restart, as administrators call them.

// administer runs a command for a server and returns what it prints.
func administer(t *testing.T, s *apachetest.Server, arguments ...string) (status int, out, errors string) {
	t.Helper()
	return administerAs(t, nil, append(arguments, "--apache", fmt.Sprint(s.Pid()))...)
}

func administerAs(t *testing.T, user *syscall.Credential, arguments ...string) (status int, out, errors string) {
	t.Helper()
	c := exec.Command(filepath.Join(filepath.Dir(apachetest.Ours().Path), "mod_wsgi-daemon"), arguments...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	c.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// look is the status of a server with one configuration.
func look(t *testing.T, s *apachetest.Server) admin.Status {
	t.Helper()
	status, out, errors := administer(t, s, "status", "--json")
	var all []admin.Status
	if err := json.Unmarshal([]byte(out), &all); status != 0 || err != nil || len(all) != 1 {
		t.Fatalf("status %d, %v: %s%s", status, err, out, errors)
	}
	return all[0]
}

func TestAdministratorsSeeEveryGroupProcessAndRequest(t *testing.T) {
	forEachUser(t, func(t *testing.T, ordinary bool) {
		s := apachetest.Start(t, apachetest.Config{OrdinaryUser: ordinary, Conf: daemonApp, Daemon: "processes=2 threads=1"})
		pids := waitProcesses(t, s, 2)
		gate := makeFIFO(t, s)
		var answers []<-chan *apachetest.Response
		for range 3 {
			answers = append(answers, asking(t, s, "/hold?"+gate))
		}
		var status admin.Status
		apachetest.Eventually(t, 10*time.Second, "two requests run and one waits", func() bool {
			status = look(t, s)
			return status.Groups[0].Waiting == 1 && len(requests(status.Groups[0])) == 2
		})
		g := status.Groups[0]
		if status.Apache != s.Pid() || status.Supervisor != s.Supervisors()[0] || status.Replaced || len(status.Groups) != 1 || g.Processes != 2 || g.Threads != 1 {
			t.Errorf("%+v", status)
		}
		for _, p := range g.Members {
			r := p.Report
			if !slices.Contains(pids, p.PID) || p.State != admin.Ready || p.Age <= 0 || r == nil || r.Memory < 1<<20 || r.Requests != 1 || r.Threads[0].Requests != 1 {
				t.Errorf("%+v, %+v", p, r)
			}
		}
		for _, r := range requests(g) {
			if r.Method != "GET" || r.URI != "/hold?"+gate || r.ApplicationGroup != "" || r.Age <= 0 || r.Age > 60 {
				t.Errorf("%+v", r)
			}
		}
		_, table, _ := administer(t, s, "status")
		for _, text := range []string{fmt.Sprintf("Apache %d, configuration", s.Pid()), "1 waiting for up to ", "1 of 1 threads busy", "GET /hold?" + gate, fmt.Sprint(pids[0])} {
			if !strings.Contains(table, text) {
				t.Errorf("the table does not say %q:\n%s", text, table)
			}
		}
		_, stacks, errors := administer(t, s, "stacks", g.Name)
		if n := strings.Count(stacks, "in case_hold"); n != 2 || errors != "" {
			t.Errorf("%d threads in case_hold:\n%s%s", n, stacks, errors)
		}
		openGate(t, gate) // for two, and the third takes the place of one
		apachetest.Eventually(t, 10*time.Second, "the last request runs", func() bool {
			g := look(t, s).Groups[0]
			return g.Waiting == 0 && len(requests(g)) == 1
		})
		openGate(t, gate)
		for _, answer := range answers {
			<-answer
		}
		_, table, _ = administer(t, s, "status", "--idle")
		if strings.Count(table, "idle") != 2 {
			t.Errorf("two threads are idle:\n%s", table)
		}
	})
}

// requests are those that run in a group.
func requests(g admin.Group) (running []daemon.RequestReport) {
	for _, p := range g.Members {
		if p.Report == nil {
			continue
		}
		for _, thread := range p.Report.Threads {
			if thread.Request != nil {
				running = append(running, *thread.Request)
			}
		}
	}
	return running
}

func TestRestartsAreCountedByReason(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{Conf: daemonApp, Daemon: "processes=1 threads=2 maximum-requests=3", Tolerate: killed})
	former := waitProcesses(t, s, 1)
	for range 3 {
		s.Get(t, "/pid")
	}
	former = append(former, waitProcesses(t, s, 1, former...)...)
	kill(t, former[len(former)-1])
	waitProcesses(t, s, 1, former...)
	apachetest.Eventually(t, 10*time.Second, "both ends are counted", func() bool {
		restarts := look(t, s).Groups[0].Restarts
		return restarts["maximum_requests"] == 1 && restarts["SIGKILL"] == 1
	})
}

func TestAdministratorsReplaceTheProcessesOfAGroup(t *testing.T) {
	config := daemonConfig("processes=2 threads=5", apachetest.Event, apachetest.Foreground, false)
	config.Tuning, config.LogLevel = threadedTuning, "warn wsgi:notice"
	s := apachetest.Start(t, config)
	group := look(t, s).Groups[0].Name
	former := waitProcesses(t, s, 2)
	underLoad(t, s, "/", func() {
		waitServing(t, s, 2)
		status, out, errors := administer(t, s, "restart", group)
		if status != 0 || !strings.Contains(out, "2 replaced") {
			t.Errorf("status %d: %s%s", status, out, errors)
		}
		now := s.DaemonProcesses()
		for _, p := range look(t, s).Groups[0].Members {
			if slices.Contains(former, p.PID) && p.State == admin.Ready {
				t.Errorf("process %d was not replaced: %+v", p.PID, p)
			}
		}
		t.Logf("%s%v before, %v after", out, former, now)
	})
	if restarts := look(t, s).Groups[0].Restarts; restarts["restart_command"] != 2 {
		t.Errorf("restarts: %v", restarts)
	}
	s.WaitLog(t, "user "+fmt.Sprint(os.Geteuid())+` .*restarts group`)
}

func TestAStuckProcessIsShownAllTheSame(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{Conf: daemonApp, Daemon: "processes=1 threads=2", Tolerate: killed})
	stuck := asking(t, s, "/stuck?30")
	apachetest.Eventually(t, 10*time.Second, "the request runs", func() bool { return len(requests(look(t, s).Groups[0])) == 1 })
	status, out, errors := administer(t, s, "stacks", look(t, s).Groups[0].Name)
	if status == 0 || !strings.Contains(errors, "interpreter lock is not free") {
		t.Errorf("status %d: %s%s", status, out, errors)
	}
	kill(t, s.DaemonProcesses()[0])
	<-stuck
}

func TestOnlyAdministratorsMayLook(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs another user")
	}
	s := apachetest.Start(t, apachetest.Config{Conf: daemonApp, Daemon: "processes=1 threads=2"})
	for _, name := range []string{"www-data", "nobody"} {
		user := credentialOf(t, name)
		status, out, errors := administerAs(t, user, "status", "--socket", s.ControlSockets()[0])
		if status != 1 || out != "" || !strings.Contains(errors, "permission denied") {
			t.Errorf("%s: status %d: %s%s", name, status, out, errors)
		}
		if status, out, errors = administerAs(t, user, "status", "--apache", fmt.Sprint(s.Pid())); status != 1 || out != "" || !strings.Contains(errors, "ask as root") {
			t.Errorf("%s: status %d: %s%s", name, status, out, errors)
		}
		// The file's mode is not all that keeps others out.
		if err := os.Chmod(s.ControlSockets()[0], 0o666); err != nil {
			t.Fatal(err)
		}
		status, out, errors = administerAs(t, user, "status", "--socket", s.ControlSockets()[0])
		if status != 1 || out != "" || !strings.Contains(errors, "403") {
			t.Errorf("%s: status %d: %s%s", name, status, out, errors)
		}
		if err := os.Chmod(s.ControlSockets()[0], 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWrongNamesAreSaid(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{Conf: daemonApp, Daemon: "processes=1 threads=2"})
	for _, c := range []struct {
		want      string
		arguments []string
	}{
		{"no process group 'nonsense' runs", []string{"stacks", "nonsense"}},
		{"no process group 'nonsense' runs", []string{"restart", "nonsense"}},
		{"accepts 1 arg", []string{"stacks"}},
		{"requires at least 1 arg", []string{"restart"}},
		{"unexpected argument", []string{"status", "group"}},
	} {
		if status, out, errors := administer(t, s, c.arguments...); status == 0 || out != "" || !strings.Contains(errors, c.want) {
			t.Errorf("%v: status %d: %s%s", c.arguments, status, out, errors)
		}
	}
	if status, _, errors := administerAs(t, nil, "status", "--apache", "1"); status != 1 || !strings.Contains(errors, "no process groups run") {
		t.Errorf("status %d: %s", status, errors)
	}
}

// The groups of a replaced configuration are shown for as long as they finish requests.
func TestAReplacedConfigurationIsShownAsSuch(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{Conf: daemonApp, Daemon: "processes=1 threads=2"})
	gate := makeFIFO(t, s)
	running := asking(t, s, "/hold?"+gate)
	processAt(t, s, gate)
	s.Graceful(t)
	apachetest.Eventually(t, 20*time.Second, "both configurations are shown", func() bool {
		_, out, _ := administer(t, s, "status")
		return strings.Count(out, "configuration") == 2 && strings.Count(out, "its last requests are being finished") == 1 && strings.Contains(out, "GET /hold")
	})
	openGate(t, gate)
	<-running
	apachetest.Eventually(t, 20*time.Second, "one is left", func() bool { return len(s.ControlSockets()) == 1 })
}
