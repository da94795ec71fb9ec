package gatewaytest

import (
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"modwsgi/interp"
)

// Requests as they are seen from outside. The requests of these tests began, they say, in 1970: each is slow.

// watch has slow requests told to the test, until it ends.
func watch(t testing.TB, limit time.Duration, finished func(*interp.Glimpse) string) {
	interp.WatchRequests(limit, finished)
	t.Cleanup(func() { interp.WatchRequests(math.MaxInt64, nil) })
}

const gatedScript = `
	import os
	def waits(environ):
		os.read(int(environ["gate"]), 1)
	def application(environ, start_response):
		environ["wsgi.input"].read()
		if "gate" in environ:
			waits(environ)
		start_response("418 X", [])
		return [b"0123456789"]
	`

// findRequest waits for the request that runs with the URI.
func findRequest(t *testing.T, uri string) *interp.Glimpse {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		for _, r := range interp.RunningRequests() {
			if g, runs := r.Request.Look(); runs && g.URI == uri && g.ApplicationStart > 0 && strings.Contains(g.Stack(), "in waits") {
				return g
			}
		}
	}
	t.Fatal("the request does not run")
	return nil
}

func TestRequestIsSeenFromOutsideUntilItIsOver(t *testing.T) {
	var end *interp.Glimpse
	watch(t, time.Second, func(g *interp.Glimpse) string { end = g; return "it is over" })
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	defer in.Close()
	long := strings.Repeat("x", 300)
	r := request(t, gatedScript)
	r.Flags, r.Body = HTTPS, []Piece{{Late, "body", 0}}
	r.Environ = []string{"gate=" + strconv.Itoa(int(out.Fd())), "REQUEST_URI=/seen?q", "REQUEST_METHOD=PUT", "HTTP_HOST=[::1]:80", "SCRIPT_NAME=/" + long, "PATH_INFO=", "REMOTE_ADDR=::2",
		"HTTP_USER_AGENT=agent", "SERVER_PROTOCOL=HTTP/2.0", "mod_wsgi.request_id=id", "mod_wsgi.server_pid=42"}
	answer := newThread(t).Begin(r)
	g := findRequest(t, "/seen?q")
	for name, pair := range map[string][2]string{"group": {g.ApplicationGroup, "tests"}, "script": {g.Script, r.Script}, "method": {g.Method, "PUT"}, "scheme": {g.Scheme, "https"},
		"host": {g.Host, "[::1]:80"}, "script name": {g.ScriptName, "/" + long[:251] + "..."}, "path info": {g.PathInfo, ""}, "protocol": {g.Protocol, "HTTP/2.0"},
		"peer": {g.Peer, "::2"}, "user agent": {g.UserAgent, "agent"}, "id": {g.LogID, "id"}} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %q, want %q", name, pair[0], pair[1])
		}
	}
	if g.ServerPID != 42 || g.RequestStart != 1.5 || g.Elapsed < 24*time.Hour || g.ActiveAtStart < 1 || g.End != nil {
		t.Errorf("%+v", g)
	}
	if !g.Warn("one\ntwo\n") {
		t.Error("nothing can be written to its log")
	}
	if _, err := in.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	a := wait(t, answer)
	expectLog(t, a, "aside 4 one", "aside 4 two", "4 it is over")
	if end == nil || end.End == nil || end.End.Status != 418 || end.End.InputBytes != 4 || end.End.OutputBytes != 10 || end.URI != g.URI {
		t.Errorf("at its end: %+v", end)
	}
	if _, runs := g.ID.Look(); runs || g.Warn("three") || g.Stack() != "" {
		t.Error("it is seen when it is over")
	}
	checkContract(t)
}

// Nobody who looks may find a request that is over, or keep one from ending.
func TestRequestsMayEndWhileTheyAreLookedAt(t *testing.T) {
	var ends atomic.Int64
	watch(t, time.Second, func(*interp.Glimpse) string { ends.Add(1); return "" })
	const threads, each = 3, 400
	r := request(t, gatedScript)
	expect418 := func(thread *Thread) {
		if a, others := thread.Repeat(r, each, Answered); others != 0 || a.Status != 418 {
			t.Errorf("%d others, the last: %s", others, a)
		}
	}
	var runs sync.WaitGroup
	for range threads {
		thread := newThread(t)
		runs.Go(func() { expect418(thread) })
	}
	over := make(chan struct{})
	go func() { runs.Wait(); close(over) }()
	looks := 0
	for done := false; !done; {
		select {
		case <-over:
			done = true
		default:
		}
		for _, r := range interp.RunningRequests() {
			if g, runs := r.Request.Look(); runs {
				g.Warn("seen")
				if looks++; looks%50 == 0 {
					g.Stack()
				}
			}
		}
	}
	if n := ends.Load(); n != threads*each {
		t.Errorf("%d ends of %d requests", n, threads*each)
	}
	t.Logf("%d looks", looks)
	checkContract(t)
}

func TestRequestsThatAreNotSlowMakeNoCallIntoGo(t *testing.T) {
	watch(t, math.MaxInt64, func(*interp.Glimpse) string { t.Error("told of"); return "" })
	r := request(t, gatedScript)
	run(t, r)
	before := GoEntries()
	if _, others := mainThread.Repeat(r, 1000, Answered); others != 0 || GoEntries() != before {
		t.Errorf("%d others, %d calls into Go", others, GoEntries()-before)
	}
}

func TestFailuresAreSlowRequestsToo(t *testing.T) {
	var status atomic.Int64
	watch(t, time.Second, func(g *interp.Glimpse) string { status.Store(int64(g.End.Status)); return "" })
	for code, want := range map[string]int64{"raise KeyError": 500, "application = None": 500, "x = 1": 404, "def application(environ, start_response): return None": 500} {
		run(t, request(t, code))
		if got := status.Load(); got != want {
			t.Errorf("%s: status %d, want %d", code, got, want)
		}
	}
}

func TestGarbageCollectorsAreLookedAtInEveryInterpreter(t *testing.T) {
	collect := request(t, `
		import gc
		def application(environ, start_response):
			gc.collect()
			start_response("200 OK", [])
			return [b"collected"]
		`)
	expect(t, run(t, collect), "collected")
	interp.TakeCollections(32) // from here on pauses are noted
	of := func(group string) interp.Collections {
		t.Helper()
		for _, c := range interp.TakeCollections(64) {
			if c.ApplicationGroup == group {
				return c
			}
		}
		t.Fatalf("nothing is known of %q", group)
		return interp.Collections{}
	}
	before := of("tests")
	for range 300 {
		run(t, collect)
	}
	after := of("tests")
	if !after.Enabled || after.Thresholds[0] == 0 || after.Done[2] != before.Done[2]+300 || len(after.Pauses) != 64 || after.Dropped < 300-256 {
		t.Errorf("%+v\n%+v", before, after)
	}
	if p := after.Pauses[0]; p.Duration <= 0 || p.Duration > 60 || math.Abs(p.Start-float64(time.Now().Unix())) > 600 {
		t.Errorf("%+v", p)
	}
	if more := of("tests"); len(more.Pauses) != 64 || more.Dropped != 0 {
		t.Errorf("the next look has %d pauses, %d dropped", len(more.Pauses), more.Dropped)
	}
	if n := len(interp.TakeCollections(1)); n != 1 {
		t.Errorf("%d collectors, where one was asked for", n)
	}
	for range 100 { // what is left of a look
		interp.TakeCollections(64)
	}
	states, heap := ThreadStates(), Malloced()
	for range 500 {
		interp.TakeCollections(64)
	}
	if n := ThreadStates(); n != states {
		t.Errorf("%d thread states more", n-states)
	}
	if n := Malloced() - heap; n > 64<<10 {
		t.Errorf("500 looks leave %d bytes on the C heap", n)
	}
}

func TestSwitchIntervalIsKnown(t *testing.T) {
	if s := interp.SwitchInterval(); s != 0.005 {
		t.Errorf("%v", s)
	}
}
