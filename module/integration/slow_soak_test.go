package integration

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// 200 slow clients against 4 threads, with our module and with the classic one.

// A slowOutcome is what fast requests saw of slow clients.
type slowOutcome struct {
	quiet, busy time.Duration // their p99 without slow clients and beside them
	answered    int           // beside them
	unanswered  int           // within fastPatience
}

const fastPatience = 10 * time.Second

func (o slowOutcome) String() string {
	return fmt.Sprintf("p99 %v quiet, %v beside them; %d requests answered, %d not within %v", o.quiet.Round(10*time.Microsecond),
		o.busy.Round(10*time.Microsecond), o.answered, o.unanswered, fastPatience)
}

// slowLoads are what 200 slow clients do; `make soak` measures each. TestSlowClientsHoldNoPythonThread and TestSlowUploadsHoldNoPythonThread do the
// same with fewer clients.
var slowLoads = []struct {
	name string
	mpm  apachetest.MPM
	run  func(t *testing.T, s *apachetest.Server, clients int, stop <-chan struct{}) (ready func() bool)
}{
	{"200 clients read 1 MB at 10 KB/s", apachetest.Event, slowDownloads},
	{"200 clients read 1 MB at 10 KB/s", apachetest.Worker, slowDownloads},
	{"200 clients send 1 MB at 10 KB/s", apachetest.Event, slowUploads},
}

// measureSlowLoads is a section of docs/reliability.md.
func measureSlowLoads(t *testing.T, plan reliabilityPlan, only *regexp.Regexp) reliabilitySection {
	t.Helper()
	section := reliabilitySection{title: "Fast requests beside slow clients", method: fmt.Sprintf(slowMethod, slowFactor, slowAlways, fastPatience),
		columns: "| What slow clients do | MPM | Server | p99 quiet | p99 | Answered | Not answered |\n|---|---|---|---:|---:|---:|---:|\n"}
	for _, load := range slowLoads {
		for _, who := range bothModules {
			if !only.MatchString(load.name) {
				continue
			}
			t.Run(load.name+"/"+string(load.mpm)+"/"+string(who), func(t *testing.T) {
				o := measureSlowClients(t, who, load.mpm, 200, max(plan.of(who).changing/3, 4*time.Second), load.run)
				t.Log(o)
				section.add(load.name, string(load.mpm), subjectNames[who], shown(o.quiet), "**"+shown(o.busy)+"**", fmt.Sprint(o.answered), fmt.Sprint(o.unanswered))
				if who == benchOurs && (o.unanswered > 0 || o.busy > max(slowFactor*o.quiet, slowAlways)) {
					t.Error("slow clients are in the way of fast ones")
				}
			})
		}
	}
	return section
}

const (
	slowFactor = 2
	slowAlways = 20 * time.Millisecond // is allowed, however fast fast requests are in quiet
)

const slowMethod = "- A group of 4 threads. Apache has two children with 250 threads each, so that its own threads are enough wherever the clients get to.\n" +
	"- Fast requests come over three connections, without slow clients (\"quiet\") and beside them. \"Not answered\" are those that were not within %[3]v.\n" +
	"- The goal: an answer to each, and a p99 of at most %[1]d times the quiet one or %[2]v.\n\n"

// measureSlowClients compares fast requests without slow clients and beside them.
func measureSlowClients(t *testing.T, who subject, mpm apachetest.MPM, clients int, length time.Duration,
	run func(*testing.T, *apachetest.Server, int, <-chan struct{}) func() bool) slowOutcome {
	t.Helper()
	config := compared(who, slowConfig(setting{mpm, slowThreads}, ""))
	config.OneChild = false
	// Each child has a thread for all slow clients: a request on a kept connection waits for a thread of its child, whatever others have.
	config.Tuning = "StartServers 2\nServerLimit 2\nThreadsPerChild 250\nThreadLimit 250\nMaxRequestWorkers 500\nMinSpareThreads 25\nMaxSpareThreads 500\n"
	s := apachetest.Start(t, config)
	fastRequests(s, time.Second)
	quiet, _ := fastRequests(s, length/4)
	stop := make(chan struct{})
	ready := run(t, s, clients, stop)
	defer func() {
		close(stop)
		for !ready() {
			time.Sleep(10 * time.Millisecond)
		}
	}()
	busy, unanswered := fastRequests(s, length)
	outcome := slowOutcome{answered: len(busy), unanswered: unanswered}
	if len(quiet) > 0 {
		outcome.quiet = p99(quiet)
	}
	if busy = append(busy, slices.Repeat([]time.Duration{fastPatience}, unanswered)...); len(busy) > 0 {
		outcome.busy = p99(busy)
	}
	return outcome
}

// fastRequests sends requests over three connections, and returns how long those took that were answered, and how many were not.
func fastRequests(s *apachetest.Server, length time.Duration) (took []time.Duration, unanswered int) {
	client := &http.Client{Timeout: fastPatience, Transport: &http.Transport{MaxIdleConnsPerHost: 3}}
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var group sync.WaitGroup
	end := time.Now().Add(length)
	for range 3 {
		group.Go(func() {
			for time.Now().Before(end) {
				began := time.Now()
				err := fetchWhole(client, s.URL("/fast"))
				mu.Lock()
				if err == nil {
					took = append(took, time.Since(began))
				} else {
					unanswered++
				}
				mu.Unlock()
				time.Sleep(2 * time.Millisecond) // a rate that the server is far from
			}
		})
	}
	group.Wait()
	slices.Sort(took)
	return took, unanswered
}

// slowDownloads keeps so many clients reading until it is told to stop. The function returned says whether all have.
func slowDownloads(t *testing.T, s *apachetest.Server, clients int, stop <-chan struct{}) func() bool {
	return each(clients, stop, func() bool {
		conn, err := narrow(s.Addr())
		if err != nil {
			t.Error(err)
			return false
		}
		defer conn.Close()
		reader, err := readSlowly(conn, "/blocks?1")
		for err == nil && reader.read < 1<<20 && aTenthOfASecond(stop) {
			err = reader.take(min(1000, 1<<20-reader.read))
		}
		return !over(stop)
	})
}

func slowUploads(t *testing.T, s *apachetest.Server, clients int, stop <-chan struct{}) func() bool {
	return each(clients, stop, func() bool {
		conn, err := narrow(s.Addr())
		if err != nil {
			t.Error(err)
			return false
		}
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "POST /digest HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", 1<<20)
		for sent := 0; err == nil && sent < 1<<20 && aTenthOfASecond(stop); sent += 1024 {
			_, err = conn.Write([]byte(strings.Repeat("x", 1024)))
		}
		return !over(stop)
	})
}

// each has so many do something again and again until it returns false.
func each(n int, stop <-chan struct{}, do func() bool) (ready func() bool) {
	done := make(chan struct{})
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			for do() && !over(stop) {
			}
		})
	}
	go func() {
		group.Wait()
		close(done)
	}()
	return func() bool { return over(done) }
}

func over(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// aTenthOfASecond makes a client one of 10 KB/s.
func aTenthOfASecond(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return false
	case <-time.After(100 * time.Millisecond):
		return true
	}
}
