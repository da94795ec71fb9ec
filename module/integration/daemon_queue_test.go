package integration

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"modwsgi/daemon"
	"modwsgi/directives"
	"modwsgi/module/apachetest"
)

// Requests that wait for a process group, as clients see it. Every corner of the queue itself is in daemon/clienttest.

// inOrder answers with the names of all requests so far, in the order in which the application saw them. One that begins with a slash waits
// at that gate.
const inOrder = `seen = []
def application(environ, start_response):
    name = environ["QUERY_STRING"]
    seen.append("gate" if name.startswith("/") else name)
    text = " ".join(seen).encode()
    if name.startswith("/"):
        open(name).read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]
`

// queueOf tells of the first process group of a server, which has so many processes.
func queueOf(t *testing.T, s *apachetest.Server, processes int) func() daemon.Queue {
	t.Helper()
	file := boardOf(t, s.Supervisors()[0])
	defer file.Close()
	board, err := daemon.OpenBoard(int(file.Fd()), daemon.Slots([]*directives.DaemonGroup{{Processes: processes}}))
	if err != nil {
		t.Fatal(err)
	}
	return func() daemon.Queue { return board.Queue(0) }
}

func waitWaiting(t *testing.T, queue func() daemon.Queue, n int) {
	t.Helper()
	apachetest.Eventually(t, 20*time.Second, fmt.Sprintf("%d requests wait", n), func() bool { return queue().Waiting == n })
}

func orderServer(t *testing.T, mpm apachetest.MPM, tuning string) *apachetest.Server {
	t.Helper()
	s := apachetest.Start(t, apachetest.Config{MPM: mpm, Daemon: "processes=1 threads=1", Tuning: tuning, Tolerate: killed,
		Conf: "WSGIScriptAlias / {{.Root}}/order.wsgi\n", Files: map[string]string{"order.wsgi": inOrder}})
	waitProcesses(t, s, 1)
	apachetest.Eventually(t, 20*time.Second, "the process answers", func() bool { return s.Get(t, "/?first").Status == 200 })
	return s
}

func TestRequestsAreServedInTheOrderOfTheirArrivalOverAllChildren(t *testing.T) {
	for mpm, tuning := range map[apachetest.MPM]string{apachetest.Prefork: preforkTuning, apachetest.Event: "StartServers 2\nServerLimit 2\nThreadsPerChild 8\nThreadLimit 8\nMaxRequestWorkers 16\nMinSpareThreads 1\nMaxSpareThreads 16\n"} {
		t.Run(string(mpm), func(t *testing.T) {
			t.Parallel()
			s := orderServer(t, mpm, tuning)
			queue := queueOf(t, s, 1)
			gate := makeFIFO(t, s)
			answers := []<-chan *apachetest.Response{asking(t, s, "/?"+gate)}
			open := holdGate(t, gate)
			want := []string{"gate"}
			for i := 1; i <= 10; i++ {
				name := fmt.Sprint("r", i)
				answers = append(answers, asking(t, s, "/?"+name))
				want = append(want, name)
				waitWaiting(t, queue, i)
			}
			if q := queue(); q.Oldest <= 0 || q.Oldest > time.Minute {
				t.Errorf("%+v", q)
			}
			open()
			var last string
			for _, answer := range answers {
				if r := <-answer; r.Status != 200 {
					t.Errorf("%s", r)
				} else if text := string(r.Body); len(text) > len(last) {
					last = text
				}
			}
			names := strings.Fields(last)
			if got := names[slices.Index(names, "gate"):]; !slices.Equal(got, want) {
				t.Errorf("served in the order %v", got)
			}
			waitWaiting(t, queue, 0)
		})
	}
}

// A child that is killed while its requests wait leaves no gap behind in which others wait for a dead one.
func TestAKilledChildsPlaceInTheQueueIsFreeAtOnce(t *testing.T) {
	t.Parallel()
	s := orderServer(t, apachetest.Prefork, preforkTuning)
	queue := queueOf(t, s, 1)
	gate := makeFIFO(t, s)
	inside := asking(t, s, "/?"+gate)
	open := holdGate(t, gate)
	before := s.Children()
	busy := map[int]bool{}
	for i := range 3 {
		c := s.Dial(t) // its answer will not come
		c.Send(fmt.Sprintf("GET /?doomed%d HTTP/1.1\r\nHost: localhost\r\n\r\n", i))
		waitWaiting(t, queue, i+1)
	}
	for _, child := range before {
		if waitsInQueue(child) {
			busy[child] = true
		}
	}
	if len(busy) != 3 {
		t.Fatalf("children %v wait", busy)
	}
	last := asking(t, s, "/?last")
	waitWaiting(t, queue, 4)
	for child := range busy {
		kill(t, child)
	}
	waitWaiting(t, queue, 1)
	open()
	<-inside
	if r := <-last; r.Status != 200 || strings.Contains(string(r.Body), "doomed") {
		t.Errorf("%s", r)
	}
}

// waitsInQueue tells whether the main thread of a child is in futex(2), on the board.
func waitsInQueue(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
	if err != nil {
		return false
	}
	var number, address uint64
	if _, err := fmt.Sscanf(string(line), "%d 0x%x", &number, &address); err != nil || number != syscall.SYS_FUTEX {
		return false
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(maps)) {
		var begin, end uint64
		if _, err := fmt.Sscanf(line, "%x-%x", &begin, &end); err == nil && address >= begin && address < end {
			return strings.Contains(line, "mod_wsgi-board")
		}
	}
	return false
}
