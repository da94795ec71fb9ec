package integration

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// overload is what a server does under more requests than it can serve.
type overload struct {
	capacity float64 // requests a second that are served when as many clients ask as there are threads
	goodput  float64 // that are served under the load
	served   int64
	refused  map[int]int64 // by status: 503 or 504, with Retry-After
	failed   map[int]int64 // by status, 0 for no answer: other ones, or without Retry-After
	failure  string        // the first of them
}

func (o *overload) String() string {
	return fmt.Sprintf("capacity %.0f/s, under overload %.0f/s (%.0f %%), %d served, refused %v, failed %v", o.capacity, o.goodput, o.left(), o.served, o.refused, o.failed)
}

// left is the percentage of the capacity that is.
func (o *overload) left() float64 { return 100 * o.goodput / o.capacity }

// measureOverload first measures what the server can serve, then sends `factor` times as much for the given time. New requests come at that
// rate whatever has become of the earlier ones.
func measureOverload(t *testing.T, url string, threads int, factor float64, length time.Duration) *overload {
	t.Helper()
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1000, MaxConnsPerHost: 1000}}
	defer client.CloseIdleConnections()
	o := &overload{refused: map[int]int64{}, failed: map[int]int64{}}
	o.capacity = closedLoop(t, client, url, threads, length/2)

	var mu sync.Mutex
	note := func(status int, retryAfter string, err error) {
		mu.Lock()
		defer mu.Unlock()
		seconds, noNumber := strconv.Atoi(retryAfter)
		switch {
		case err == nil && status == http.StatusOK:
			o.served++
		case err == nil && (status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout) && noNumber == nil && seconds > 0:
			o.refused[status]++
		default:
			if o.failed[status]++; o.failure == "" {
				o.failure = fmt.Sprintf("status %d, Retry-After '%s', %v", status, retryAfter, err)
			}
		}
	}
	var all sync.WaitGroup
	begin, sent := time.Now(), 0
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		past := time.Since(begin)
		if past >= length {
			tick.Stop()
			break
		}
		for ; float64(sent) < factor*o.capacity*past.Seconds(); sent++ {
			all.Go(func() { note(load(client, url)) })
		}
	}
	mu.Lock()
	o.goodput = float64(o.served) / time.Since(begin).Seconds()
	mu.Unlock()
	all.Wait()
	return o
}

// closedLoop is how many requests a second are served when so many clients send one after the other.
func closedLoop(t *testing.T, client *http.Client, url string, clients int, length time.Duration) float64 {
	t.Helper()
	var served atomic.Int64
	var all sync.WaitGroup
	begin := time.Now()
	for range clients {
		all.Go(func() {
			for time.Since(begin) < length {
				if status, _, err := load(client, url); status != http.StatusOK {
					t.Errorf("without overload: status %d, %v", status, err)
					return
				}
				served.Add(1)
			}
		})
	}
	all.Wait()
	return float64(served.Load()) / time.Since(begin).Seconds()
}

func load(client *http.Client, url string) (status int, retryAfter string, err error) {
	response, err := client.Get(url)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.Header.Get("Retry-After"), err
}

// overloads are the ways in which a queue is kept short.
var overloads = []struct {
	name, options string
	refused       int
}{
	{"by its length", "listen-backlog=10 connect-timeout=0", http.StatusServiceUnavailable},
	{"by time", "listen-backlog=1000 queue-timeout=1", http.StatusGatewayTimeout},
}

// overloadThreads and overloadFactor: at five times what the server can serve, as much of it has to be left.
const (
	overloadThreads = 2
	overloadFactor  = 5
	overloadLeft    = 90 // percent
)

// underOverload measures one of them.
func underOverload(t *testing.T, who subject, options string, length time.Duration) *overload {
	t.Helper()
	s := apachetest.Start(t, compared(who, apachetest.Config{Daemon: fmt.Sprintf("processes=1 threads=%d %s", overloadThreads, options), Conf: daemonApp, LogLevel: "crit",
		Tuning: "StartServers 1\nServerLimit 1\nThreadsPerChild 250\nThreadLimit 250\nMaxRequestWorkers 250\nMinSpareThreads 1\nMaxSpareThreads 250\n"}))
	apachetest.Eventually(t, 20*time.Second, "the group answers", func() bool { return s.Get(t, "/pid").Status == 200 })
	o := measureOverload(t, s.URL("/sleep?0.025"), overloadThreads, overloadFactor, length)
	t.Log(o)
	return o
}

// check is for ours.
func (o *overload) check(t *testing.T, refused int) {
	t.Helper()
	if len(o.failed) > 0 {
		t.Errorf("requests failed: %v, the first: %s", o.failed, o.failure)
	}
	if o.left() < overloadLeft {
		t.Errorf("%.0f %% of the capacity are left, %d %% should be", o.left(), overloadLeft)
	}
	if o.refused[refused] == 0 {
		t.Errorf("nobody was refused with %d", refused)
	}
}

func TestOverloadLeavesTheCapacity(t *testing.T) {
	for _, c := range overloads {
		t.Run(c.name, func(t *testing.T) { underOverload(t, benchOurs, c.options, 3*time.Second).check(t, c.refused) })
	}
}

// measureOverloads is a section of docs/reliability.md.
func measureOverloads(t *testing.T, plan reliabilityPlan, only *regexp.Regexp) reliabilitySection {
	t.Helper()
	section := reliabilitySection{title: "More requests than can be served", method: fmt.Sprintf(overloadMethod, overloadThreads, overloadFactor, overloadLeft),
		columns: "| The queue is kept short | Server | Capacity | Served under overload | Left | Refused, with Retry-After | Otherwise |\n|---|---|---:|---:|---:|---|---|\n"}
	for _, c := range overloads {
		for _, who := range bothModules {
			if name := "overload, " + c.name; only.MatchString(name) {
				t.Run(name+"/"+string(who), func(t *testing.T) {
					o := underOverload(t, who, c.options, max(plan.of(who).changing/3, 3*time.Second))
					section.add(fmt.Sprintf("%s: `%s`", c.name, c.options), subjectNames[who], fmt.Sprintf("%.0f/s", o.capacity), fmt.Sprintf("%.0f/s", o.goodput),
						fmt.Sprintf("**%.0f %%**", o.left()), byStatus(o.refused), byStatus(o.failed))
					if who == benchOurs {
						o.check(t, c.refused)
					}
				})
			}
		}
	}
	return section
}

const overloadMethod = "- A group of %d threads and an application that takes 25 ms. The capacity is what as many clients get who ask one after the other; then %d times as many requests come,\n" +
	"  at a steady rate, whatever has become of the earlier ones. Apache has 250 threads.\n" +
	"- The goal: %d %% of the capacity are left, and whoever is not served gets 503 or 504 with Retry-After.\n\n"

func byStatus(counts map[int]int64) string {
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		name := fmt.Sprint(status)
		if status == 0 {
			name = "no answer"
		}
		parts = append(parts, fmt.Sprintf("%s: %d", name, counts[status]))
	}
	if parts == nil {
		return "–"
	}
	return strings.Join(parts, ", ")
}
