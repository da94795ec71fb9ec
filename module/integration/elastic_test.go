package integration

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Elastic groups: as many processes as there is work for, down to none.

// startTime is within what a group without a process has to answer: Python is started for the request.
const startTime = 10 * time.Second

func TestAGroupWithoutAProcessServesTheFirstRequest(t *testing.T) {
	for _, c := range []struct {
		mpm  apachetest.MPM
		mode apachetest.Mode
	}{{apachetest.Event, apachetest.Foreground}, {apachetest.Prefork, apachetest.Foreground}, {apachetest.Event, apachetest.Single}} {
		t.Run(fmt.Sprintf("%s, %s", c.mpm, c.mode), func(t *testing.T) {
			t.Parallel()
			s := apachetest.Start(t, apachetest.Config{MPM: c.mpm, Mode: c.mode, Daemon: "minimum-processes=0 threads=3 idle-timeout=1", LogLevel: "warn wsgi:info",
				Conf:  daemonApp + "WSGIImportScript {{.Root}}/imported.py process-group=" + apachetest.ProcessGroup + " application-group=%{GLOBAL}\n",
				Files: map[string]string{"imported.py": "import os\nos.environ['IMPORTED'] = 'yes'\n"}})
			if s.WaitLog(t, "supervisor of daemon processes is process"); len(s.DaemonProcesses()) != 0 {
				t.Errorf("processes %v without a request", s.DaemonProcesses())
			}
			former := 0
			for range 3 {
				start := time.Now()
				pid := pidOf(t, s.Get(t, "/pid"))
				if took := time.Since(start); pid == former || took > startTime {
					t.Errorf("process %d answered after %v", pid, took)
				} else {
					t.Logf("the first request was answered after %v", took)
				}
				if got := string(s.Get(t, "/environment?multiprocess,IMPORTED").Body); got != "multiprocess=False\nIMPORTED=yes" {
					t.Errorf("the application is told %q", got)
				}
				former = pid
				waitProcesses(t, s, 0)
			}
			s.WaitLog(t, "idle-timeout")
		})
	}
}

func TestAGroupGrowsWithItsRequestsAndShrinks(t *testing.T) {
	s := lifeServer(t, "minimum-processes=1 maximum-processes=3 threads=2 idle-timeout=1", "")
	first := waitProcesses(t, s, 1)
	stop := requestContinuouslyOf(t, s, "/sleep?0.001")
	defer stop()
	gates := make([]string, 6)
	var held []<-chan *apachetest.Response
	hold := func(i int) {
		gates[i] = makeFIFO(t, s)
		held = append(held, asking(t, s, "/hold?"+gates[i]))
	}
	for i := range 5 {
		hold(i)
	}
	var opens []func()
	for _, gate := range gates[:5] { // each gets a thread: two processes are not enough for five
		opens = append(opens, holdGate(t, gate))
	}
	waitProcesses(t, s, 3)
	hold(5)
	for range 4 { // the last thread is fought for
		held = append(held, asking(t, s, "/sleep?0.01"))
	}
	opens = append(opens, holdGate(t, gates[5]))
	if n := len(s.DaemonProcesses()); n != 3 {
		t.Errorf("%d processes, at most 3 are allowed", n)
	}
	for _, open := range opens {
		open()
	}
	for _, answer := range held {
		pidOf(t, <-answer)
	}
	if got := string(s.Get(t, "/environment?multiprocess").Body); got != "multiprocess=True" {
		t.Errorf("the application is told %q", got)
	}
	stop()
	if left := waitProcesses(t, s, 1); left[0] != first[0] {
		t.Logf("process %d stays, %d was the first", left[0], first[0])
	}
	s.WaitLog(t, "3 of at most 3")
}

func TestNoRequestFailsWhileAGroupGrowsAndEnds(t *testing.T) {
	s := lifeServer(t, "minimum-processes=0 maximum-processes=3 threads=2 idle-timeout=1", "")
	most := 0
	for range 2 {
		var clients sync.WaitGroup
		end := time.Now().Add(time.Second)
		for range 12 {
			clients.Go(func() {
				for time.Now().Before(end) {
					if answer, err := fetch(s.URL("/sleep?0.02")); err != nil || answer.StatusCode != 200 {
						t.Errorf("a request failed: %v %v", answer, err)
						return
					}
				}
			})
		}
		clients.Wait()
		most = max(most, len(s.DaemonProcesses()))
		waitProcesses(t, s, 0)
	}
	if most != 3 {
		t.Errorf("twelve clients got %d processes at most", most)
	}
}

func TestAnIdleGroupEndsBetweenTwoRequestsAndServesBoth(t *testing.T) {
	s := lifeServer(t, "minimum-processes=0 threads=2 idle-timeout=1", "")
	pids := map[int]bool{}
	for i := range 6 { // as close to the end of the process as can be: none may meet it
		pids[pidOf(t, s.Get(t, "/pid"))] = true
		time.Sleep(time.Second + time.Duration(50*i)*time.Millisecond) // the time between is what is tested
	}
	t.Logf("%d processes served", len(pids))
	waitProcesses(t, s, 0)
}

func TestHealthChecksDoNotKeepAProcess(t *testing.T) {
	s := lifeServer(t, "minimum-processes=0 threads=2 idle-timeout=1", "<Location /pid>\nWSGIIgnoreActivity On\n</Location>")
	first := pidOf(t, s.Get(t, "/sleep?0"))
	apachetest.Eventually(t, 20*time.Second, "another process answers", func() bool { return pidOf(t, s.Get(t, "/pid")) != first })
}

func TestAGroupWithoutAProcessOutlivesRestartsAndItsSupervisor(t *testing.T) {
	t.Parallel()
	s := apachetest.Start(t, apachetest.Config{Conf: daemonApp, Daemon: "minimum-processes=0 threads=2 idle-timeout=1", Tolerate: killed, LogLevel: "warn wsgi:info"})
	pidOf(t, s.Get(t, "/pid"))
	s.Graceful(t)
	waitProcesses(t, s, 0)
	pidOf(t, s.Get(t, "/pid"))
	waitProcesses(t, s, 0)
	supervisor := s.Supervisors()[0]
	kill(t, supervisor)
	pidOf(t, s.Get(t, "/pid")) // waits for another supervisor as well
	if now := s.Supervisors(); len(now) != 1 || now[0] == supervisor {
		t.Errorf("supervisors %v after %d", now, supervisor)
	}
}

func TestAProcessThatCantStartOnDemandIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := apachetest.Start(t, apachetest.Config{Conf: daemonApp, Daemon: "minimum-processes=0 threads=2 connect-timeout=1 home={{.Root}}/var/later"})
	if r := s.Get(t, "/pid"); r.Status != 503 {
		t.Errorf("without its folder:\n%s", r)
	}
	if err := os.Mkdir(s.Root+"/var/later", 0o755); err != nil {
		t.Fatal(err)
	}
	apachetest.Eventually(t, 20*time.Second, "it starts", func() bool { return s.Get(t, "/pid").Status == 200 })
}

// An idle application costs nothing but its place on the board: many need less memory than two that are used.

func TestIdleApplicationsNeedLessMemoryThanTwoBusyOnes(t *testing.T) {
	t.Parallel()
	idleAgainstBusy(t, benchOurs, 8).check(t)
}

// An idleOutcome is what daemon mode needs.
type idleOutcome struct {
	applications    int
	processes       int           // of the idle ones
	sleeping, awake int           // kilobytes: of so many applications that were used and have nothing to do now, and of two at work
	first           time.Duration // until a request to one of the idle ones was answered
}

func (o idleOutcome) String() string {
	return fmt.Sprintf("%d idle applications have %d processes and need %d KB, 2 busy ones %d KB; the first request after %v", o.applications, o.processes, o.sleeping, o.awake, ms(o.first))
}

func (o idleOutcome) check(t *testing.T) {
	t.Helper()
	if o.sleeping >= o.awake || o.processes > 0 || o.first > startTime {
		t.Error(o)
	}
}

// idleAgainstBusy measures with ours an elastic group for each idle application, and with the classic module what it has.
func idleAgainstBusy(t *testing.T, who subject, applications int) idleOutcome {
	t.Helper()
	o := idleOutcome{applications: applications}
	options := "minimum-processes=0 threads=5 idle-timeout=1"
	if who == benchClassic {
		options = "processes=1 threads=5"
	}
	idle := groupServer(t, who, applications, options)
	for i := range applications {
		pidOf(t, idle.Get(t, fmt.Sprintf("/app%d/pid", i)))
	}
	if who == benchOurs {
		apachetest.Eventually(t, 30*time.Second, "no process is left", func() bool { return len(idle.DaemonProcesses()) == 0 })
	}
	o.processes, o.sleeping = len(groupProcesses(idle)), daemonMemory(t, idle)
	busy := groupServer(t, who, 2, "processes=1 threads=5")
	var stops []func() int
	for i := range 2 {
		path := fmt.Sprintf("/app%d/pid", i)
		pidOf(t, busy.Get(t, path)) // it is there
		stops = append(stops, requestContinuouslyOf(t, busy, path))
	}
	o.awake = daemonMemory(t, busy)
	for _, stop := range stops {
		stop()
	}
	began := time.Now()
	pidOf(t, idle.Get(t, "/app0/pid"))
	o.first = time.Since(began)
	t.Log(o)
	return o
}

// groupServer has an application in each of so many groups with the same options: /app0/, /app1/...
func groupServer(t *testing.T, who subject, groups int, options string) *apachetest.Server {
	t.Helper()
	if who == benchClassic {
		options += nameOfClassicProcesses
	}
	var conf strings.Builder
	for i := range groups {
		fmt.Fprintf(&conf, "WSGIDaemonProcess g%d %s\nWSGIScriptAlias /app%d {{.Apps}}/daemon.wsgi process-group=g%d application-group=%%{GLOBAL}\n", i, options, i, i)
	}
	return apachetest.Start(t, compared(who, apachetest.Config{Conf: conf.String(), Tuning: threadedTuning}))
}

// daemonMemory is what the supervisor and the daemon processes need together, in kilobytes; what several of them share counts once.
func daemonMemory(t *testing.T, s *apachetest.Server) int {
	t.Helper()
	total := 0
	for _, pid := range append(s.Supervisors(), groupProcesses(s)...) {
		kilobytes, err := apachetest.ProportionalKB(pid)
		if err != nil {
			t.Fatal(err)
		}
		total += kilobytes
	}
	return total
}

const (
	idleMethod = "- Applications that were used once, each in a group of its own, beside two that are asked all the time. Ours have `minimum-processes=0 idle-timeout=1`.\n" +
		"- Memory is that of the processes of all groups and their supervisor; what several share counts once. \"First request\" is what the next one to an idle application took.\n" +
		"- The goal: the idle ones need less than two busy ones.\n\n"
	idleApplications = 50
)

// measureIdleGroups is a section of docs/reliability.md.
func measureIdleGroups(t *testing.T, _ reliabilityPlan, only *regexp.Regexp) reliabilitySection {
	t.Helper()
	section := reliabilitySection{title: "Memory of idle applications", method: idleMethod,
		columns: "| Server | Idle applications | Their processes | Their memory | Two busy ones | First request |\n|---|---:|---:|---:|---:|---:|\n"}
	for _, who := range bothModules {
		if name := fmt.Sprintf("%d idle applications", idleApplications); only.MatchString(name) {
			t.Run(name+"/"+string(who), func(t *testing.T) {
				o := idleAgainstBusy(t, who, idleApplications)
				section.add(subjectNames[who], fmt.Sprint(o.applications), fmt.Sprint(o.processes), fmt.Sprintf("**%.1f MB**", float64(o.sleeping)/1024),
					fmt.Sprintf("%.1f MB", float64(o.awake)/1024), shown(o.first))
				if who == benchOurs {
					o.check(t)
				}
			})
		}
	}
	return section
}
