package integration

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// Clients that leave at any moment take nothing with them: no thread, no descriptor, no place in the queue.

const (
	badClients = 1000
	atOnce     = 10
)

func TestClientsThatLeaveTakeNothingWithThem(t *testing.T) {
	for _, in := range []setting{{apachetest.Event, "processes=2 threads=5"}, {apachetest.Prefork, "processes=2 threads=4"}} {
		t.Run(in.String(), func(t *testing.T) {
			tuning := threadedTuning
			if in.mpm == apachetest.Prefork { // as many children as clients at once, from the beginning
				tuning = "StartServers 10\nMinSpareServers 1\nMaxSpareServers 10\nServerLimit 10\nMaxRequestWorkers 10\n"
			}
			s := apachetest.Start(t, in.of(apachetest.Config{Tuning: tuning, LogLevel: "warn wsgi:crit",
				Conf: "WSGIApplicationGroup %{GLOBAL}\nWSGIChunkedRequest On\nMaxConnectionsPerChild 0\nWSGIScriptAlias /bodies {{.Apps}}/bodies.wsgi\nWSGIScriptAlias / {{.Apps}}/daemon.wsgi\n"}))
			leave := func(times int) {
				inParallel(t, times, atOnce, func(n int) error { return cutBody(s, n) })
				inParallel(t, times, atOnce, func(n int) error { return leaveInTheAnswer(s, n) })
			}
			threads := map[string]int{"processes=2 threads=5": 10, "processes=2 threads=4": 8}[in.options]
			leave(badClients / 5)
			expectAllThreads(t, s, threads)
			before := s.Holdings(t)
			leave(badClients)
			expectAllThreads(t, s, threads)
			var excess string
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
				if excess = excessOf(before, s.Holdings(t)); excess == "" || time.Now().After(end) {
					break
				}
			}
			if excess != "" {
				t.Errorf("after %d cut request bodies and %d cut answers:\n%s", badClients, badClients, excess)
			}
		})
	}
}

// What is chance; what bad clients leave behind would be hundreds.
const (
	keptConnections = 10 // more between a child and the processes, or a process and the children: who used which before?
	goThreads       = 4  // more that Go's scheduler has once needed
)

func excessOf(before, after map[int]apachetest.Holding) string {
	var excess strings.Builder
	for pid, was := range before {
		now := after[pid]
		allowed := was.Files
		if was.Role == "child" || was.Role == "daemon process" {
			allowed += keptConnections
		}
		if now.Role != was.Role || now.Files > allowed || now.Threads > was.Threads+goThreads {
			fmt.Fprintf(&excess, "process %d: %+v before, %+v now\n", pid, was, now)
		}
	}
	if len(after) != len(before) {
		fmt.Fprintf(&excess, "%d processes before, %d now\n", len(before), len(after))
	}
	return excess.String()
}

// inParallel does something n times, so many at once; the first failure is reported.
func inParallel(t *testing.T, n, workers int, do func(n int) error) {
	t.Helper()
	work := make(chan int)
	var group sync.WaitGroup
	var once sync.Once
	for range workers {
		group.Go(func() {
			for i := range work {
				if err := do(i); err != nil {
					once.Do(func() { t.Errorf("client %d: %v", i, err) })
				}
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	group.Wait()
}

// cutBody sends a part of a request body and leaves: by closing, or at once (RST).
func cutBody(s *apachetest.Server, n int) error {
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		return err
	}
	defer conn.Close()
	random := rand.New(rand.NewPCG(uint64(n), 1))
	path := []string{"/bodies/digest", "/bodies/echo", "/bodies/ignore", "/bodies/first_byte", "/flood?1,read"}[n%5]
	length := 1 + random.IntN(300000)
	sent := random.IntN(length)
	head, body := fmt.Sprintf("Content-Length: %d\r\n", length), longText(sent)
	if n%3 == 0 { // cut within a chunk, or before its size
		head, body = "Transfer-Encoding: chunked\r\n", fmt.Sprintf("%x\r\n%s", length, body)
		if n%2 == 0 {
			body = body[:random.IntN(4)]
		}
	}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\n"+head+"\r\n"+body); err != nil && !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "pipe") {
		return err // an application that does not read may have been answered for already
	}
	if n%2 == 0 {
		_ = conn.(*net.TCPConn).SetLinger(0)
	}
	return nil
}

// leaveInTheAnswer reads a part of an answer and leaves.
func leaveInTheAnswer(s *apachetest.Server, n int) error {
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		return err
	}
	defer conn.Close()
	random := rand.New(rand.NewPCG(uint64(n), 2))
	path := []string{"/flood?3", "/bodies/down?3", "/bodies/down_write?3", "/gone"}[n%4]
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return err
	}
	if wanted := int64(random.IntN(2 << 20)); path != "/gone" {
		if _, err := io.CopyN(io.Discard, conn, wanted); err != nil {
			return err
		}
	}
	if n%2 == 0 {
		_ = conn.(*net.TCPConn).SetLinger(0)
	}
	return nil
}

// expectAllThreads shows that every request thread of the group takes a request: so many are held at the same time.
func expectAllThreads(t *testing.T, s *apachetest.Server, n int) {
	t.Helper()
	gate := makeFIFO(t, s) // whoever comes in waits until its only writer has gone
	answers := make(chan *apachetest.Response, n)
	for range n {
		go func() { answers <- s.Get(t, "/hold?"+gate) }()
	}
	open := holdGate(t, gate)
	apachetest.Eventually(t, 20*time.Second, fmt.Sprintf("%d requests are inside at the same time", n), func() bool { return readersOf(s, gate) >= n })
	open()
	for range n {
		if r := <-answers; r.Status != 200 {
			t.Errorf("one of %d requests at the same time:\n%s", n, r)
		}
	}
}

// readersOf counts how often daemon processes have a file open.
func readersOf(s *apachetest.Server, path string) int {
	n := 0
	for _, pid := range s.DaemonProcesses() {
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, link := range links {
			if target, err := os.Readlink(link); err == nil && target == path {
				n++
			}
		}
	}
	return n
}
