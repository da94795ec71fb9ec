package integration

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
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
	refused  map[int]int64 // by status
	failed   int64         // otherwise, or without Retry-After
	failure  string        // the first of them
}

func (o overload) String() string {
	return fmt.Sprintf("capacity %.0f/s, under overload %.0f/s (%.0f %%), %d served, refused %v", o.capacity, o.goodput, 100*o.goodput/o.capacity, o.served, o.refused)
}

// measureOverload first measures what the server can serve, then sends `factor` times as much for the given time. New requests come at that
// rate whatever has become of the earlier ones.
func measureOverload(t *testing.T, url string, threads int, factor float64, length time.Duration) overload {
	t.Helper()
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1000, MaxConnsPerHost: 1000}}
	defer client.CloseIdleConnections()
	o := overload{refused: map[int]int64{}}
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
			if o.failed++; o.failed == 1 {
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

// underOverload measures each of them at five times what the server can serve.
func underOverload(t *testing.T, length time.Duration) {
	const threads, factor, least = 2, 5, 0.9
	for _, c := range overloads {
		t.Run(c.name, func(t *testing.T) {
			s := apachetest.Start(t, apachetest.Config{Daemon: fmt.Sprintf("processes=1 threads=%d %s", threads, c.options), Conf: daemonApp, LogLevel: "crit",
				Tuning: "StartServers 1\nServerLimit 1\nThreadsPerChild 250\nThreadLimit 250\nMaxRequestWorkers 250\nMinSpareThreads 1\nMaxSpareThreads 250\n"})
			apachetest.Eventually(t, 20*time.Second, "the group answers", func() bool { return s.Get(t, "/pid").Status == 200 })
			o := measureOverload(t, s.URL("/sleep?0.025"), threads, factor, length)
			t.Log(o)
			if o.failed > 0 {
				t.Errorf("%d requests failed: %s", o.failed, o.failure)
			}
			if o.goodput < least*o.capacity {
				t.Errorf("%.0f %% of the capacity are left, %.0f %% should be", 100*o.goodput/o.capacity, 100*least)
			}
			if o.refused[c.refused] == 0 {
				t.Errorf("nobody was refused with %d", c.refused)
			}
		})
	}
}

func TestOverloadLeavesTheCapacity(t *testing.T) {
	underOverload(t, 3*time.Second)
}
