package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Processes that are killed: what clients see of it, what replaces them, and that nothing is left over.

// orphanDeadline is when everything that belonged to a killed process must have gone: the default shutdown-timeout of 5 s, and what
// the supervisor adds.
const orphanDeadline = 10 * time.Second

// killed is what the log may say in tests that kill.
var killed = []string{"signal 9", "SIGKILL", "exit signal Killed"}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func TestAClientSeesThatItsProcessWasKilled(t *testing.T) {
	for _, mpm := range []apachetest.MPM{apachetest.Event, apachetest.Prefork} {
		t.Run(string(mpm), func(t *testing.T) {
			config := apachetest.Config{MPM: mpm, Daemon: "processes=2 threads=2", Tolerate: killed, Conf: daemonApp}
			if mpm == apachetest.Event {
				config.Modules = []string{"http2"}
				config.Conf += "Protocols h2c http/1.1\nH2Direct on\n"
			}
			s := apachetest.Start(t, config)
			for path, want := range map[string]apachetest.Ending{"/gate": apachetest.NoTerminator, "/gate_length": apachetest.Cut} {
				former := waitProcesses(t, s, 2)
				gate := makeFIFO(t, s)
				c := s.Dial(t)
				c.Send("GET " + path + "?" + gate + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
				victim := processAt(t, s, gate)
				mark := s.Mark()
				kill(t, victim)
				if r := c.Read("GET"); r.Status != 200 || string(r.Body) != "first|" || r.Ending != want {
					t.Errorf("%s: want an answer that is %s:\n%s", path, want, r)
				}
				mark.Wait(t, "SIGKILL|signal 9")
				expectReplacement(t, s, former, victim)
			}
			// Nothing of the answer was there yet.
			former := waitProcesses(t, s, 2)
			gate := makeFIFO(t, s)
			answer := make(chan *apachetest.Response, 1)
			go func() { answer <- s.Get(t, "/hold?"+gate) }()
			victim := processAt(t, s, gate)
			kill(t, victim)
			if r := <-answer; r.Status != 502 || r.Ending != apachetest.Complete {
				t.Errorf("killed before it answered:\n%s", r)
			}
			expectReplacement(t, s, former, victim)
			if mpm == apachetest.Event {
				killUnderHTTP2(t, s)
			}
		})
	}
}

// killUnderHTTP2 kills the process of one stream: the stream is reset, others of the connection go on.
func killUnderHTTP2(t *testing.T, s *apachetest.Server) {
	t.Helper()
	former := waitProcesses(t, s, 2)
	client := protocolClient(nil, func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })
	defer client.CloseIdleConnections()
	start := func(gate string) *http.Response {
		response, err := client.Get(s.URL("/gate?" + gate))
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 6)
		if _, err := io.ReadFull(response.Body, first); err != nil || response.Proto != "HTTP/2.0" {
			t.Fatalf("%s %q %v", response.Proto, first, err)
		}
		return response
	}
	gate := makeFIFO(t, s)
	broken := start(gate)
	defer broken.Body.Close()
	victim := processAt(t, s, gate)
	var other *http.Response
	var open func()
	for { // one in the other process
		gate := makeFIFO(t, s)
		other = start(gate)
		defer other.Body.Close()
		if processAt(t, s, gate) != victim {
			open = holdGate(t, gate)
			break
		}
		openGate(t, gate)
	}
	kill(t, victim)
	rest, err := io.ReadAll(broken.Body)
	if err == nil || !strings.Contains(err.Error(), "stream error") {
		t.Errorf("HTTP/2: the answer of a killed process ends with %q, %v; a stream error is wanted", rest, err)
	}
	open()
	if rest, err := io.ReadAll(other.Body); err != nil || string(rest) != "second|" {
		t.Errorf("HTTP/2: another stream of the connection gets %q, %v", rest, err)
	}
	expectReplacement(t, s, former, victim)
}

// A request that came to a process, but had to wait for Python's lock there, is not lost with the process.
func TestARequestThatHasNotBegunOutlivesItsProcess(t *testing.T) {
	s := apachetest.Start(t, apachetest.Config{Daemon: "processes=1 threads=2", Conf: "WSGIApplicationGroup %{GLOBAL}\nWSGIScriptAlias / {{.Root}}/lock.wsgi\n",
		Tolerate: killed, Files: map[string]string{"lock.wsgi": `import ctypes, os
def application(environ, start_response):
    if environ["QUERY_STRING"]:
        open(os.path.join(os.path.dirname(__file__), "var", "begun"), "w").close()
        ctypes.PyDLL(None).sleep(30)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
`}})
	victim := pidOf(t, s.Get(t, "/"))
	holding := asking(t, s, "/?lock")
	apachetest.Eventually(t, 10*time.Second, "the first request runs", func() bool { _, err := s.ReadFile("var/begun"); return err == nil })
	before, err := apachetest.OpenFiles(victim)
	if err != nil {
		t.Fatal(err)
	}
	waiting := asking(t, s, "/")
	apachetest.Eventually(t, 10*time.Second, "the second request has come to the process", func() bool {
		now, err := apachetest.OpenFiles(victim)
		return err == nil && now > before
	})
	kill(t, victim)
	if r := <-holding; r.Status != 502 {
		t.Errorf("the request that ran in the killed process:\n%s", r)
	}
	if pid := pidOf(t, <-waiting); pid == victim {
		t.Errorf("process %d was killed, and answers", pid)
	}
}

// processAt waits until a request waits at the gate, and returns its process.
func processAt(t *testing.T, s *apachetest.Server, gate string) int {
	t.Helper()
	found := 0
	apachetest.Eventually(t, 10*time.Second, "a request waits at the gate", func() bool {
		for _, pid := range s.DaemonProcesses() {
			tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
			for _, task := range tasks {
				if waitsAt(pid, task.Name(), gate) {
					found = pid
				}
			}
		}
		return found != 0
	})
	return found
}

// waitsAt tells whether a thread is in openat(2) of the file: its path is in the thread's memory, the second argument.
func waitsAt(pid int, task, path string) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/syscall", pid, task))
	if err != nil {
		return false
	}
	var number, descriptor, address uint64
	if _, err := fmt.Sscanf(string(line), "%d 0x%x 0x%x", &number, &descriptor, &address); err != nil || number != syscall.SYS_OPENAT {
		return false
	}
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return false
	}
	defer memory.Close()
	text := make([]byte, len(path)+1)
	_, err = memory.ReadAt(text, int64(address))
	return err == nil && string(text) == path+"\x00"
}

// expectReplacement waits for as many processes as before, without the victim but with the others.
func expectReplacement(t *testing.T, s *apachetest.Server, former []int, victim int) {
	t.Helper()
	now := waitProcesses(t, s, len(former), victim)
	for _, pid := range former {
		if pid != victim && !slices.Contains(now, pid) {
			t.Errorf("process %d has gone as well, when %d was killed: %v", pid, victim, now)
		}
	}
	if r := s.Get(t, "/pid"); r.Status != 200 {
		t.Error(r)
	}
}

func TestTheSupervisorsDeathIsRepaired(t *testing.T) {
	inSettings(t, sizes, func(t *testing.T, in setting) {
		s := apachetest.Start(t, in.of(apachetest.Config{Conf: daemonApp, Tolerate: killed}))
		n := 1 + strings.Count(in.options, "processes=2")
		former := waitProcesses(t, s, n)
		supervisor := s.Supervisors()[0]
		kill(t, supervisor)
		start := time.Now()
		apachetest.Eventually(t, orphanDeadline, "another supervisor with processes of its own", func() bool {
			now, supervisors := s.DaemonProcesses(), s.Supervisors()
			return len(supervisors) == 1 && supervisors[0] != supervisor && len(now) == n &&
				!slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(former, pid) })
		})
		t.Logf("after %v the supervisor and its processes are replaced", time.Since(start).Round(time.Millisecond))
		if r := s.Get(t, "/pid"); r.Status != 200 {
			t.Error(r)
		}
		if sockets := s.Sockets(); len(sockets) != n {
			t.Errorf("%d processes have the sockets %v", n, sockets)
		}
	})
}

func TestNothingOutlivesAKilledParent(t *testing.T) {
	for _, in := range slices.Concat(sizes, []setting{{apachetest.Event, "processes=2 threads=2 shutdown-timeout=0"}}) {
		t.Run(in.String(), func(t *testing.T) {
			s := apachetest.Start(t, in.of(apachetest.Config{Conf: daemonApp, Tolerate: killed}))
			n := 1 + strings.Count(in.options, "processes=2")
			ours := append(waitProcesses(t, s, n), s.Supervisors()...)
			children := s.Children()
			s.Signal(syscall.SIGKILL)
			start := time.Now()
			apachetest.Eventually(t, orphanDeadline, "no supervisor and no daemon process", func() bool {
				return !slices.ContainsFunc(ours, apachetest.Alive)
			})
			t.Logf("after %v the supervisor and its processes have gone", time.Since(start).Round(time.Millisecond))
			if sockets := s.Sockets(); len(sockets) != 0 {
				t.Errorf("sockets are left: %v", sockets)
			}
			for _, child := range children { // Apache's own do not notice
				_ = syscall.Kill(child, syscall.SIGKILL)
			}
			s.WaitStopped(t, 5*time.Second)
		})
	}
}

// A child of Apache's that is killed takes the places of its requests with it, but not for good.
func TestKilledChildrenLeaveAllThreadsToOthers(t *testing.T) {
	inSettings(t, []setting{{apachetest.Event, "processes=2 threads=5"}, oneThread[0]}, func(t *testing.T, in setting) {
		t.Parallel() // Apache looks once a second whether a child is missing
		tuning, processes, threads := threadedTuning, 2, 5
		if in.mpm == apachetest.Prefork {
			tuning, processes, threads = preforkTuning, 1, 1
		}
		s := apachetest.Start(t, in.of(apachetest.Config{Conf: daemonApp, Tolerate: killed, Tuning: tuning}))
		former := waitProcesses(t, s, processes)
		for range 4 {
			gate := makeFIFO(t, s)
			c := s.Dial(t)
			c.Send("GET /hold?" + gate + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
			open := holdGate(t, gate)
			children := s.Children()
			for _, child := range children {
				kill(t, child)
			}
			open()
			apachetest.Eventually(t, 20*time.Second, "Apache has other children", func() bool {
				now := s.Children()
				return len(now) > 0 && !slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(children, pid) })
			})
		}
		expectAllThreads(t, s, processes*threads)
		if now := s.DaemonProcesses(); !slices.Equal(now, former) {
			t.Errorf("processes before %v, now %v", former, now)
		}
	})
}

// A request that never ends holds nothing up, whatever is killed.
func TestABusyProcessDoesNotOutliveItsParents(t *testing.T) {
	for name, victim := range map[string]func(*apachetest.Server) int{
		"the supervisor": func(s *apachetest.Server) int { return s.Supervisors()[0] }, "the parent": (*apachetest.Server).Pid,
	} {
		t.Run(name, func(t *testing.T) {
			s := apachetest.Start(t, apachetest.Config{Conf: daemonApp, Tolerate: killed, Daemon: "processes=1 threads=2 shutdown-timeout=2"})
			gate := makeFIFO(t, s)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, "GET", s.URL("/hold?"+gate), nil)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				if response, err := http.DefaultClient.Do(request); err == nil {
					_ = response.Body.Close()
				}
			}()
			busy := processAt(t, s, gate)
			children := s.Children()
			kill(t, victim(s))
			apachetest.Eventually(t, orphanDeadline, "the busy process has gone", func() bool { return !apachetest.Alive(busy) })
			if name == "the parent" {
				for _, child := range children {
					_ = syscall.Kill(child, syscall.SIGKILL)
				}
				s.WaitStopped(t, 5*time.Second)
			}
		})
	}
}
