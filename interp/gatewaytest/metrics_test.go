package gatewaytest

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"
)

// metricsScript answers with what mod_wsgi says after the expression was evaluated.
const metricsScript = `
	import mod_wsgi, json, time, os
	def application(environ, start_response):
		start_response(environ["status"], [])
		if "sleep" in environ:
			time.sleep(float(environ["sleep"]))
		if "gate" in environ:
			os.read(int(environ["gate"]), 1)
		body = [json.dumps(eval(environ["tell"])).encode()] if "tell" in environ else [b"0123456789"] * 2
		environ["wsgi.input"].read()
		return body
	`

type metrics map[string]any

func (m metrics) number(t *testing.T, key string) float64 {
	t.Helper()
	n, ok := m[key].(float64)
	if !ok {
		t.Errorf("%s is %v", key, m[key])
	}
	return n
}

// sum adds up a list.
func (m metrics) sum(t *testing.T, key string) (sum float64) {
	t.Helper()
	for _, n := range m.list(t, key) {
		sum += n.(float64)
	}
	return sum
}

func (m metrics) most(t *testing.T, key string) (most float64) {
	t.Helper()
	for _, n := range m.list(t, key) {
		most = max(most, n.(float64))
	}
	return most
}

func (m metrics) list(t *testing.T, key string) []any {
	t.Helper()
	list, ok := m[key].([]any)
	if !ok {
		t.Errorf("%s is %v", key, m[key])
	}
	return list
}

// tellMetrics evaluates an expression in an interpreter.
func tellMetrics(t testing.TB, r *Request, expression string) metrics {
	t.Helper()
	ask := *r
	ask.Environ = []string{"status=200 OK", "tell=" + expression}
	a := run(t, &ask)
	var m metrics
	if err := json.Unmarshal([]byte(a.Body), &m); err != nil {
		t.Fatal(err, a)
	}
	return m
}

var recording sync.Once

// record switches recording on, for good: the first time it looks whether there was none before.
func record(t testing.TB) {
	t.Helper()
	recording.Do(func() {
		m := tellMetrics(t, request(t, metricsScript), `{"before": [mod_wsgi.request_metrics(), mod_wsgi.process_metrics()],
			"start": mod_wsgi.start_recording_metrics(), "after": type(mod_wsgi.request_metrics()).__name__}`)
		if got, _ := json.Marshal(m); string(got) != `{"after":"dict","before":[null,null],"start":null}` {
			t.Errorf("recording begins with %s", got)
		}
	})
}

func TestRequestMetricsCountWhatHappenedSinceTheLastCall(t *testing.T) {
	record(t)
	thread := newThread(t)
	r := request(t, metricsScript)
	tellMetrics(t, r, "mod_wsgi.start_recording_metrics()")
	tellMetrics(t, r, "mod_wsgi.request_metrics()")
	began := time.Now()
	for _, c := range []struct {
		status, sleep string
		times         int
	}{{"200 OK", "0", 5}, {"201 Made", "0.02", 1}, {"404 Gone", "0.003", 2}, {"500 Bad", "0", 1}} {
		work := *r
		work.Environ = []string{"status=" + c.status, "sleep=" + c.sleep}
		work.Body = []Piece{{Late, "body", 0}}
		for range c.times {
			thread.Run(&work)
		}
	}
	broken := request(t, "this is no Python")
	thread.Run(broken)
	m := tellMetrics(t, r, "mod_wsgi.request_metrics()")
	passed := time.Since(began).Seconds()
	for key, want := range map[string]float64{
		"request_count": 11, // with the one that asked before, which ended after it had been answered
		"status_1xx":    0, "status_2xx": 7, "status_3xx": 0, "status_4xx": 2, "status_5xx": 1, "input_bytes": 9 * 4, "output_writes": 19, "request_threads_maximum": 4,
	} {
		if got := m.number(t, key); got != want {
			t.Errorf("%s is %v, not %v", key, got, want)
		}
	}
	if bytes := m.number(t, "output_bytes"); bytes < 180 {
		t.Errorf("output_bytes is %v", bytes)
	}
	period := m.number(t, "sample_period")
	if stop := m.number(t, "stop_time"); period < 0.026 || period > passed+1 || stop-m.number(t, "start_time") < period-1e-3 {
		t.Errorf("sample_period is %v, %v have passed", period, passed)
	}
	if got, want := m.number(t, "request_throughput"), 11/period; got < want*0.999 || got > want*1.001 {
		t.Errorf("request_throughput is %v, not %v", got, want)
	}
	for _, phase := range []string{"server_time", "application_time", "request_time", "input_read_time", "output_write_time", "gil_wait_time"} {
		if n := m.sum(t, phase+"_buckets"); n != 10 {
			t.Errorf("%s_buckets counts %v requests", phase, n)
		}
		if low, mean, high := m.number(t, phase+"_min_us"), m.number(t, phase)*1e6, m.number(t, phase+"_max_us"); low > mean+1 || mean > high+1 {
			t.Errorf("%s: %v, %v, %v", phase, low, mean, high)
		}
	}
	for _, phase := range []string{"queue_time", "daemon_time"} {
		if m[phase] != nil || m[phase+"_min_us"] != nil || m[phase+"_max_us"] != nil || m.sum(t, phase+"_buckets") != 0 {
			t.Errorf("%s in embedded mode: %v %v %v", phase, m[phase], m[phase+"_min_us"], m[phase+"_max_us"])
		}
	}
	if longest := m.number(t, "application_time_max_us"); longest < 20000 || longest > 20e6 {
		t.Errorf("the longest request took %v us", longest)
	}
	buckets := m["application_time_buckets"].([]any)
	if len(buckets) != 65 || buckets[0].(float64) < 3 || buckets[0].(float64) > 8 {
		t.Errorf("buckets %v", buckets)
	}
	if busy := m.sum(t, "request_threads_busy_time"); busy < 0.026 || busy > 4*period {
		t.Errorf("busy for %v s", busy)
	}
	if done := m.sum(t, "request_threads_completed"); done != 11 || len(m["request_threads_completed"].([]any)) != 4 {
		t.Errorf("completed by thread: %v", m["request_threads_completed"])
	}
	if got, want := m.number(t, "capacity_utilization"), m.sum(t, "request_threads_busy_time")/4/period; got < want*0.999 || got > want*1.001 {
		t.Errorf("capacity_utilization is %v, not %v", got, want)
	}
	if rss, most := m.number(t, "memory_rss"), m.number(t, "memory_max_rss"); rss < 1<<20 || rss > most*1.01 {
		t.Errorf("memory %v, %v", rss, most)
	}
	if user, system := m.number(t, "cpu_user_utilization"), m.number(t, "cpu_system_utilization"); user < 0 || m.number(t, "cpu_time") != user+system {
		t.Errorf("cpu %v %v %v", user, system, m["cpu_time"])
	}
}

func TestRequestMetricsOfAWindowWithoutRequests(t *testing.T) {
	record(t)
	r := request(t, metricsScript)
	m := tellMetrics(t, r, "[mod_wsgi.request_metrics(), mod_wsgi.request_metrics()][1]")
	if m.number(t, "request_count") != 0 || m.number(t, "application_time") != 0 || m["application_time_min_us"] != nil || m["application_time_max_us"] != nil {
		t.Errorf("%v", m)
	}
	if active := m.number(t, "request_threads_active"); active != 1 {
		t.Errorf("%v threads are active: the one that asks is", active)
	}
}

func TestRequestsThatRunAreSeenWhileTheyDo(t *testing.T) {
	record(t)
	r := request(t, metricsScript)
	ready, let := gate(t)
	waiting := *r
	waiting.Environ = []string{"status=200 OK", "gate=" + fmt.Sprint(ready)}
	thread := newThread(t)
	answer := thread.Begin(&waiting)
	eventually(t, func() bool { return tellMetrics(t, r, "mod_wsgi.process_metrics()").number(t, "active_requests") == 2 })
	tellMetrics(t, r, "mod_wsgi.request_metrics()")
	before := tellMetrics(t, r, "mod_wsgi.process_metrics()")
	time.Sleep(30 * time.Millisecond)
	m := tellMetrics(t, r, "mod_wsgi.request_metrics()")
	// Of the thread that waits. The one that asks was busy with other requests, too, which are over.
	if busy, elapsed := m.most(t, "request_threads_busy_time"), m.most(t, "request_threads_current_elapsed"); busy < 0.03 || elapsed < busy {
		t.Errorf("busy %v, elapsed %v", busy, elapsed)
	}
	after := tellMetrics(t, r, "mod_wsgi.process_metrics()")
	if grown := after.number(t, "request_busy_time") - before.number(t, "request_busy_time"); grown < 0.03 || grown > 30 {
		t.Errorf("request_busy_time has grown by %v", grown)
	}
	let(1)
	wait(t, answer)
	if done := tellMetrics(t, r, "mod_wsgi.process_metrics()"); done.number(t, "active_requests") != 1 {
		t.Errorf("active_requests is %v", done["active_requests"])
	}
}

func TestProcessMetricsCountFromTheBeginning(t *testing.T) {
	record(t)
	r := request(t, metricsScript)
	before := tellMetrics(t, r, "mod_wsgi.process_metrics()")
	thread := NewThread()
	tell := *r
	tell.Environ = []string{"status=200 OK"}
	for range 3 {
		thread.Run(&tell)
	}
	during := tellMetrics(t, r, "mod_wsgi.process_metrics()")
	if err := thread.End(); err != nil {
		t.Fatal(err)
	}
	after := tellMetrics(t, r, "mod_wsgi.process_metrics()")
	if a, b, c := before.number(t, "request_count"), during.number(t, "request_count"), after.number(t, "request_count"); b != a+4 || c != b+1 {
		t.Errorf("request_count is %v, %v, %v", a, b, c)
	}
	if a, b, c := before.number(t, "request_threads"), during.number(t, "request_threads"), after.number(t, "request_threads"); b != a+1 || c != a {
		t.Errorf("request_threads is %v, %v, %v", a, b, c)
	}
	found := false
	for _, thread := range during["threads"].([]any) {
		found = found || thread.(map[string]any)["request_count"].(float64) == 3
	}
	if !found {
		t.Errorf("threads %v", during["threads"])
	}
	if now := float64(time.Now().UnixMicro()) / 1e6; after.number(t, "current_time") > now || after.number(t, "restart_time") > after.number(t, "current_time") {
		t.Errorf("times %v %v", after["restart_time"], after["current_time"])
	}
	if after.number(t, "running_time") != float64(int(after.number(t, "current_time")-after.number(t, "restart_time"))) {
		t.Errorf("running_time %v", after["running_time"])
	}
}

func TestMetricsAreRefusedInAForkedCopy(t *testing.T) {
	record(t)
	r := request(t, `
	import mod_wsgi, os
	def refused(function):
		try:
			function()
		except RuntimeError:
			return True
	def application(environ, start_response):
		pid = os.fork()
		if pid == 0:
			ok = refused(mod_wsgi.request_metrics) and refused(mod_wsgi.process_metrics) and refused(mod_wsgi.start_recording_metrics)
			os._exit(0 if ok else 1)
		status = os.waitpid(pid, 0)[1]
		start_response("200 OK", [])
		return [repr(status).encode()]
	`)
	r.Group = ""
	expect(t, run(t, r), "0")
}
