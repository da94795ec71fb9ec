package integration

import (
	"fmt"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"modwsgi/module/apachetest"
)

// WSGITelemetryService and WSGITelemetryOptions: what Apache's children and daemon processes send to a collector.

const telemetryScript = `import gc, json, mod_wsgi, os

def application(environ, start_response):
    words = dict(word.split("=") for word in environ["QUERY_STRING"].split("&") if word)
    environ["wsgi.input"].read()
    if "gate" in words:
        with open(words["gate"]) as f:
            f.read()
    if "raise" in words:
        raise RuntimeError("app: as asked")
    if "collect" in words:
        gc.collect()
    body = b"0123456789"
    if "metrics" in words:
        mod_wsgi.start_recording_metrics()
        body = json.dumps([mod_wsgi.request_metrics(), mod_wsgi.process_metrics()]).encode()
    start_response(words.get("status", "200") + " X", [("Content-Type", "text/plain")])
    return [body]
`

func telemetryConfig(in setting, conf string) apachetest.Config {
	return in.of(apachetest.Config{OneChild: true, Files: map[string]string{"telemetry.wsgi": telemetryScript},
		Conf: "WSGITelemetryService unix:" + telemetrySocket + " interval=0.5\n" + conf + "WSGIScriptAlias /mounted {{.Root}}/telemetry.wsgi application-group=%{GLOBAL}\n"})
}

// startCollected starts a server, and its collector before.
func startCollected(t *testing.T, c apachetest.Config) (*apachetest.Server, *collector) {
	t.Helper()
	s := apachetest.New(t, c)
	collected := collect(t, s)
	s.Start(t)
	return s, collected
}

// threadsOf is how many request threads a process has in the setting.
func threadsOf(in setting) float64 {
	switch {
	case in.options != "":
		var processes, threads float64
		_, _ = fmt.Sscanf(in.options, "processes=%g threads=%g", &processes, &threads)
		return threads
	case in.mpm == apachetest.Prefork:
		return 1
	}
	return 0 // whatever the harness configures
}

func TestTelemetryTellsOfEveryRequest(t *testing.T) {
	inSettings(t, both(apachetest.MPMs, singles), func(t *testing.T, in setting) {
		t.Parallel()
		s, c := startCollected(t, telemetryConfig(in, ""))
		for _, target := range []string{"/mounted", "/mounted?status=404", "/mounted?status=302", "/mounted?raise=1", "/mounted?metrics=1"} {
			r := s.Post(t, target, []byte("12345"))
			if strings.Contains(target, "metrics") && string(r.Body) != "[null, null]" {
				t.Errorf("applications get metrics, too: %s", r)
			}
		}
		started := c.wait(t, "a process has started", kindStarted, func(r telemetry) bool { return (r.text("process_group") != "") == (in.options != "") })
		apachetest.Eventually(t, 10*time.Second, "all requests are told of", func() bool { return c.sum("request_count") >= 5 })
		for name, want := range map[string]float64{
			"request_count": 5, "status_1xx_total": 0, "status_2xx_total": 2, "status_3xx_total": 1, "status_4xx_total": 1, "status_5xx_total": 1,
			"input_bytes_total": 25, "output_bytes_total": 3*10 + 12, "output_writes_total": 4,
		} {
			if got := c.sum(name); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
		}
		if reads := c.sum("input_reads_total"); reads < 5 || reads > 15 {
			t.Errorf("%v reads of five bodies", reads)
		}
		buckets, completed := 0.0, 0.0
		for _, r := range c.all(kindMetrics) {
			if in.options != "" && r.text("process_group") == "" { // Apache's children, too
				continue
			}
			expectSample(t, in, r, s, started)
			buckets += r.total("application_time_buckets")
			completed += r.total("request_threads_completed")
		}
		if buckets != 5 || completed != 5 {
			t.Errorf("the histograms have %v requests, the threads %v", buckets, completed)
		}
		expectSequence(t, c)
	})
}

func expectSample(t *testing.T, in setting, r telemetry, s *apachetest.Server, started telemetry) {
	t.Helper()
	group, hostname := "", ""
	if in.options != "" {
		group = apachetest.ProcessGroup
	}
	hostname, _ = os.Hostname()
	for name, want := range map[string]string{"mod_wsgi_version": "6.0.5", "mpm_name": string(in.mpm), "process_group": group, "hostname": hostname} {
		if got := r.text(name); got != want || started.text(name) != want {
			t.Errorf("%s is %q, of the start %q; want %q", name, got, started.text(name), want)
		}
	}
	if !strings.HasPrefix(r.text("python_version"), "3.") || !strings.HasPrefix(r.text("apache_version"), "Apache/2.4.") {
		t.Errorf("versions %q, %q", r.text("python_version"), r.text("apache_version"))
	}
	between := func(name string, least, most float64) {
		t.Helper()
		if got := r.number(name); !(got >= least && got <= most) {
			t.Errorf("%s is %v, not between %v and %v", name, got, least, most)
		}
	}
	between("process_parent_pid", float64(s.Pid()), float64(s.Pid()))
	between("telemetry_interval", 0.5, 0.5)
	between("switch_interval", 0.005, 0.005)
	between("slow_requests_threshold", 0, 0)
	between("sample_period", 0.3, 20)
	between("capacity_utilization", 0, 1)
	between("cpu_utilization", 0, 4)
	between("memory_rss", 1<<20, 1<<40)
	between("memory_max_rss", r.number("memory_rss"), 1<<40)
	threads := threadsOf(in)
	if threads == 0 {
		threads = r.number("request_threads_maximum")
	}
	between("request_threads_maximum", max(1, threads), threads)
	between("request_threads_active", 0, threads)
	if n := float64(len(r.values["request_threads_busy_time"].([]float64))); n != threads {
		t.Errorf("%v threads have a busy time, of %v", n, threads)
	}
	between("request_throughput", r.number("request_count")/r.number("sample_period")*0.99, r.number("request_count")/r.number("sample_period")*1.01)
	for _, phase := range []string{"server", "queue", "daemon", "application", "request", "gil_wait", "input_read", "output_write"} {
		way := phase == "queue" || phase == "daemon"
		wanted := !way || in.options != "" && r.number("request_count") > 0
		extremes := wanted && r.number("request_count") > 0
		if _, there := r.values[phase+"_time"]; there != wanted {
			t.Errorf("%s_time is there: %v", phase, there)
		}
		if _, there := r.values[phase+"_time_max"]; there != extremes {
			t.Errorf("%s_time_max is there: %v", phase, there)
		}
		if extremes && !(r.number(phase+"_time_min") <= r.number(phase+"_time") && r.number(phase+"_time") <= r.number(phase+"_time_max")*1.001) {
			t.Errorf("%s: the mean %v is not between %v and %v", phase, r.number(phase+"_time"), r.number(phase+"_time_min"), r.number(phase+"_time_max"))
		}
	}
	sum := r.number("server_time") + r.number("application_time")
	if in.options != "" && r.number("request_count") > 0 {
		sum += r.number("queue_time") + r.number("daemon_time")
	}
	if got := r.number("request_time"); math.Abs(got-sum) > 0.01 {
		t.Errorf("the phases take %v, the request %v", sum, got)
	}
}

// expectSequence: nothing may be lost where the collector is there.
func expectSequence(t *testing.T, c *collector) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	next := map[int]uint32{}
	for _, r := range c.records {
		if r.sequence != next[r.pid] {
			t.Errorf("process %d sends number %d, %d was expected", r.pid, r.sequence, next[r.pid])
		}
		next[r.pid] = r.sequence + 1
	}
}

func TestTelemetryTellsOfSlowRequests(t *testing.T) {
	for _, agents := range []bool{false, true} {
		inSettings(t, both([]apachetest.MPM{apachetest.Event}, singles), func(t *testing.T, in setting) {
			t.Parallel()
			options := map[bool]string{false: "WSGITelemetryOptions +CaptureUserAgent\nWSGITelemetryOptions -CaptureUserAgent\n", true: "WSGITelemetryOptions CaptureUserAgent\n"}
			s, c := startCollected(t, telemetryConfig(in, "WSGISlowRequests 0.1\n"+options[agents]))
			s.Get(t, "/mounted") // loading the script may take longer than the limit
			gate := makeFIFO(t, s)
			long := strings.Repeat("x", 600)
			answer := make(chan *apachetest.Response, 1)
			go func() {
				answer <- s.Do(t, apachetest.Request{Method: "PUT", Host: "slow.test:81", Target: "/mounted/" + long + "?status=418&gate=" + gate, Body: []byte("1234567"),
					Headers: []apachetest.Header{{Name: "User-Agent", Value: "Slow/1.0"}}})
			}()
			put := func(r telemetry) bool { return r.text("method") == "PUT" }
			running := c.wait(t, "it runs", kindSlow, put)
			later := c.wait(t, "it still runs", kindSlow, func(r telemetry) bool { return put(r) && r.number("duration") > running.number("duration") })
			openGate(t, gate)
			r := <-answer
			over := c.wait(t, "it is over", kindSlow, func(r telemetry) bool { return put(r) && r.number("state") == 1 })
			agent := map[bool]string{true: "Slow/1.0"}[agents]
			for _, record := range []telemetry{running, later, over} {
				for name, want := range map[string]string{"method": "PUT", "scheme": "http", "hostname": "slow.test", "script_name": "/mounted",
					"path_info": "/" + long[:507] + "...", "protocol": "HTTP/1.1", "peer_ip": "127.0.0.1", "user_agent": agent, "log_id": over.text("log_id")} {
					if got := record.text(name); got != want {
						t.Errorf("state %v: %s is %q, want %q", record.number("state"), name, got, want)
					}
				}
				if record.text("log_id") == "" || record.number("start_stamp") != over.number("start_stamp") || record.number("active_at_start") != 1 {
					t.Errorf("it is not told from others: %v", record)
				}
				phases := record.number("server_time") + record.number("queue_time") + record.number("daemon_time") + record.number("application_time")
				if math.Abs(phases-record.number("duration")) > 0.2 || record.number("application_time") < 0.05 {
					t.Errorf("it took %v, its phases %v: %v", record.number("duration"), phases, record)
				}
			}
			for name, want := range map[string]float64{"state": 1, "status": 418, "input_bytes": 7, "output_bytes": 10, "output_writes": 1, "active_at_completion": 1} {
				if got := over.number(name); got != want {
					t.Errorf("%s is %v, want %v", name, got, want)
				}
			}
			if r.Status != 418 || running.number("state") != 0 || running.number("status") != 0 || over.number("cpu_user_time")+over.number("cpu_system_time") <= 0 ||
				over.number("duration") <= later.number("duration") {
				t.Errorf("%s\n%v\n%v", r, running, over)
			}
			samples := len(c.all(kindMetrics))
			apachetest.Eventually(t, 10*time.Second, "two more samples", func() bool { return len(c.all(kindMetrics)) >= samples+2 })
			if slow := c.all(kindSlow); slow[len(slow)-1].number("state") != 1 {
				t.Errorf("a request that is over is told of again: %v", slow[len(slow)-1])
			}
		})
	}
}

func TestTelemetryTellsHowAProcessEnds(t *testing.T) {
	inSettings(t, both(apachetest.MPMs, singles), func(t *testing.T, in setting) {
		t.Parallel()
		s, c := startCollected(t, telemetryConfig(in, ""))
		for range 3 {
			s.Get(t, "/mounted")
		}
		c.wait(t, "a process has started", kindStarted, func(telemetry) bool { return true })
		s.GracefulStop()
		s.WaitStopped(t, 20*time.Second)
		stopped := c.wait(t, "a process has stopped", kindStopped, func(r telemetry) bool { return r.number("lifetime_request_count") > 0 })
		stopping := c.wait(t, "a process stops", kindStopping, func(r telemetry) bool { return r.pid == stopped.pid })
		reason := ""
		if in.options != "" {
			reason = "shutdown_signal"
		}
		if stopping.text("reason") != reason || stopped.text("reason") != reason || stopping.number("active_requests_at_decision") != 0 ||
			stopped.number("active_requests_at_exit") != 0 || stopped.number("graceful_drain") != 1 || stopped.number("lifetime_request_count") != 3 ||
			!(stopped.number("process_uptime") > 0 && stopped.number("process_uptime") < 60) {
			t.Errorf("%v\n%v", stopping, stopped)
		}
		if sum := c.sum("request_count"); sum != 3 {
			t.Errorf("the samples have %v requests", sum)
		}
		expectSequence(t, c)
	})
}

func TestTelemetryTellsWhyADaemonProcessEnds(t *testing.T) {
	t.Parallel()
	s, c := startCollected(t, telemetryConfig(setting{apachetest.Event, "threads=2 maximum-requests=2 shutdown-timeout=1"}, ""))
	for range 2 {
		s.Get(t, "/mounted")
	}
	planned := c.wait(t, "it has stopped", kindStopped, func(telemetry) bool { return true })
	if planned.text("reason") != "maximum_requests" || planned.number("graceful_drain") != 1 {
		t.Error(planned)
	}
	gate := makeFIFO(t, s)
	answer := make(chan *apachetest.Response, 1)
	go func() { answer <- s.Get(t, "/mounted?gate="+gate) }()
	holdGate(t, gate) // and never let go
	var pid int
	apachetest.Eventually(t, 10*time.Second, "one daemon process is left", func() bool {
		processes := s.DaemonProcesses()
		pid = processes[len(processes)-1]
		return len(processes) == 1
	})
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	forced := c.wait(t, "it was ended", kindStopped, func(r telemetry) bool { return r.pid == pid })
	if forced.text("reason") != "shutdown_signal" || forced.number("graceful_drain") != 0 || forced.number("active_requests_at_exit") != 1 {
		t.Error(forced)
	}
	<-answer
}

func TestTelemetryTellsOfGarbageCollectors(t *testing.T) {
	inSettings(t, both([]apachetest.MPM{apachetest.Event, apachetest.Prefork}, manyThreads), func(t *testing.T, in setting) {
		t.Parallel()
		s, c := startCollected(t, telemetryConfig(in, "WSGIScriptAlias /sub {{.Root}}/telemetry.wsgi application-group=sub\n"))
		first := c.wait(t, "a snapshot", kindSnapshot, func(telemetry) bool { return true })
		if first.text("interpreter_name") != "" || first.number("enabled") != 1 || !(first.number("threshold_0") > 0) || first.number("dropped_events") != 0 {
			t.Error(first)
		}
		expectBody(t, s, "/sub", "0123456789")
		snapshot := c.wait(t, "another interpreter", kindSnapshot, func(r telemetry) bool { return r.text("interpreter_name") == "sub" })
		c.wait(t, "the main interpreter", kindSnapshot, func(r telemetry) bool { return r.text("interpreter_name") == "%{GLOBAL}" })
		before := float64(time.Now().UnixNano()) / 1e9
		expectBody(t, s, "/sub?collect=1", "0123456789")
		pause := c.wait(t, "a collection", kindEvent, func(r telemetry) bool {
			return r.text("interpreter_name") == "sub" && r.number("start") >= before-0.01 && r.number("generation") == 2
		})
		if !(pause.number("duration") > 0 && pause.number("duration") < 10) {
			t.Error(pause)
		}
		c.wait(t, "its collection is counted", kindSnapshot, func(r telemetry) bool {
			return r.text("interpreter_name") == "sub" && r.number("collections_2") > snapshot.number("collections_2")
		})
	})
}

// Whoever can't be reached costs nothing but the telemetry.
func TestServerRunsWithoutAnUsableCollector(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test makes a socket that the server's user may not write to: it needs root")
	}
	inSettings(t, both([]apachetest.MPM{apachetest.Event}, manyThreads), func(t *testing.T, in setting) {
		t.Run("too long", func(t *testing.T) {
			c := telemetryConfig(in, "")
			c.Conf = strings.Replace(c.Conf, telemetrySocket, "{{.Var}}/"+strings.Repeat("x", 100), 1)
			s := apachetest.Start(t, c)
			expectBody(t, s, "/mounted?metrics=1", "[null, null]")
			s.WaitLog(t, `wsgi:warn\].* WSGI0132: this process sends no telemetry: the path of the socket is longer than 107 bytes \(WSGITelemetryService unix:/.*x\)`)
		})
		t.Run("not allowed", func(t *testing.T) {
			s := apachetest.New(t, telemetryConfig(in, ""))
			c := collect(t, s)
			path := s.Root + "/var/collector"
			if err := os.Chmod(path, 0o600); err != nil {
				t.Fatal(err)
			}
			s.Start(t)
			s.WaitLog(t, `WSGI0132: telemetry does not reach its collector: this process's user may not write to the socket`)
			if err := os.Chmod(path, 0o666); err != nil {
				t.Fatal(err)
			}
			c.wait(t, "it goes on when the socket may be written to", kindMetrics, func(telemetry) bool { return true })
			if n := strings.Count(s.Log(), "WSGI0132"); n > len(s.Children())+len(s.DaemonProcesses()) {
				t.Errorf("warned %d times:\n%s", n, s.Log())
			}
		})
		t.Run("not there", func(t *testing.T) {
			s := apachetest.New(t, telemetryConfig(in, ""))
			s.Start(t)
			expectBody(t, s, "/mounted", "0123456789")
			c := collect(t, s) // and comes late
			c.wait(t, "a sample", kindMetrics, func(r telemetry) bool { return r.sequence > 0 })
			if strings.Contains(s.Log(), "WSGI0132") {
				t.Error(s.Log())
			}
		})
	})
}

func TestProcessesWithoutRequestsSendNoTelemetry(t *testing.T) {
	t.Parallel()
	c := telemetryConfig(setting{apachetest.Event, "threads=2"}, "WSGIRestrictEmbedded On\nWSGIDaemonProcess service threads=0\n"+
		"WSGIImportScript {{.Root}}/service.py process-group=service application-group=%{GLOBAL}\n"+
		"<Location /guarded>\nWSGIAccessScript {{.Apps}}/guard.wsgi\n</Location>\n")
	c.Files["service.py"] = "import signal\nprint('app: service runs')\nsignal.pause()\n"
	s, collected := startCollected(t, c)
	s.WaitLog(t, "app: service runs")
	apachetest.Eventually(t, 10*time.Second, "three samples", func() bool { return len(collected.all(kindMetrics)) >= 3 })
	for _, kind := range []int{kindStarted, kindMetrics} {
		for _, r := range collected.all(kind) {
			if r.text("process_group") != apachetest.ProcessGroup {
				t.Errorf("process group %q sends %v", r.text("process_group"), r)
			}
		}
	}
}
