package integration

import (
	"fmt"
	"os"
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
	idleAgainstBusy(t, 8)
}

func TestSoakFiftyIdleApplicationsNeedLessMemoryThanTwoBusyOnes(t *testing.T) {
	if os.Getenv("MODWSGI_SOAK") == "" {
		t.Log("the long run is for `make soak`; TestIdleApplicationsNeedLessMemoryThanTwoBusyOnes does the same with fewer")
		return
	}
	idleAgainstBusy(t, 50)
}

// idleAgainstBusy compares the memory of daemon mode: of so many applications that were used and have nothing to do now, and of two at work.
func idleAgainstBusy(t *testing.T, applications int) {
	idle := groupServer(t, applications, "minimum-processes=0 threads=5 idle-timeout=1")
	for i := range applications {
		pidOf(t, idle.Get(t, fmt.Sprintf("/app%d/pid", i)))
	}
	apachetest.Eventually(t, 30*time.Second, "no process is left", func() bool { return len(idle.DaemonProcesses()) == 0 })
	sleeping := daemonMemory(t, idle)
	busy := groupServer(t, 2, "processes=1 threads=5")
	var stops []func() int
	for i := range 2 {
		stops = append(stops, requestContinuouslyOf(t, busy, fmt.Sprintf("/app%d/pid", i)))
	}
	working := daemonMemory(t, busy)
	for _, stop := range stops {
		stop()
	}
	t.Logf("%d idle applications need %d KB, 2 busy ones %d KB", applications, sleeping, working)
	if sleeping >= working {
		t.Errorf("%d idle applications need %d KB, 2 busy ones %d KB", applications, sleeping, working)
	}
	pidOf(t, idle.Get(t, "/app0/pid"))
}

// groupServer has an application in each of so many groups with the same options: /app0/, /app1/...
func groupServer(t *testing.T, groups int, options string) *apachetest.Server {
	t.Helper()
	var conf strings.Builder
	for i := range groups {
		fmt.Fprintf(&conf, "WSGIDaemonProcess g%d %s\nWSGIScriptAlias /app%d {{.Apps}}/daemon.wsgi process-group=g%d application-group=%%{GLOBAL}\n", i, options, i, i)
	}
	return apachetest.Start(t, apachetest.Config{Conf: conf.String(), Tuning: threadedTuning})
}

// daemonMemory is what the supervisor and the daemon processes need together, in kilobytes; what several of them share counts once.
func daemonMemory(t *testing.T, s *apachetest.Server) int {
	t.Helper()
	total := 0
	for _, pid := range append(s.Supervisors(), s.DaemonProcesses()...) {
		kilobytes, err := apachetest.ProportionalKB(pid)
		if err != nil {
			t.Fatal(err)
		}
		total += kilobytes
	}
	return total
}
